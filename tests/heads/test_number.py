"""The number head: squared error, packed as padded, starting at the mean of the targets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from bertft.contracts import Encoded
from bertft.encoder.packing import Padder
from bertft.heads.number import NumberHead

LENGTHS = [3, 17, 4, 30, 4]


def encoded() -> list[Encoded]:
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(5, 90, (n,), generator=generator).tolist() for n in LENGTHS]
    return [Encoded(row, [0] * len(row), i, target=i / 2) for i, row in enumerate(rows)]


def test_packed_is_padded(packed_is_padded: Any) -> None:
    packed_is_padded(NumberHead(2.0), encoded(), lambda _: (1,))


def test_outputs_start_at_the_mean_of_the_targets(tiny: Path) -> None:
    """Only the bias differs from a head that starts at 0."""

    def outputs(start: float | None) -> torch.Tensor:
        torch.manual_seed(0)
        model = NumberHead(start).build(tiny).eval()
        with torch.no_grad():
            return model(**Padder(0, 0)(encoded(), range(5), head=None).inputs).logits

    assert torch.allclose(outputs(2.7), outputs(None) + 2.7, atol=1e-6)
    assert not torch.allclose(outputs(None), torch.zeros(5, 1))


def test_the_loss_is_the_summed_squared_error() -> None:
    head = NumberHead()
    targets = head.targets(encoded()[:3], length=17)
    assert (targets.tolist(), targets.dtype) == ([0.0, 0.5, 1.0], torch.float32)
    assert head.count(targets) == 3
    given = SimpleNamespace(logits=torch.tensor([[2.0], [0.5], [-2.0]], dtype=torch.bfloat16))
    loss = head.loss(given, targets)
    assert (float(loss), loss.dtype) == (4 + 0 + 9, torch.float32)


def test_split() -> None:
    batch: Any = SimpleNamespace(lengths=[2, 2])
    given = SimpleNamespace(logits=torch.tensor([[1.0], [2.0]], dtype=torch.bfloat16))
    rows = NumberHead().split(given, batch)
    assert [row.tolist() for row in rows] == [[1.0], [2.0]]
    assert {row.dtype for row in rows} == {np.dtype("float32")}


def test_a_saved_model_keeps_its_bias_and_says_what_it_is(tiny: Path, tmp_path: Path) -> None:
    """A saved model is built again without a start: what it learned stays."""
    NumberHead(2.5).build(tiny).save_pretrained(tmp_path)
    found = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert (found.config.num_labels, found.config.problem_type) == (1, "regression")
    assert NumberHead().build(tmp_path).classifier.bias.tolist() == [2.5]
