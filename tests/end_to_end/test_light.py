"""Slips and listings are answered without torch: what a command has imported when it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "datasets", "accelerate", "evaluate")
PROGRAM = f"""
import sys
from bertft.cli.app import main
try:
    main()
except SystemExit as end:
    code = end.code or 0
print("loaded", code, *[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def run(*arguments: str, cwd: Path) -> tuple[str, str]:
    """(what the command says, exit code and heavy modules of its process)."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "400"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    said, _, loaded = done.stderr.rpartition("loaded ")
    return done.stdout + said, loaded.strip()


SLIPS = {
    "train sentimant": "did you mean 'sentiment'?",
    "train sentiment --set training.epoch=3": "unknown key 'training.epoch'; did you mean",
    "train sentiment --set task.text_colum=x": "did you mean 'text_column'?",
    "train sentiment --set epochs=3": "write it as training.epochs=3",
    "train sentiment --epochs 3": "no option --epochs; --set training.epochs=3",
    "train sentiment --epochs=4": "no option --epochs; --set training.epochs=4",
    "train sentiment --train nosuch.csv": "nosuch.csv: no such file",
    "train sentiment --model nosuch": "no model 'nosuch'",
    "train sentiment --out taken": "taken exists already",
    "train reviews.csv": "is a data file, not a recipe; "
    "bertft init reviews.csv looks at it and writes one; "
    "for the recipe sentiment: bertft train sentiment --train reviews.csv",
    "train words.conll": "bertft train ner --train words.conll",
    "train --resume nosuch": "nosuch is no run",
    "pretrain nosuch.txt": "nosuch.txt: no such file",
    "check sentiment --train nosuch.csv": "nosuch.csv: no such file",
    "init nosuch.csv": "nosuch.csv: no such file",
    "init reviews.csv --model nosuch": "no model 'nosuch'",
    "eval nosuch": "no run directory nosuch",
    "eval demo --data nosuch.csv": "nosuch.csv: no such file",
    "eval demo --set task.text_colum=x": "did you mean 'text_column'?",
    "predict nosuch.txt": "nosuch.txt: no such file",
    "predict texts.txt --run dem": "no run directory dem; did you mean 'demo'?",
    "predict texts.txt --set task.text_colum=x": "did you mean 'text_column'?",
    "explain text --run nosuch": "no run directory nosuch",
    "embed nosuch.csv": "nosuch.csv: no such file",
    "tokenize text --model nosuch": "no model 'nosuch'",
    "runs show nosuch": "no run directory nosuch",
    "runs compare demo nosuch": "nosuch/predictions.jsonl: not readable",
}
LISTINGS = {
    "runs list": "demo\tsentiment",
    "runs show demo": "labels    bad, good",
    "runs compare demo demo": "accuracy",
    "models list": "bert-base-uncased",
    "models show minilm": "Apache-2.0",
    "recipes list": "sentiment-ko",
    "recipes show sentiment": "[task]",
    "cache list": "none",
    "--help": "Train",
    "train --help": "--features",
}


@pytest.fixture
def folder(tmp_path: Path, trained: Path) -> Path:
    shutil.copytree(trained, tmp_path / "runs" / "demo")
    (tmp_path / "taken").mkdir()
    for name in ("texts.txt", "reviews.csv"):
        (tmp_path / name).write_text("text\na film\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("line", SLIPS)
def test_a_slip_is_told_without_torch(folder: Path, line: str) -> None:
    said, loaded = run(*line.split(), cwd=folder)
    assert SLIPS[line] in said
    assert loaded == "2"


@pytest.mark.parametrize("line", LISTINGS)
def test_a_listing_needs_no_torch(folder: Path, line: str) -> None:
    said, loaded = run(*line.split(), cwd=folder)
    assert LISTINGS[line] in said
    assert loaded == "0"


def test_tokenize_needs_the_tokenizer_alone(folder: Path, tiny: Path) -> None:
    said, loaded = run("tokenize", "the film", "--model", str(tiny), cwd=folder)
    assert "[CLS] the film [SEP]" in said
    assert loaded == "0 transformers"


def test_train_says_what_it_does_before_torch_is_there(folder: Path) -> None:
    """The line comes first: training is stopped by the very import that takes seconds."""
    broken = folder / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text("raise RuntimeError('torch was wanted')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bertft", "train", "sentiment"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{broken}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    first, second, *_ = done.stderr.splitlines()
    assert first == "· sentiment: reading sentiment/en/train.csv; loading torch ..."
    assert "torch was wanted" in second
