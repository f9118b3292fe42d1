"""The sequence head: its summed loss against torch's and transformers' own, and what it saves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.nn import functional
from transformers import AutoModelForSequenceClassification, BertForSequenceClassification

from bertft.contracts import Encoded
from bertft.heads.sequence import SequenceHead

LABELS = ("bad", "fair", "good")
WEIGHTS = (0.25, 1.0, 3.5)
ROWS = [[2, 10, 11, 3], [2, 12, 3], [2, 13, 14, 15, 16, 3], [2, 17, 3]]


def mean(head: SequenceHead, logits: torch.Tensor, targets: torch.Tensor) -> float:
    """The head's sum divided by its count, as the loop divides them."""
    return float(head.loss(SimpleNamespace(logits=logits), targets)) / head.count(targets)


@st.composite
def batches(draw: st.DrawFn, *, multi_label: bool) -> tuple[torch.Tensor, torch.Tensor]:
    size, seed = draw(st.integers(1, 12)), draw(st.integers(0, 10**6))
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, 3, generator=generator) * draw(st.sampled_from([0.1, 1.0, 30.0]))
    if multi_label:
        return logits, torch.randint(2, (size, 3), generator=generator).float()
    return logits, torch.randint(3, (size,), generator=generator)


@settings(deadline=None, max_examples=60)
@given(
    batches(multi_label=False), st.sampled_from([None, WEIGHTS]), st.sampled_from([0.0, 0.1, 0.7])
)
def test_the_single_label_loss_is_torchs_mean(
    batch: tuple[torch.Tensor, torch.Tensor], weights: tuple[float, ...] | None, smoothing: float
) -> None:
    head = SequenceHead(LABELS, False, weights, smoothing)
    expected = functional.cross_entropy(
        *batch,
        weight=None if weights is None else torch.tensor(weights),
        label_smoothing=smoothing,
    )
    assert mean(head, *batch) == pytest.approx(float(expected), rel=1e-5, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(batches(multi_label=True), st.sampled_from([None, WEIGHTS]), st.sampled_from([0.0, 0.2]))
def test_the_multi_label_loss_is_torchs_mean(
    batch: tuple[torch.Tensor, torch.Tensor], weights: tuple[float, ...] | None, smoothing: float
) -> None:
    """Smoothing moves each 0 and 1 towards one half."""
    logits, targets = batch
    head = SequenceHead(LABELS, True, weights, smoothing)
    expected = functional.binary_cross_entropy_with_logits(
        logits,
        torch.where(targets == 1, 1 - smoothing / 2, smoothing / 2),
        pos_weight=None if weights is None else torch.tensor(weights),
    )
    assert mean(head, logits, targets) == pytest.approx(float(expected), rel=1e-5, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(batches(multi_label=False), st.sampled_from([None, WEIGHTS]), st.integers(0, 12))
def test_sums_and_counts_of_parts_add_up(
    batch: tuple[torch.Tensor, torch.Tensor], weights: tuple[float, ...] | None, cut: int
) -> None:
    """So that a batch may be cut anywhere without changing the loss of the step."""
    logits, targets = batch
    head = SequenceHead(LABELS, False, weights)
    parts = [
        (float(head.loss(SimpleNamespace(logits=x), y)), head.count(y))
        for x, y in ((logits[:cut], targets[:cut]), (logits[cut:], targets[cut:]))
        if len(y)
    ]
    sums, counts = (sum(column) for column in zip(*parts, strict=True))
    assert sums / counts == pytest.approx(mean(head, logits, targets), rel=1e-4, abs=1e-6)


def test_the_loss_of_half_precision_logits_is_computed_in_float32() -> None:
    logits = torch.tensor([[20.0, -20.0, 0.0]], dtype=torch.bfloat16)
    loss = SequenceHead(LABELS).loss(SimpleNamespace(logits=logits), torch.tensor([1]))
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(40.0)


def padded() -> dict[str, torch.Tensor]:
    longest = max(map(len, ROWS))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in ROWS])
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_loss_is_that_of_transformers(tiny: Path, multi_label: bool) -> None:
    """The model's own loss for ``labels=``, which reads the problem type from the config."""
    head = SequenceHead(LABELS, multi_label)
    targets = (
        [[1.0, 0.0, 1.0], [0.0] * 3, [1.0] * 3, [0.0, 1.0, 0.0]] if multi_label else [0, 2, 1, 2]
    )
    labels = head.targets(
        [Encoded(ids, [], 0, target=t) for ids, t in zip(ROWS, targets, strict=True)], length=6
    )
    model = head.build(tiny).eval()
    with torch.no_grad():
        output = model(**padded(), labels=labels)
    assert mean(head, output.logits, labels) == pytest.approx(float(output.loss), rel=1e-6)


@pytest.mark.parametrize("length", [7, None])
def test_targets_have_the_type_the_loss_needs(length: int | None) -> None:
    """One per sequence, whatever the length of the batch."""
    single = [Encoded([2, 3], [], i, target=i) for i in range(3)]
    found = SequenceHead(LABELS).targets(single, length=length)
    assert (found.tolist(), found.dtype) == ([0, 1, 2], torch.int64)
    several = [Encoded([2, 3], [], 0, target=[0.0, 1.0, 1.0])] * 2
    hot = SequenceHead(LABELS, multi_label=True).targets(several, length=length)
    assert (hot.tolist(), hot.dtype) == ([[0.0, 1.0, 1.0]] * 2, torch.float32)


def test_logits_are_split_by_sequence() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=torch.bfloat16)
    batch: Any = SimpleNamespace(lengths=[2, 2])
    rows = SequenceHead(LABELS).split(SimpleNamespace(logits=logits), batch)
    assert [row.tolist() for row in rows] == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert {row.dtype for row in rows} == {np.dtype("float32")}


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_saved_model_is_a_plain_folder_of_transformers(
    tiny: Path, tmp_path: Path, multi_label: bool
) -> None:
    """Label names, problem type and logits come back without a line of ours."""
    model = SequenceHead(("나쁨", "보통", "좋음"), multi_label).build(tiny).eval()
    model.save_pretrained(tmp_path)
    found = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert type(found) is BertForSequenceClassification
    assert found.config.id2label == {0: "나쁨", 1: "보통", 2: "좋음"}
    assert found.config.label2id == {"나쁨": 0, "보통": 1, "좋음": 2}
    assert (
        found.config.problem_type == f"{'multi' if multi_label else 'single'}_label_classification"
    )
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    with torch.no_grad():
        assert torch.equal(found.eval()(**padded()).logits, model(**padded()).logits)


def test_the_encoder_keeps_its_weights(tiny: Path) -> None:
    saved = load_file(tiny / "model.safetensors")
    built = SequenceHead(LABELS).build(tiny).base_model.state_dict()
    assert saved.keys() == built.keys()
    assert all(torch.equal(built[name], tensor) for name, tensor in saved.items())


def test_new_weights_follow_the_seed(tiny: Path) -> None:
    def classifier(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return SequenceHead(LABELS).build(tiny).classifier.weight

    assert torch.equal(classifier(1), classifier(1))
    assert not torch.equal(classifier(1), classifier(2))


def test_a_head_of_other_labels_is_replaced(tiny: Path, tmp_path: Path) -> None:
    """A classifier of another size starts anew; the encoder under it stays."""
    first = SequenceHead(LABELS).build(tiny)
    first.save_pretrained(tmp_path)
    second = SequenceHead(("no", "yes")).build(tmp_path)
    assert second.classifier.out_features == 2
    assert second.config.id2label == {0: "no", 1: "yes"}
    for name, tensor in first.base_model.state_dict().items():
        assert torch.equal(second.base_model.state_dict()[name], tensor)
