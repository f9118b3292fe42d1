"""What several test files share: types, small texts, and writers of small files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

Command = Callable[..., tuple[int, str, str]]
"""The command line, called in this process: (exit code, stdout, stderr)."""

GOOD = ["a good film", "i love it", "great fun", "very good food", "happy and fun", "never dull"]
BAD = ["a bad film", "i hate it", "awful and dull", "very bad food", "sad and slow", "not good"]


def write_csv(path: Path, rows: Sequence[tuple[str, str]], *, header: str = "text,label") -> Path:
    """A small CSV; texts must not hold commas or quotes."""
    path.write_text("\n".join([header, *(f"{a},{b}" for a, b in rows)]) + "\n", encoding="utf-8")
    return path


FAST = (
    "training.device=cpu",
    "training.precision=fp32",
    "training.epochs=2",
    "training.batch_size=8",
    "training.learning_rate=5e-3",
    "training.layer_decay=1.0",
    "training.early_stopping=0",
    "training.keep=best",
    "training.keep_state=true",  # last/ of a finished run is compared
    "model.max_length=32",
)
"""Settings that train the tiny model on the reviews in a fraction of a second, alike anywhere."""


def set_flags(*settings: str) -> list[str]:
    """Settings as ``--set`` flags of the command line."""
    return [word for setting in settings for word in ("--set", setting)]


def write_reviews(folder: Path) -> dict[str, Path]:
    """train.csv, dev.csv and test.csv with the labels good and bad."""
    rows = [(text, "good") for text in GOOD] + [(text, "bad") for text in BAD]
    return {
        name: write_csv(folder / f"{name}.csv", rows * times)
        for name, times in (("train", 4), ("dev", 1), ("test", 2))
    }
