"""Lengths in tokens and unknown tokens, counted with the tiny tokenizer."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import tiny_tokenizer

from bertft.checks.tokens import count_tokens, length_findings, unknown_findings


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def test_special_tokens_count(make_split, tokenizer):
    split = make_split("train", [("the film", "x"), ("a good good film", "x")])
    counts = count_tokens(split, tokenizer)
    assert counts.lengths.tolist() == [4, 6]
    pair = make_split("train", [("the film", "good", "x")])
    assert count_tokens(pair, tokenizer).lengths.tolist() == [
        len(tokenizer("the film", "good").input_ids)
    ]


def test_facts(make_split, tokenizer):
    split = make_split("train", [("the " * n, "x") for n in range(1, 22)])
    facts = count_tokens(split, tokenizer).facts()
    lengths = [n + 2 for n in range(1, 22)]
    assert facts["median"] == np.median(lengths)
    assert facts["p95"] == np.percentile(lengths, 95)
    assert (facts["max"], facts["unknown_share"]) == (23, 0)


def test_rows_that_are_cut_and_rows_in_windows(make_split, tokenizer):
    split = make_split("train", [("the " * n, "x") for n in (3, 9, 20)])
    counts = count_tokens(split, tokenizer)
    cut, windows = length_findings(split, counts, over=[1, 2], cut={1}, limit=8)
    assert (cut.code, cut.severity, cut.count, cut.places[0].line) == ("cut", "warning", 1, 2)
    assert cut.places[0].text.startswith("11 tokens: the the")
    assert "model.max_length=32" in cut.fix
    assert (windows.code, windows.severity, windows.places[0].line) == ("windows", "note", 3)
    assert length_findings(split, counts, over=[], cut=set(), limit=22) == []


def test_few_rows_that_are_cut_are_a_note(make_split, tokenizer):
    split = make_split("train", [("the", "x")] * 200 + [("the " * 9, "x")])
    [found] = length_findings(split, count_tokens(split, tokenizer), over=[200], cut={200}, limit=8)
    assert found.severity == "note"


def test_unknown_tokens_are_shown(make_split, tokenizer):
    split = make_split("train", [("the film", "x"), ("the 😀 film ж", "x")])
    counts = count_tokens(split, tokenizer)
    assert counts.unknown.tolist() == [0, 2]
    [found] = unknown_findings(split, counts, tokenizer)
    assert (found.count, found.severity) == (1, "warning")
    assert found.places[0].line == 2
    assert found.places[0].text.startswith("😀 ж in: ")
    known = make_split("train", [("the film", "x")])
    assert unknown_findings(known, count_tokens(known, tokenizer), tokenizer) == []


def test_a_rare_unknown_token_is_a_note(make_split, tokenizer):
    split = make_split("train", [("the film", "x")] * 60 + [("ж", "x")])
    [found] = unknown_findings(split, count_tokens(split, tokenizer), tokenizer)
    assert found.severity == "note"
