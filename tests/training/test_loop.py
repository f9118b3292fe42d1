"""One optimizer step: accumulation, the loss, clipping, and what happens to a loss that is NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.optimizer import register_optimizer_step_pre_hook
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from bertft.errors import TrainingError
from bertft.training import loop
from bertft.training.progress import Progress
from bertft.watch import StepReport

Start = Callable[..., SimpleNamespace]
STILL = "training.learning_rate=1e-30"


def steps(started: SimpleNamespace, *, progress: Progress | None = None) -> list[StepReport]:
    return list(loop.run(started.trainer, progress=progress or Progress(), evaluate=None))


def weights_of(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def plain_twin(started: SimpleNamespace, folder: Path) -> PreTrainedModel:
    """The same weights as transformers alone would use them, without dropout."""
    started.model.save_pretrained(folder)
    return AutoModelForSequenceClassification.from_pretrained(folder)


def logits_of(model: PreTrainedModel, started: SimpleNamespace) -> tuple[Tensor, Tensor]:
    """Logits and targets of all training examples, one forward pass each."""
    encoded = started.job.encoded["train"]
    rows = [model(torch.tensor([one.input_ids])).logits[0] for one in encoded]
    return torch.stack(rows), torch.tensor([one.target for one in encoded])


@contextmanager
def gradient_norms() -> Iterator[list[float]]:
    """The norm of all gradients at each optimizer step, as the optimizer sees them."""
    norms: list[float] = []

    def note(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        total = sum(float(p.grad.pow(2).sum()) for p in parameters if p.grad is not None)
        norms.append(math.sqrt(total))

    handle = register_optimizer_step_pre_hook(note)
    try:
        yield norms
    finally:
        handle.remove()


@pytest.mark.parametrize(("batch", "accumulation"), [(1, 6), (2, 3), (3, 2), (5, 2)])
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_accumulated_batches_are_one_large_batch(
    start: Start, batch: int, accumulation: int, weights: str
) -> None:
    """Same losses, norms and weights, also where the epoch's last step is a smaller one."""
    common = (f"task.class_weights={weights}", "training.learning_rate=0.01", "training.epochs=2")
    large = start(f"training.batch_size={batch * accumulation}", *common)
    small = start(
        f"training.batch_size={batch}", f"training.gradient_accumulation={accumulation}", *common
    )
    ones, others = steps(large), steps(small)
    for one, other in zip(ones, others, strict=True):
        assert (other.examples, other.tokens) == (one.examples, one.tokens)
        assert other.loss == pytest.approx(one.loss, rel=1e-5)
        assert other.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-4)
    for name, tensor in large.model.state_dict().items():
        # Adam divides by the gradient's size, so that rounding grows where it is almost zero.
        torch.testing.assert_close(
            small.model.state_dict()[name], tensor, rtol=1e-3, atol=1e-4, msg=name
        )


@pytest.mark.parametrize("weights", ["none", "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("accumulation", [1, 5])
def test_the_loss_of_a_step_is_the_weighted_mean(
    start: Start, tmp_path: Path, weights: str, smoothing: float, accumulation: int
) -> None:
    started = start(
        f"task.class_weights={weights}",
        f"task.label_smoothing={smoothing}",
        f"training.batch_size={12 // accumulation + 1}",
        f"training.gradient_accumulation={accumulation}",
    )
    logits, targets = logits_of(plain_twin(started, tmp_path / "plain"), started)
    counts = torch.bincount(targets).float()
    expected = functional.cross_entropy(
        logits,
        targets,
        weight=len(targets) / (2 * counts) if weights == "balanced" else None,
        label_smoothing=smoothing,
    )
    (report,) = steps(started)
    assert report.examples == 12
    assert report.tokens == sum(len(one) for one in started.job.encoded["train"])
    assert report.loss == pytest.approx(float(expected.detach()), rel=1e-5)


def test_every_example_counts_the_same_in_an_epoch(start: Start, tmp_path: Path) -> None:
    """Steps of 5, 5 and 2 examples: their losses are means over exactly these."""
    started = start("training.batch_size=5", STILL)
    logits, targets = logits_of(plain_twin(started, tmp_path / "plain"), started)
    reports = steps(started)
    assert [report.examples for report in reports] == [5, 5, 2]
    total = sum(report.loss * report.examples for report in reports)
    expected = functional.cross_entropy(logits, targets, reduction="sum")
    assert total == pytest.approx(float(expected.detach()), rel=1e-5)


def test_the_gradient_is_that_of_torch(start: Start, tmp_path: Path) -> None:
    """The norm that is reported is that of the mean loss's gradient, before clipping."""
    started = start("training.batch_size=4", "training.gradient_accumulation=3")
    twin = plain_twin(started, tmp_path / "plain")
    functional.cross_entropy(*logits_of(twin, started)).backward()
    norm = torch.stack([p.grad.norm() for p in twin.parameters()]).norm()
    assert steps(started)[0].gradient_norm == pytest.approx(float(norm), rel=1e-4)


@pytest.mark.parametrize("bound", [0.001, 0.01, 0.5])
def test_clipping_bounds_the_gradient(start: Start, bound: float) -> None:
    started = start(f"training.max_gradient_norm={bound}", "training.batch_size=4")
    with gradient_norms() as seen:
        reports = steps(started)
    assert max(report.gradient_norm for report in reports) > bound
    assert max(seen) <= bound
    expected = [min(bound, report.gradient_norm) for report in reports]
    assert seen == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("bound", [0, 1000])
def test_gradients_within_the_bound_are_untouched(start: Start, bound: float) -> None:
    started = start(f"training.max_gradient_norm={bound}", "training.batch_size=4")
    with gradient_norms() as seen:
        reports = steps(started)
    assert seen == [pytest.approx(report.gradient_norm, rel=1e-5) for report in reports]
    assert min(seen) > 0


def poison(started: SimpleNamespace, word: str) -> str:
    """Make the word's embedding infinite; the id of the one example that holds it."""
    number = started.job.encoder.tokenizer.convert_tokens_to_ids(word)
    with torch.no_grad():
        started.model.get_input_embeddings().weight[number] = math.inf
    found = [one for one in started.job.encoded["train"] if number in one.input_ids]
    (index,) = {one.example for one in found}
    return str(started.job.splits["train"][index].id)


@pytest.mark.parametrize("word", ["7", "happy", "movie"])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 4), (4, 1)])
def test_a_loss_that_is_no_number_names_step_and_examples(
    start: Start, word: str, sizes: tuple[int, int]
) -> None:
    """The step that meets it raises, whichever of its batches it is, and changes no weight."""
    rows = [("a good film", "good"), ("happy", "good"), ("the bad movie was slow", "bad")]
    rows += [("very good fun", "good"), ("no plot at 7", "bad"), ("i love it", "good")]
    started = start(
        f"training.batch_size={sizes[0]}",
        f"training.gradient_accumulation={sizes[1]}",
        "training.learning_rate=1e-4",
        rows=rows,
    )
    name = poison(started, word)
    progress, taken = Progress(), 0
    before = weights_of(started.model)
    with pytest.raises(TrainingError) as caught:  # noqa: PT012 - the loop is what raises
        for report in loop.run(started.trainer, progress=progress, evaluate=None):
            taken = report.step
            before = weights_of(started.model)
    assert f"at step {taken + 1} " in str(caught.value)
    named = str(caught.value).split("examples ")[1].split(")")[0].split(", ")
    assert name in named
    assert len(named) <= sizes[0]
    assert progress.step == taken
    for key, tensor in started.model.state_dict().items():
        assert torch.equal(tensor.view(torch.int32), before[key].view(torch.int32)), key


def test_a_gradient_that_is_no_number_reaches_no_weight(start: Start) -> None:
    """The loss may be finite where its gradient is not, in half precision above all."""
    started = start("training.batch_size=12")
    started.model.classifier.bias.register_hook(lambda gradient: gradient * math.nan)
    before = weights_of(started.model)
    with pytest.raises(TrainingError):
        steps(started)
    assert all(before[name].equal(tensor) for name, tensor in started.model.state_dict().items())


def test_the_same_seed_gives_the_same_weights(start: Start, tiny: Path) -> None:
    """With dropout, and bit for bit; another seed gives others."""
    settings = ("training.batch_size=4", "training.epochs=2")
    runs = []
    for seed in (3, 3, 4):
        started = start(*settings, f"training.seed={seed}", model=tiny)
        steps(started)
        runs.append(weights_of(started.model))
    assert all(runs[0][name].equal(tensor) for name, tensor in runs[1].items())
    assert not all(runs[0][name].equal(tensor) for name, tensor in runs[2].items())


def test_the_rate_follows_the_schedule(start: Start) -> None:
    started = start(
        "training.batch_size=2",
        "training.epochs=2",
        "training.warmup=0.25",
        "training.learning_rate=1.2",
        "training.max_gradient_norm=1e-9",
    )
    rates = [report.learning_rate for report in steps(started)]
    rising = [0.4, 0.8, 1.2]
    assert rates == pytest.approx([*rising, *(1.2 * left / 9 for left in range(9, 0, -1))])
