"""What a run writes while it trains: last/ (and the checkpoints before it) and best/."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bertft.contracts import Ranking
from bertft.encoder.sentence import write_rule
from bertft.evaluation.reliability import dev_content
from bertft.jobs.prepare import Job
from bertft.runs.stored import CALIBRATION, CARD
from bertft.runs.writing import write_json
from bertft.settings import Recipe
from bertft.training import loop, processes, sharding
from bertft.training.adapters import adapters_in, plain_weights, save_adapters
from bertft.training.checkpoint import State, save_state, take_state, take_weights
from bertft.training.folders import replace_folder
from bertft.training.progress import Progress

Describe = Callable[[Mapping[str, Any], Recipe], str]
"""The card (bertft.json) and the recipe of a saved model -> its README.md."""

ADAPTERS = "adapter"
"""Folder in best/ with what LoRA learned, in the form of peft."""
AUTOMATIC = 300.0
"""Seconds between checkpoints where the recipe does not set steps."""
SHARE = 0.02
"""At most this share of the time goes into such checkpoints."""


def state_saver(
    job: Job, trainer: loop.Trainer, run: Path, *, progress: Progress
) -> Callable[[], None]:
    """A function that writes ``last/``, which all processes call at the same time."""

    def save() -> None:
        state = state_of(trainer)
        if processes.is_main():
            write_state(job, state, run, progress=progress)

    return save


def state_of(trainer: loop.Trainer) -> State:
    """What training goes on from; all processes call this at the same time."""
    accelerator = trainer.accelerator
    model = accelerator.unwrap_model(trainer.model)
    fitted = bool(trainer.before_scores)
    return take_state(model, trainer.optimizer, scaler=accelerator.scaler, whole=fitted)


def write_state(job: Job, state: State, run: Path, *, progress: Progress) -> None:
    """Write ``last/``; the checkpoints before it become ``last-1/`` and so on."""
    depends = {
        "recipe": job.recipe.resolved(),
        "environment": job.environment,
        "best": (run / "best").is_dir(),
    }

    def write(folder: Path) -> None:
        save_state(folder, state, progress=progress, depends=depends)

    replace_folder(run / "last", write, keep=job.recipe.training.keep_checkpoints)


class SaveClock:
    """Says when a checkpoint is due between evaluations, and calls ``save``."""

    def __init__(self, save: Callable[[], None], *, step: int, every: int) -> None:
        self._save, self._every = save, every
        self._step, self._cost = step, 0.0
        self._saved_at = time.perf_counter()
        self.is_agreed = False
        """Whether the processes found, after the last step, that the time of any of them is up."""

    def is_due(self, step: int) -> bool:
        """After ``every`` steps, or where that is 0 after some minutes."""
        return step % self._every == 0 if self._every else self.is_agreed

    def time_is_up(self) -> bool:
        """Whether some minutes have passed, where no steps are set."""
        passed = time.perf_counter() - self._saved_at
        return not self._every and passed >= max(AUTOMATIC, self._cost / SHARE)

    def save(self, step: int) -> None:
        """Save, unless that was done after this very step."""
        if step == self._step:
            return
        started = time.perf_counter()
        self._save()
        self._step, self._saved_at = step, time.perf_counter()
        self._cost = self._saved_at - started


def save_best(
    job: Job,
    trainer: loop.Trainer,
    run: Path,
    *,
    step: int,
    scores: dict[str, float] | None,
    describe: Describe,
) -> None:
    """Write ``best/``: a plain Hugging Face folder plus bertft.json, a model card and, where there
    is a dev set and answers have probabilities, calibration.json; of LoRA, its adapters.

    ``card_text`` gives the model card's text from what bertft.json says.
    All processes call this at the same time.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    weights = take_weights(model) if sharding.is_sharded(model) else plain_weights(model)
    if not processes.is_main():
        return
    card = {
        "task": job.recipe.task,
        "labels": list(job.task.labels),
        "learned": job.task.learned,
        "max_length": job.recipe.model.max_length,
        "recipe": job.name,
        "recipe_hash": job.recipe.hash(),
        "encoder": {"name": job.encoder.name, "revision": job.encoder.revision},
        "step": step,
        "dev_scores": scores,
    }

    def write(folder: Path) -> None:
        model.save_pretrained(folder, state_dict=weights)
        job.encoder.tokenizer.save_pretrained(folder)
        if adapters_in(model):
            name, revision = job.encoder.name, job.encoder.revision
            save_adapters(model, folder / ADAPTERS, base=name, revision=revision)
        if isinstance(job.task, Ranking):
            rule = job.task.rule(max_length=job.recipe.model.max_length)
            write_rule(folder, rule, width=model.config.hidden_size)
        write_json(folder / CARD, card)
        if job.dev is not None:
            write_json(folder / CALIBRATION, dev_content(job.dev, job.task.scaling))
        (folder / "README.md").write_text(describe(card, job.recipe), encoding="utf-8")

    replace_folder(run / "best", write)
