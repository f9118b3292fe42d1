"""pretrain: text files in, a run directory out whose best/ is a pre-trained encoder.

    corpus -> [vocabulary -> RUN-start/, an untrained BERT] -> recipe ``pretrain`` -> train

Training itself is ``train``'s, with the task ``pretraining``: ``bertft train --resume RUN`` goes on
with it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bertft.commands.train import TrainResult, train
from bertft.encoder.fresh import Shape, make_encoder
from bertft.errors import RecipeError
from bertft.jobs.prepare import Read, read_splits
from bertft.jobs.pretraining import RECIPE, PretrainRequest, train_request
from bertft.jobs.request import read_recipe
from bertft.loaders.hub import hub_is_off
from bertft.rows import joined
from bertft.runs.folder import free_run_folder
from bertft.settings import Recipe
from bertft.tasks.pretraining import from_options
from bertft.training.folders import replace_folder
from bertft.watch import Recorder, Silent, Watch


def pretrain(request: PretrainRequest, *, watch: Watch | None = None) -> TrainResult | None:
    """Pre-train; returns None for a dry run.

    Raises:
        BertftError: as ``train``; also a corpus that is too small for a vocabulary.
        Interrupted: as ``train``.
    """
    watch = Recorder(watch or Silent())  # what is noted here goes into the run's journal, too
    run = free_run_folder(request.out, recipe=RECIPE)
    asked = train_request(request, out=str(run))
    if request.model:
        return train(asked, watch=watch)
    recipe = read_recipe(asked)
    with hub_is_off(off=request.offline), _start_folder(run, dry_run=request.dry_run) as start:
        read = read_splits(from_options(recipe.task), recipe, watch=watch)
        _make_start(start, request, recipe, read, watch=watch)
        return train(replace(asked, model=str(start)), watch=watch, read=read)


@contextmanager
def _start_folder(run: Path, *, dry_run: bool) -> Iterator[Path]:
    """Where the untrained encoder is put: beside the run; nowhere that lasts for a dry run.

    It is taken away again when no run comes of it.
    """
    if dry_run:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder) / f"{run.name}-start"
        return
    start = run.with_name(f"{run.name}-start")
    if start.exists():
        hint = "choose another --out, or remove it"
        raise RecipeError(f"{start} exists already (an untrained encoder)", hint=hint)
    try:
        yield start
    finally:
        if not run.exists():
            shutil.rmtree(start, ignore_errors=True)


def _make_start(
    start: Path, request: PretrainRequest, recipe: Recipe, read: Read, *, watch: Watch
) -> None:
    """An untrained BERT, its vocabulary learned from what is trained on: nothing held out."""
    splits, own = read.splits, [read.splits["train"]]
    if "dev" in splits and "dev" not in read.files:
        own.append(splits["dev"])
    task = from_options(recipe.task).learn_labels(joined(own), path=recipe.data.train)
    shape = Shape(
        request.size,
        request.vocabulary,
        lower_case=request.lower_case,
        pairs=task.pairs,
        counted=request.counted,
    )

    def write(folder: Path) -> None:
        made = make_encoder(
            folder,
            [text for one in splits["train"] for text in one.texts],
            shape=shape,
            seed=recipe.training.seed,
            max_length=recipe.model.max_length,
        )
        if (size := made.vocabulary) < request.vocabulary:
            watch.note(f"the corpus gives a vocabulary of {size:,}, not {request.vocabulary:,}")
        if request.counted and not made.counted:
            watch.note("word embeddings start random: there are too few words to count")

    try:
        start.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"{start} cannot be created ({error.strerror})"
        raise RecipeError(what, hint="choose another --out") from None
    replace_folder(start, write)
    watch.note(f"an untrained BERT ({request.size}) with a vocabulary of the corpus: {start}")
