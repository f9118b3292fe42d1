"""Inference, entities and questions of real data sets: read in their original formats, decoded.

What a perfect model would score shows what reading, windows and decoding lose by themselves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import Command

from bertft.contracts import Encoded, FloatArray, Task
from bertft.encoder.load import load_encoder, load_tokenizer
from bertft.loaders.reading import read_examples
from bertft.recipe import load_recipe
from bertft.settings import ModelSettings
from bertft.tasks import make_task
from bertft.watch import Silent

pytestmark = pytest.mark.real

SIX_KLUE = ("DT", "LC", "OG", "PS", "QT", "TI")
FILES = [
    # recipe, file, settings, rows, labels or entity types
    ("nli", "conjnli/adversarial_train_15k.tsv", (), 15_000, 3),
    ("nli", "conjnli/conj_dev.tsv", (), 623, 3),
    ("snli", "cad-nli/train.tsv", (), 8_330, 3),
    ("snli", "cad-nli/dev.tsv", (), 1_000, 3),
    ("snli", "cad-nli/test.tsv", (), 2_000, 3),
    ("xnli-ko", "xnli-ko/xnli.dev.ko.tsv", (), 2_490, 3),
    ("xnli-ko", "xnli-ko/xnli.test.ko.tsv", (), 5_010, 3),
    ("klue-nli", "klue-nli/klue-nli-v1.1_dev.json", (), 3_000, 3),
    ("klue-sts", "klue-sts/klue-sts-v1.1_dev.json", (), 519, 0),
    ("wnut17", "wnut17/wnut17train.conll", (), 3_394, 6),
    ("wnut17", "wnut17/emerging.dev.conll", (), 1_009, 6),
    ("wnut17", "wnut17/emerging.test.annotated", (), 1_287, 6),
    ("ner", "bc5cdr/train.tsv", (), 4_560, 2),
    ("ner", "bc5cdr/devel.tsv", (), 4_581, 2),
    ("ner", "bc5cdr/test.tsv", (), 4_797, 2),
    ("klue-ner", "klue-ner/klue-ner-v1.1_dev.tsv", (), 5_000, 6),
    ("squad", "squad/train-v1.1-subset.json", (), 11_877, 0),
    ("squad", "squad/dev-v1.1.json", (), 10_570, 0),
]


@pytest.mark.parametrize(("recipe", "file", "settings", "rows", "labels"), FILES)
def test_every_row_of_the_original_files_is_read(
    shared: Path, recipe: str, file: str, settings: tuple[str, ...], rows: int, labels: int
) -> None:
    loaded = load_recipe(recipe, overrides=settings)
    task = make_task(loaded.task)
    path = str(shared / "data" / file)
    examples = read_examples(task, path, loaded.data, watch=Silent())
    task = task.learn_labels(examples, path=path)
    task.check(examples, path=path)
    assert len(examples) == rows
    assert len({one.id for one in examples}) == rows
    names = {label.removeprefix("B-").removeprefix("I-") for label in task.labels} - {"O"}
    assert len(names) == labels
    if recipe == "klue-ner":
        assert names == set(SIX_KLUE)


def perfect(
    task: Task[Any], examples: list[Any], tokenizer: Any, *, max_length: int
) -> list[list[tuple[Encoded, FloatArray]]]:
    """Windows of all examples with the logits of a model that is always right."""
    pieces: list[list[tuple[Encoded, FloatArray]]] = [[] for _ in examples]
    for one in task.encode(examples, tokenizer, max_length=max_length):
        if isinstance(one.target, tuple):
            logits = 30.0 * (np.arange(len(one))[:, None] == np.array(one.target))
        else:
            logits = 30.0 * (np.array(one.target)[:, None] == np.arange(len(task.labels)))
        pieces[one.example].append((one, logits))
    return pieces


def score(task: Task[Any], examples: list[Any], pieces: list[Any]) -> dict[str, float]:
    answers = [task.decode(*pair) for pair in zip(examples, pieces, strict=True)]
    for example, answer in zip(examples, answers, strict=True):
        for one in answer.get("entities", ()):
            assert example.text[one["start"] : one["end"]] == one["text"]
        if "answer" in answer:
            assert example.text[answer["start"] : answer["end"]] == answer["answer"]
    return task.score(examples, answers).values


@pytest.mark.parametrize("file", ["wnut17/emerging.test.annotated", "bc5cdr/test.tsv"])
def test_entities_of_words_lose_nothing(shared: Path, file: str) -> None:
    """Nearly: some emoji and other signs are no token of the encoder's vocabulary."""
    task = make_task({"name": "ner"})
    recipe = load_recipe("ner")
    examples = read_examples(task, str(shared / "data" / file), recipe.data, watch=Silent())
    task = task.learn_labels(examples, path=file)
    tokenizer = load_encoder(ModelSettings(), offline=True).tokenizer
    values = score(task, examples, perfect(task, examples, tokenizer, max_length=128))
    assert values["f1"] > 0.999
    assert values["lenient_f1"] == values["f1"]


def test_particles_are_cut_off_korean_entities(shared: Path) -> None:
    """8 % of KLUE's entities end inside a piece; what sticks to them is learned from 500 texts."""
    recipe = load_recipe("klue-ner")
    task = make_task(recipe.task)
    path = str(shared / "data/klue-ner/klue-ner-v1.1_dev.tsv")
    examples = read_examples(task, path, recipe.data, watch=Silent())
    task = task.learn_labels(examples, path=path)
    tokenizer = load_tokenizer(shared / "models/e5-small-ko-en")
    dev, rest = examples[:500], examples[500:2000]
    pieces = perfect(task, rest, tokenizer, max_length=256)
    before = score(task, rest, pieces)
    after = score(task.fit(dev, perfect(task, dev, tokenizer, max_length=256)), rest, pieces)
    assert before["f1"] < 0.93
    assert after["f1"] > 0.98
    assert after["character_macro_f1"] > 0.99


def test_answers_of_squad_are_found_again(shared: Path) -> None:
    recipe = load_recipe("squad")
    task = make_task(recipe.task)
    path = str(shared / "data/squad/dev-v1.1.json")
    examples = read_examples(task, path, recipe.data, watch=Silent())[::5]
    tokenizer = load_encoder(ModelSettings(), offline=True).tokenizer
    values = score(task, examples, perfect(task, examples, tokenizer, max_length=384))
    assert values["exact_match"] > 0.99
    assert values["f1"] > 0.995


def test_entities_are_learned(shared: Path, tmp_path: Path, command: Command) -> None:
    """A thousand abstracts' sentences, one epoch: drugs and diseases are found at all."""
    sentences = (shared / "data/bc5cdr/train.tsv").read_text(encoding="utf-8").split("\n\n")
    for name, part in (("train", sentences[:1000]), ("dev", sentences[1000:1150])):
        (tmp_path / f"{name}.tsv").write_text("\n\n".join(part) + "\n", encoding="utf-8")
    settings = ("--set", "training.epochs=1", "--set", "training.learning_rate=4e-4")
    arguments = ("--train", "train.tsv", "--dev", "dev.tsv", "--out", "r", *settings)
    code, _, err = command("train", "ner", *arguments)
    assert code == 0, err
    scores = json.loads(Path("r/scores.json").read_text())
    assert scores["metrics"]["f1"]["value"] > 0.3
