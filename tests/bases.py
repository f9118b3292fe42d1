"""A tiny run of each kind of task, which has learned a few rows by heart."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from samples import FAST

from bertft.commands.train import train
from bertft.jobs.request import TrainRequest

ROWS: dict[str, list[dict[str, Any]]] = {
    "classification": [
        {"text": "a good film", "label": "good"},
        {"text": "i love it", "label": "good"},
        {"text": "a bad film", "label": "bad"},
        {"text": "i hate it", "label": "bad"},
        {"text": "it was a film", "label": "fair"},
        {"text": "we see the food", "label": "fair"},
    ],
    "multi-label": [
        {"text": "a good film", "label": ["good", "film"]},
        {"text": "a bad film", "label": ["bad", "film"]},
        {"text": "very good food", "label": ["good"]},
        {"text": "very bad food", "label": ["bad"]},
        {"text": "a film", "label": ["film"]},
    ],
    "nli": [
        {"premise": "a good film", "hypothesis": "a film", "label": "entailment"},
        {"premise": "i love it", "hypothesis": "we love", "label": "entailment"},
        {"premise": "it is good", "hypothesis": "it is bad", "label": "contradiction"},
        {"premise": "i hate it", "hypothesis": "i love it", "label": "contradiction"},
        {"premise": "the plot", "hypothesis": "the food is fun", "label": "neutral"},
        {"premise": "no film", "hypothesis": "the food is slow", "label": "neutral"},
    ],
    "ner": [
        {"tokens": ["the", "good", "film"], "ner_tags": ["O", "B-WORK", "I-WORK"]},
        {"tokens": ["we", "love", "food"], "ner_tags": ["O", "O", "B-FOOD"]},
        {"tokens": ["the", "slow", "movie"], "ner_tags": ["O", "B-WORK", "I-WORK"]},
        {"tokens": ["great", "food"], "ner_tags": ["O", "B-FOOD"]},
    ],
    "regression": [
        {"text": "a good film", "label": 4.5},
        {"text": "i love it", "label": 5.0},
        {"text": "a bad film", "label": 0.5},
        {"text": "i hate it", "label": 0.0},
        {"text": "it was a film", "label": 2.5},
    ],
    "qa": [
        {
            "question": "is it good",
            "context": context,
            "answers": [{"text": "good", "answer_start": context.index("good")}],
        }
        for context in ("the film is good", "very good food", "we love the good plot")
    ],
}
SETTINGS = {
    "multi-label": ["task.multi_label=true"],
    "regression": ["task.regression=true"],
    "ner": ["task.window_overlap=4"],
    "qa": ["task.window_overlap=4"],
}
RECIPES = {"ner": "ner", "nli": "nli", "qa": "qa"}
PLAIN = ("training.epochs=20", "training.batch_size=4", "training.layer_decay=1.0")


def write(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def request(kind: str, data: str, model: Path, out: Path, *settings: str) -> TrainRequest:
    return TrainRequest(
        recipe=RECIPES.get(kind, "sentiment"),
        overrides=(*FAST, *PLAIN, *SETTINGS.get(kind, ()), *settings),
        train=data,
        dev=data,
        model=str(model),
        out=str(out),
    )


@pytest.fixture(scope="session")
def bases(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each task that has learned its few rows; processes of one test run share them."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "bases"
    folder.mkdir(exist_ok=True)
    found = {kind: folder / kind / "run" for kind in ROWS}
    with FileLock(folder / "lock"):
        for kind, run in found.items():
            if not run.exists():
                run.parent.mkdir()
                data = write(run.parent / "data.jsonl", ROWS[kind])
                assert train(request(kind, data, tiny, run)) is not None
    return found
