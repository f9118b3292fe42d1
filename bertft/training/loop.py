"""The one training loop: a generator that takes optimizer steps and yields a StepReport after each.

It neither prints nor saves; its readers (journal, checkpoints, console) do. The loss of a step is
the summed loss of its batches divided by their summed count, so that accumulating gradients over
several batches, or several processes, gives the gradient of one large batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from bertft.contracts import Batch, Batcher, Encoded, Head, Vary
from bertft.encoder.lookup import Lookup
from bertft.errors import TrainingError
from bertft.evaluation.statistic import is_better
from bertft.settings import TrainingSettings
from bertft.training import processes, sharding
from bertft.training.optimizer import rate_share, set_learning_rate
from bertft.training.plan import Plan
from bertft.training.progress import Progress
from bertft.watch import StepReport

Evaluate = Callable[[], dict[str, float]]


@dataclass(slots=True)
class Trainer:
    """Everything the loop works on. ``ids`` name the example of each Encoded in error messages."""

    model: torch.nn.Module
    head: Head
    encoded: Sequence[Encoded]
    ids: Sequence[str]
    batcher: Batcher
    plan: Plan
    settings: TrainingSettings
    optimizer: Any
    accelerator: Accelerator
    metric: str
    tables: Sequence[Lookup] = ()
    """Those whose gradients are rows, which no parameter has."""
    after_backward: Sequence[Callable[[], None]] = ()
    """Called when the gradients of a step are complete, before they are clipped."""
    vary: Vary | None = None
    """What the model is shown of an Encoded, where that is another thing in each epoch."""
    part: torch.nn.Module | None = None
    """The part of the model that a step calls, and whose output the loss is of; None: all of it."""
    before_scores: Sequence[Callable[[], None]] = ()
    """Called before the weights are scored, and before they are kept at the end."""
    kept_layers: int = 0
    """How many of the lowest layers the model can be given the states of."""

    def shown(
        self, indices: Sequence[int], *, epoch: int
    ) -> Sequence[Encoded] | Mapping[int, Encoded]:
        """The Encoded of some indices, by index, as they are in an epoch."""
        if self.vary is None:
            return self.encoded
        return {i: self.vary(self.encoded[i], epoch, i) for i in indices}


def run(trainer: Trainer, *, progress: Progress, evaluate: Evaluate | None) -> Iterator[StepReport]:
    """Take all steps that are left; ``progress`` is up to date whenever a report is yielded.

    Raises:
        TrainingError: the loss is NaN or infinite; nothing of that step reaches the weights.
    """
    plan, settings = trainer.plan, trainer.settings
    if _stop_reason(progress, settings):
        return
    for epoch in range(progress.epoch, plan.epochs):
        for step in range(progress.next_step, plan.steps_per_epoch):
            started = time.perf_counter()
            figures = _optimizer_step(trainer, epoch=epoch, step=step, number=progress.step)
            seconds = time.perf_counter() - started
            ends_epoch = step + 1 == plan.steps_per_epoch
            progress.step += 1
            progress.epoch, progress.next_step = (epoch + 1, 0) if ends_epoch else (epoch, step + 1)
            every = settings.evaluate_every
            due = ends_epoch if every == 0 else progress.step % every == 0
            ends = progress.step == plan.total_steps
            if ends or (due and evaluate is not None):
                for settle in trainer.before_scores:
                    settle()
            scores = evaluate() if evaluate is not None and (due or ends) else None
            is_best = _note_scores(progress, scores, trainer.metric)
            stop = _stop_reason(progress, settings)
            is_last = ends or bool(stop)
            yield StepReport(
                epoch=epoch,
                step=progress.step,
                total_steps=plan.total_steps,
                seconds=seconds,
                scores=scores,
                is_best=is_last if settings.keep == "last" else is_best,
                is_last=is_last,
                stop_reason=stop,
                **figures,
            )
            if stop:
                return


def _note_scores(progress: Progress, scores: dict[str, float] | None, metric: str) -> bool:
    """Keep the best score; True when this is the best so far."""
    if scores is None:
        return False
    score, best = scores[metric], progress.best_score
    if best is None or is_better(metric, score, than=best):
        progress.best_score, progress.best_step = score, progress.step
        progress.evaluations_without_gain = 0
        return True
    progress.evaluations_without_gain += 1
    return False


def _stop_reason(progress: Progress, settings: TrainingSettings) -> str:
    patience = settings.early_stopping
    if patience and progress.evaluations_without_gain >= patience:
        return f"no better score in {patience} evaluations"
    return ""


def _optimizer_step(trainer: Trainer, *, epoch: int, step: int, number: int) -> dict[str, Any]:
    """One step over all its batches; the figures that a StepReport needs."""
    t, settings, accelerator = trainer, trainer.settings, trainer.accelerator
    torch.manual_seed(_noise_seed(settings.seed, step=number, process=accelerator.process_index))
    for table in t.tables:
        table.begin()
    chosen = t.plan.batches(epoch=epoch, step=step, process=accelerator.process_index)
    # All processes pass backward equally often: one without a share learns nothing from a stand-in.
    stand_in = t.plan.encoded_of(t.plan.sample(epoch=epoch, step=step)[:1])
    encoded = t.shown([*chain.from_iterable(chosen), *stand_in], epoch=epoch)
    batches = [t.batcher(encoded, one or stand_in, head=t.head) for one in chosen]
    own = [batch for batch, one in zip(batches, chosen, strict=True) if one]
    shares = _shares(t.head, batches, own=[bool(one) for one in chosen])
    rate = set_learning_rate(
        t.optimizer,
        rate_share(
            number, total=t.plan.total_steps, warmup=settings.warmup, schedule=settings.schedule
        ),
    )
    t.model.train()
    total = 0.0
    for position, batch in enumerate(batches):
        last = position + 1 == len(batches)
        share = shares if chosen[position] else torch.zeros_like(shares)
        # Gradients that wait for the last batch are whole ones: too much where weights are parts.
        at_once = last or sharding.is_sharded(t.model)
        with nullcontext() if at_once else accelerator.no_sync(t.model):
            total += _backward(trainer, batch, share=share, step=number + 1)
    for exchange in t.after_backward:
        exchange()
    gradient_norm = _clip(t, batches[-1], step=number + 1)
    t.optimizer.step()
    t.optimizer.zero_grad()
    loss, tokens = processes.summed(total, sum(batch.tokens for batch in own))
    return {
        "loss": loss,
        "learning_rate": rate,
        "gradient_norm": gradient_norm,
        "examples": len(t.plan.sample(epoch=epoch, step=step)),
        "tokens": int(tokens),
    }


def _clip(trainer: Trainer, batch: Batch, *, step: int) -> float:
    """Clip the complete gradients of a step; their norm, of all processes' parts together."""
    accelerator, most = trainer.accelerator, trainer.settings.max_gradient_norm
    rows = [table.rows()[1] for table in trainer.tables]
    norm = accelerator.clip_grad_norm_([*trainer.model.parameters(), *rows], most or math.inf)
    value = float(sharding.whole(norm)) if norm is not None else 0.0
    # With fp16 an overflow is expected now and then: the gradient scaler skips that step.
    if not math.isfinite(value) and accelerator.scaler is None:
        raise _not_finite("gradient", value, trainer, batch, step=step)
    return value


def _shares(head: Head, batches: Sequence[Batch], *, own: Sequence[bool]) -> torch.Tensor:
    """What turns the summed loss of a batch into its part of the step's, float64 [] or [P].

    A loss that nothing counts for in this step has no part in it.
    """
    counts = [
        torch.as_tensor(head.count(_gold(batch)), dtype=torch.float64) * counted
        for batch, counted in zip(batches, own, strict=True)
    ]
    total = processes.summed_tensor(torch.stack(counts).sum(dim=0))
    return torch.where(total > 0, 1 / total, 0.0)


def _noise_seed(seed: int, *, step: int, process: int) -> int:
    """What dropout is drawn from: a function of the step, so that no random state is kept."""
    return int(np.random.SeedSequence([seed, step, process]).generate_state(1, np.uint64)[0])


def _backward(trainer: Trainer, batch: Batch, *, share: torch.Tensor, step: int) -> float:
    """Forward and backward of one batch; ``share`` turns its summed loss into the step's."""
    accelerator = trainer.accelerator
    with accelerator.autocast():
        output = (trainer.part or trainer.model)(**batch.on(accelerator.device))
    summed = trainer.head.loss(output, _gold(batch).to(accelerator.device))
    loss = (summed * share.to(summed.dtype).to(summed.device)).sum()
    value = float(loss.detach())
    if not math.isfinite(value):
        raise _not_finite("loss", value, trainer, batch, step=step)
    # Data-parallel training averages gradients over the processes; ours are shares of one sum.
    accelerator.backward(loss * accelerator.num_processes)
    return value


def _not_finite(
    what: str, value: float, trainer: Trainer, batch: Batch, *, step: int
) -> TrainingError:
    some = ", ".join(trainer.ids[i] for i in batch.encoded[:8])
    hint = "lower training.learning_rate, or --set training.precision=fp32"
    return TrainingError(f"the {what} is {value} at step {step} (examples {some})", hint=hint)


def _gold(batch: Batch) -> torch.Tensor:
    assert batch.targets is not None, "training needs gold"
    return batch.targets
