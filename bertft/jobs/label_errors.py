"""Labels of training data that are probably wrong: a recipe in, rows to be reviewed out.

recipe -> Job of all its training rows -> held-out logits (folds.py) -> Suspects -> rows
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bertft.evaluation.label_quality import check_installed
from bertft.jobs.folds import held_out_pieces
from bertft.jobs.prepare import prepare
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.tasks import make_task
from bertft.tasks.review import review_rows
from bertft.tasks.suspects import find_suspects, refuse_others
from bertft.watch import Silent, Watch

FOLDS = 5


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """``rows`` of the review file (tasks/review.py), the most doubtful first."""

    examples: int
    rows: list[dict[str, Any]]

    def content(self, out: str) -> dict[str, Any]:
        """As JSON; ``out`` is the review file."""
        return {"label_errors": {"rows": self.examples, "file": out, "suspects": self.rows}}


def find_label_errors(request: TrainRequest, *, watch: Watch) -> LabelErrors:
    """Train on four fifths of the training rows, and doubt the labels of the rest; five times.

    No row is held out as dev set: all of them are looked at, and nothing is chosen on them.

    Raises:
        BertftError: the recipe, its data or its encoder is at fault.
    """
    recipe = read_recipe(request)
    refuse_others(make_task(recipe.task), "--labels")
    check_installed()
    whole = {"dev": "", "test": "", "dev_share": 0.0, "train_share": 1.0}
    data = recipe.data.model_copy(update=whole)
    training = recipe.training.model_copy(update={"keep": "last"})
    recipe = recipe.model_copy(update={"data": data, "training": training})
    job = prepare(recipe, request, watch=Silent())  # ``check`` has told of the data
    examples = job.splits["train"]
    learns = "a head is" if recipe.training.mode == "features" else "the encoder is"
    told = f"{len(examples):,} labelled rows in {FOLDS} parts: {learns} trained on the others"
    watch.note(f"{told} of each ({job.encoder.name})")
    pieces = held_out_pieces(job, count=FOLDS, watch=watch)
    return LabelErrors(
        len(examples), review_rows(examples, find_suspects(job.task, examples, pieces))
    )
