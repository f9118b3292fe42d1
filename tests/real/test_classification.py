"""Real data sets and encoders, read and trained in their original formats.

Counts are those of the data sets' own documentation. The training here is short: it shows that
learning happens on real input; the README's figures come from whole epochs.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples import Command

from bertft.loaders.reading import read_examples
from bertft.recipe import load_recipe
from bertft.tasks import make_task
from bertft.watch import Silent

pytestmark = pytest.mark.real

HEADERLESS = ("data.header=false", 'data.columns=["text", "labels", "id"]')

FILES = [
    # recipe, file, settings, rows, labels, share of the most frequent label
    ("sst2", "sst2/train.tsv", (), 60_614, 2, None),
    ("sst2", "sst2/dev.tsv", (), 872, 2, 444 / 872),
    ("nsmc", "nsmc/train.tsv", (), 30_000, 2, None),
    ("nsmc", "nsmc/dev.tsv", (), 2_000, 2, None),
    ("banking77", "banking77/train.csv", (), 10_003, 77, None),
    ("banking77", "banking77/test.csv", (), 3_080, 77, 40 / 3_080),
    ("goemotions", "goemotions/train.tsv", HEADERLESS, 43_410, 28, None),
    ("goemotions", "goemotions/dev.tsv", HEADERLESS, 5_426, 28, None),
    ("sentiment", "sst2/dev.tsv", (), 872, 2, 444 / 872),
]


@pytest.mark.parametrize(("recipe", "file", "settings", "rows", "labels", "share"), FILES)
def test_every_row_of_the_original_files_is_read(
    shared: Path,
    recipe: str,
    file: str,
    settings: tuple[str, ...],
    rows: int,
    labels: int,
    share: float | None,
) -> None:
    loaded = load_recipe(recipe, overrides=settings)
    task = make_task(loaded.task)
    path = str(shared / "data" / file)
    examples = read_examples(task, path, loaded.data, watch=Silent())
    task = task.learn_labels(examples, path=path)
    task.check(examples, path=path)
    assert len(examples) == rows
    assert len(task.labels) == labels
    assert all(example.text.strip() for example in examples)
    if share is not None:
        counts = [0] * labels
        for ids in task.gold_ids(examples):
            counts[ids[0]] += 1
        assert max(counts) / rows == pytest.approx(share)


def head_of(path: Path, target: Path, *, rows: int) -> str:
    """The header and the first ``rows`` rows of a file."""
    with path.open("rb") as source, target.open("wb") as out:
        for _, line in zip(range(rows + 1), source, strict=False):
            out.write(line)
    return str(target)


def test_sst2_is_learned(shared: Path, tmp_path: Path, command: Command) -> None:
    """1,500 phrases, one epoch: far above the majority class (50.9 %)."""
    train = head_of(shared / "data/sst2/train.tsv", tmp_path / "train.tsv", rows=1500)
    dev = str(shared / "data/sst2/dev.tsv")
    settings = ("--set", "training.epochs=1", "--set", "training.learning_rate=2e-4")
    code, _, err = command("train", "sst2", "--train", train, "--dev", dev, "--out", "r", *settings)
    assert code == 0, err
    scores = json.loads(Path("r/scores.json").read_text())
    assert scores["n"] == 872
    assert scores["metrics"]["accuracy"]["value"] > 0.70
    assert scores["baseline"]["accuracy"] == pytest.approx(444 / 872)


def test_nsmc_is_learned_with_a_korean_encoder(
    shared: Path, tmp_path: Path, command: Command
) -> None:
    """A float16 checkpoint with a SentencePiece vocabulary and no pooler trains in fp32."""
    train = head_of(shared / "data/nsmc/train.tsv", tmp_path / "train.tsv", rows=1200)
    dev = head_of(shared / "data/nsmc/dev.tsv", tmp_path / "dev.tsv", rows=500)
    model = str(shared / "models/e5-small-ko-en")
    settings = ("--set", "training.epochs=1", "--set", "training.learning_rate=2e-4")
    arguments = ("--train", train, "--dev", dev, "--model", model, "--out", "r", *settings)
    code, _, err = command("train", "nsmc", *arguments)
    assert code == 0, err
    scores = json.loads(Path("r/scores.json").read_text())
    assert scores["metrics"]["accuracy"]["value"] > 0.65


def test_korean_text_is_refused_by_an_english_uncased_encoder(
    shared: Path, command: Command
) -> None:
    code, _, err = command("train", "nsmc", "--train", str(shared / "data/nsmc/dev.tsv"),
                           "--model", "minilm", "--dry-run")  # fmt: skip
    assert code == 2
    assert "jamo" in err
    assert "model.decomposed_hangul=true" in err
