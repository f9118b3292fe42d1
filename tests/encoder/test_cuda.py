"""On a GPU: packed rows are padded ones, and a stopped training goes on to the same weights.

These need CUDA, and are skipped without it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from stopping import Stopper, crash, outcome, resume
from torch.nn.attention import SDPBackend, sdpa_kernel

from bertft.commands.train import train
from bertft.contracts import Encoded
from bertft.encoder.load import load_tokenizer
from bertft.encoder.packing import Packer, Padder, choose_batcher
from bertft.heads.sequence import SequenceHead
from bertft.heads.token import TokenHead
from bertft.jobs.request import TrainRequest

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device on this machine"
)
LENGTHS = [3, 17, 4, 30, 9, 9, 12, 40, 5]
HEADS = {"sequence": SequenceHead(("a", "b", "c")), "token": TokenHead(("a", "b", "c"))}
CLOSE = {"fp32": 1e-4, "bf16": 0.05}
"""Largest difference as a share of the norm."""


def encoded(*, is_token: bool) -> list[Encoded]:
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(5, 90, (n,), generator=generator).tolist() for n in LENGTHS]
    return [
        Encoded(row, [0] * len(row), i, target=[i % 3] * len(row) if is_token else i % 3)
        for i, row in enumerate(rows)
    ]


def computed(
    model: Any, batcher: Any, *, head: Any, precision: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits in the order of the examples, and all gradients, each end to end."""
    rows = encoded(is_token=isinstance(head, TokenHead))
    batch = batcher(rows, range(len(rows)), head=head)
    inputs = batch.on(model.device)
    half = torch.autocast(DEVICE, torch.bfloat16) if precision == "bf16" else nullcontext()
    with half:
        head.loss(model(**inputs), batch.targets.to(model.device)).sum().backward()
        with torch.no_grad():
            found = dict(zip(batch.encoded, head.split(model(**inputs), batch), strict=True))
    logits = [torch.from_numpy(found[index]).flatten() for index in range(len(rows))]
    gradients = [one.grad.flatten().cpu() for one in model.parameters() if one.grad is not None]
    return torch.cat(logits), torch.cat(gradients)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", list(HEADS))
def test_packed_is_padded(tiny: Path, kind: str, precision: str) -> None:
    """Logits and gradients, without dropout."""
    head = HEADS[kind]
    torch.manual_seed(0)
    padded = head.build(tiny).to(DEVICE).eval()
    with torch.no_grad():
        for parameter in padded.parameters():  # as it is, every token gets the same attention
            parameter.add_(torch.randn_like(parameter) * 0.2)
    packed, tokenizer = copy.deepcopy(padded), load_tokenizer(tiny)
    packer = choose_batcher(packed, tokenizer, head=head)
    assert isinstance(packer, Packer)
    expected = computed(padded, Padder(0, 0), head=head, precision=precision)
    found = computed(packed, packer, head=head, precision=precision)
    for one, other in zip(expected, found, strict=True):
        assert float((one - other).norm() / one.norm()) < CLOSE[precision]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_steps_learn(ask: Callable[..., TrainRequest], precision: str, ear: Any) -> None:
    """They are taken on the GPU, of packed rows; and the weights are others then."""
    settings = ("training.epochs=1", "training.batch_size=24", f"training.device={DEVICE}")
    request = ask("two", *settings, f"training.precision={precision}")
    result = train(request, watch=ear)
    assert result is not None
    (plan,) = ear.plans
    assert (plan.device, plan.precision, plan.packed, plan.steps) == (DEVICE, precision, True, 2)
    assert result.scores["metrics"]["accuracy"]["value"] >= 0


def test_a_stopped_training_goes_on_exactly(ask: Callable[..., TrainRequest]) -> None:
    """Byte-equal weights, moments and figures; with the attention kernel that adds up in a fixed
    order (those of torch that are faster may add gradients in any order)."""
    settings = (f"training.device={DEVICE}", "training.save_every=1")
    with sdpa_kernel(SDPBackend.MATH):
        whole = train(ask("whole", *settings))
        assert whole is not None
        asked = ask("stopped", *settings)
        with pytest.raises(ZeroDivisionError):
            train(asked, watch=Stopper(2, crash))
        assert outcome(resume(Path(asked.out)).run) == outcome(whole.run)
