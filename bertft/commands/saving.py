"""What a run writes while it trains: last/ (and the checkpoints before it) and best/."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bertft.commands import run_folder
from bertft.commands.model_card import model_card
from bertft.commands.prepare import Job
from bertft.contracts import Progress
from bertft.training import loop
from bertft.training.checkpoint import replace_folder, save_state

AUTOMATIC = 300.0
"""Seconds between checkpoints where the recipe does not set steps."""
SHARE = 0.02
"""At most this share of the time goes into such checkpoints."""


def state_saver(
    job: Job, trainer: loop.Trainer, run: Path, *, progress: Progress
) -> Callable[[], None]:
    """A function that writes ``last/``; the checkpoints before it become ``last-1/`` and so on."""

    def write(folder: Path) -> None:
        model = trainer.accelerator.unwrap_model(trainer.model)
        depends = {
            "recipe": job.recipe.resolved(),
            "environment": job.environment,
            "best": (run / "best").is_dir(),
        }
        save_state(
            folder,
            model,
            trainer.optimizer,
            progress=progress,
            depends=depends,
            scaler=trainer.accelerator.scaler,
        )

    def save() -> None:
        if trainer.accelerator.is_main_process:
            replace_folder(run / "last", write, keep=job.recipe.training.keep_checkpoints)

    return save


class SaveClock:
    """Says when a checkpoint is due between evaluations, and calls ``save``."""

    def __init__(self, save: Callable[[], None], *, step: int, every: int) -> None:
        self._save, self._every = save, every
        self._step, self._cost = step, 0.0
        self._saved_at = time.perf_counter()

    def is_due(self, step: int) -> bool:
        """After ``every`` steps, or where that is 0 after some minutes."""
        if self._every:
            return step % self._every == 0
        passed = time.perf_counter() - self._saved_at
        return passed >= max(AUTOMATIC, self._cost / SHARE)

    def save(self, step: int) -> None:
        """Save, unless that was done after this very step."""
        if step == self._step:
            return
        started = time.perf_counter()
        self._save()
        self._step, self._saved_at = step, time.perf_counter()
        self._cost = self._saved_at - started


def save_best(
    job: Job, trainer: loop.Trainer, run: Path, *, step: int, scores: dict[str, float] | None
) -> None:
    """Write ``best/``: a plain Hugging Face folder plus bertft.json and a model card."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not trainer.accelerator.is_main_process:
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
        model.save_pretrained(folder)
        job.encoder.tokenizer.save_pretrained(folder)
        run_folder.write_json(folder / run_folder.CARD, card)
        (folder / "README.md").write_text(model_card(card, job.recipe), encoding="utf-8")

    replace_folder(run / "best", write)
