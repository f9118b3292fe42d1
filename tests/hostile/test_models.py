"""Model folders and runs whose files say impossible things: one line, exit code 2."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from samples import FAST, Command, set_flags

Change = Callable[[Path], None]


def fields(file: str, **changes: Any) -> Change:
    """Other values in a JSON file of the folder; None takes a key out."""

    def change(folder: Path) -> None:
        path = folder / file
        content = json.loads(path.read_text(encoding="utf-8")) | changes
        kept = {key: value for key, value in content.items() if value is not None}
        path.write_text(json.dumps(kept), encoding="utf-8")

    return change


def whole(file: str, content: str) -> Change:
    return lambda folder: (folder / file).write_text(content, encoding="utf-8") and None


def without(tensor: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / "model.safetensors"
        weights = load_file(path)
        del weights[tensor]
        save_file(weights, path, metadata={"format": "pt"})

    return change


def more_words(folder: Path) -> None:
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["model"]["vocab"]["film"] = 10**6
    path.write_text(json.dumps(content), encoding="utf-8")


ENCODERS: list[tuple[str, Change]] = [
    ("cannot be (loaded|used)", whole("config.json", "[]")),
    ("cannot be (loaded|used)", whole("config.json", "{")),
    ("cannot be (loaded|used)", whole("config.json", "[" * 100_000)),
    ("cannot be (loaded|used)", fields("config.json", model_type=7)),
    ("cannot be (loaded|used)", fields("config.json", max_position_embeddings="many")),
    ("cannot be (loaded|used)", fields("config.json", num_attention_heads=0)),
    ("cannot be (loaded|used)", fields("config.json", hidden_act="evil")),
    ("shape|cannot be|lack", fields("config.json", hidden_size=64)),
    ("shape|cannot be|lack", fields("config.json", num_hidden_layers=3)),
    ("config.json says|cannot be", fields("config.json", vocab_size=10**12)),
    ("config.json says 10000000 layers", fields("config.json", num_hidden_layers=10**7)),
    ("config.json says 320 M param", fields("config.json", max_position_embeddings=10**7)),
    ("config.json says .* M parameters", fields("config.json", intermediate_size=10**7)),
    ("cannot be loaded", whole("model.safetensors", "")),
    ("cannot be loaded", whole("model.safetensors", "\x7f" * 100)),
    ("tokenizer cannot be loaded", whole("tokenizer.json", "[]")),
    ("the tokenizer makes tokens up to 1000000, the model knows", more_words),
]

ANSWERERS: list[tuple[str, Change]] = [
    *ENCODERS,
    ("the weights lack 1 tensors, e.g. classifier.weight", without("classifier.weight")),
    ("the shape of classifier", fields("bertft.json", labels=["a", "b", "c"])),
    ("bertft.json: not readable", whole("bertft.json", "[]")),
    ("bertft.json: not readable .nested too deeply", whole("bertft.json", "[" * 100_000)),
    ("bertft.json: not readable .max_length", fields("bertft.json", max_length="x")),
    ("bertft.json: not readable .max_length", fields("bertft.json", max_length=-1)),
    ("bertft.json: not readable .labels", fields("bertft.json", labels=None)),
    ("bertft.json: not readable .labels.0", fields("bertft.json", labels=[1, 2])),
    ("no task 'evil'", fields("bertft.json", task={"name": "evil"})),
    ("no task '.'a'.'", fields("bertft.json", task={"name": ["a"]})),
    (
        "learned: confidence",
        fields("bertft.json", task={"name": "qa"}, learned={"confidence": [1]}),
    ),
    ("learned: edges", fields("bertft.json", task={"name": "ner"}, learned={"edges": [1]})),
    ("'good' is not a tag|'bad' is not a tag", fields("bertft.json", task={"name": "ner"})),
    (
        "learned: transitions",
        fields(
            "bertft.json",
            task={"name": "ner"},
            labels=["O", "B-X"],
            learned={"transitions": [[0.0, 0.0]]},
        ),
    ),
]


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "best", tmp_path / "model"))


def check(told: tuple[int, str, str], line: str) -> None:
    code, out, err = told
    errors = [one for one in err.splitlines() if not one.startswith("· ")]
    assert len(errors) == 1, err
    assert re.search(line, errors[0]), err
    assert (code, out) == (2, "")


@pytest.mark.parametrize(("line", "change"), ENCODERS)
def test_encoders(command: Command, folder: Path, trained: Path, line: str, change: Change) -> None:
    change(folder)
    data = ["--train", str(trained.parent / "train.csv"), "--model", str(folder), "--dry-run"]
    check(command("train", "sentiment", *set_flags(*FAST), *data), line)


@pytest.mark.parametrize(("line", "change"), ANSWERERS)
def test_answerers(
    command: Command, folder: Path, tmp_path: Path, line: str, change: Change
) -> None:
    change(folder)
    (tmp_path / "a.txt").write_text("a good film\n", encoding="utf-8")
    check(command("predict", "a.txt", "--run", str(folder)), line)


SCORES = [
    ("runs/a/scores.json: not readable", {"n": "7"}),
    ("runs/a/scores.json: not readable", {"n": None}),
    ("runs/a/scores.json: not readable", {"metric": "none"}),
    ("runs/a/scores.json: not readable", {"metrics": {"accuracy": {"value": None}}}),
    ("runs/a/scores.json: not readable", {"per_class": {"a": {"f1": 1}}}),
    ("runs/a/scores.json: not readable", {"baseline": []}),
]


@pytest.mark.parametrize(("line", "changes"), SCORES)
def test_scores(command: Command, trained: Path, tmp_path: Path, line: str, changes: Any) -> None:
    shutil.copytree(trained, tmp_path / "runs" / "a")
    fields("scores.json", **changes)(tmp_path / "runs" / "a")
    check(command("runs", "show", "runs/a"), line)
    for arguments in (["list"], ["list", "--json"]):
        code, _, err = command("runs", *arguments)
        assert code == 0
        assert err.startswith(f"· left out: {line}")
    (tmp_path / "a.txt").write_text("a good film\n", encoding="utf-8")
    assert command("predict", "a.txt")[0] == 0  # for which the scores do not matter


@pytest.mark.parametrize(
    ("line", "content"),
    [
        ("predictions.jsonl: not readable", "{}\n"),
        ("predictions.jsonl: not readable", "[]\n"),
        ("predictions.jsonl: not readable .nested too deeply", "[" * 100_000 + "\n"),
        ("predictions.jsonl: not readable", "\n"),
        ("does not fit the run's model", '{"id": 1, "gold": 2}\n'),
        ("does not fit the run's model", '{"id": 1, "gold": "x", "text": "", "label": "y"}\n'),
    ],
)
def test_predictions(
    command: Command, trained: Path, tmp_path: Path, line: str, content: str
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "runs" / "a"))
    (run / "predictions.jsonl").write_text(content, encoding="utf-8")
    check(command("runs", "compare", "runs/a", "runs/a"), line)
