"""A static model as a run has it: its weights and a task go in, the files that answer come out.

They are those of an export, whose engine is numpy (engines/on_static.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bertft.encoder.bare import write_backend
from bertft.encoder.pieces import pieces_of
from bertft.encoder.static import inverse_frequency, principal, token_vectors
from bertft.engines.on_static import FILE, StaticWeights, open_static
from bertft.evaluation.reliability import dev_content
from bertft.jobs.static import Advance, Taught, learn_static
from bertft.loaders.reading import hold_out, read_examples
from bertft.prediction.exporting import files_in, tokenizer_facts
from bertft.prediction.foreign import knows_jamo
from bertft.prediction.predictor import Predictor
from bertft.runs.exported import EXPORT, FORMAT
from bertft.runs.stored import CALIBRATION, CARD
from bertft.runs.writing import write_json
from bertft.settings import DataSettings, Recipe, StaticSettings
from bertft.tasks import make_task
from bertft.tasks.classification import Classification
from bertft.watch import Watch
from bertft.words import counted

HELD_OUT = 0.1
"""Share of the texts by which learning is stopped."""


def make_static(
    teacher: Predictor,
    recipe: Recipe,
    soft: Path,
    folder: Path,
    *,
    settings: StaticSettings,
    seed: int,
    name: str,
    watch: Watch,
) -> None:
    """Learn from texts with the teacher's probabilities, and write what answers into ``folder``.

    ``recipe`` is the teacher's, ``name`` that of its run.
    """
    scope = teacher.task.learned.get("out_of_scope")
    learned = {} if scope is None else {"out_of_scope": {"label": scope["label"]}}
    task = make_task(recipe.task).bind(teacher.task.labels, learned)
    assert isinstance(task, Classification)
    examples = read_examples(task, str(soft), DataSettings(), watch=watch)
    train, dev = hold_out(examples, share=HELD_OUT, seed=seed)
    held = dev
    if recipe.data.dev:
        dev = read_examples(task, recipe.data.dev, recipe.data, watch=watch)
        task.check(dev, path=recipe.data.dev)
    else:
        watch.note(
            "the teacher's recipe has no dev file: its own labels of held-out texts calibrate"
        )
    texts = counted(len(train), "text")
    watch.note(f"vectors of the teacher's tokens are made, then {texts} teach")
    advance = partial(_advance, watch, what="tokens")
    vectors = token_vectors(teacher.folder, teacher.tokenizer, advance=advance)
    weights = _learned(
        teacher,
        task,
        vectors,
        train=train,
        held=held,
        settings=settings,
        seed=seed,
        advance=partial(_advance, watch, what="epochs"),
    )
    write_static(weights, teacher, task, dev, folder, name=name)


def _advance(watch: Watch, done: int, total: int, *, what: str) -> None:
    watch.advance(done, None, total=total, what=what)


def _learned(
    teacher: Predictor,
    task: Classification,
    vectors: Any,
    *,
    train: Sequence[Any],
    held: Sequence[Any],
    settings: StaticSettings,
    seed: int,
    advance: Advance,
) -> StaticWeights:
    """What is learned from the teacher's probabilities, which are the gold of ``train`` and
    ``held``; ``vectors`` [V, H] are those of its tokens."""
    taught, kept = (_taught(task, teacher, examples) for examples in (train, held))
    counts = np.zeros(len(vectors))
    for one in taught.encoded:
        np.add.at(counts, np.asarray(one.input_ids), 1)
    return learn_static(
        principal(vectors, dimensions=settings.dimensions),
        inverse_frequency(counts),
        taught,
        kept,
        settings=settings,
        several=bool(task.options.multi_label),
        seed=seed,
        advance=advance,
    )


def _taught(task: Classification, teacher: Predictor, examples: Sequence[Any]) -> Taught:
    encoded = task.encode(examples, teacher.tokenizer, max_length=teacher.max_length)
    return Taught(encoded, np.array([one.target for one in encoded], dtype=np.float32))


def write_static(
    weights: StaticWeights,
    teacher: Predictor,
    task: Classification,
    dev: Sequence[Any],
    folder: Path,
    *,
    name: str,
) -> None:
    """Fill ``folder`` with all that answers; ``dev`` has gold, by which answers are calibrated.

    ``name`` is that of the teacher's run.
    """
    weights.save(folder / FILE)
    engine = open_static(folder / FILE)  # as rounded as it will answer
    encoded = task.encode(dev, teacher.tokenizer, max_length=teacher.max_length)
    pieces = pieces_of(len(dev), encoded, engine.logits(encoded))
    task = task.fit(dev, pieces)
    answers = task.answers(dev, pieces)
    golds = [task.gold(*one) for one in zip(dev, answers, pieces, strict=True)]
    evidence = task.evidence(answers, golds)
    if evidence is not None:
        write_json(folder / CALIBRATION, dev_content(evidence, task.scaling))
    card = {key: teacher.card[key] for key in ("task", "labels", "max_length")}
    card |= {"learned": task.learned, "recipe": teacher.card.get("recipe", "")}
    write_json(folder / CARD, card)
    write_backend(teacher.tokenizer, folder / "tokenizer.json")
    content = {
        "format": FORMAT,
        "engine": "static",
        "model": FILE,
        "precision": "fp32",
        "per_token": False,
        "inputs": ["input_ids"],
        "tokenizer": tokenizer_facts(teacher.tokenizer),
        "decomposed_hangul": knows_jamo(teacher.folder),
        "run": {"name": name, "recipe_hash": teacher.card.get("recipe_hash", "")},
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": {one: version(one) for one in ("bertft", "numpy", "tokenizers")},
        "files": files_in(folder),
    }
    write_json(folder / EXPORT, content)
