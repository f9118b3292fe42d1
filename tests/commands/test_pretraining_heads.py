"""fill-mask, next-sentence and score: the checkpoint's own heads, on texts and on files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import tiny_tokenizer
from samples import Command
from transformers import AutoModelForMaskedLM, AutoModelForNextSentencePrediction

LINES = ["a good film", "the plot is slow and dull", "no"]


def ask(command: Command, verb: str, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    code, out, err = command(verb, *arguments, "--json", "--device", "cpu")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()], err


def test_masks_are_filled(command: Command, pretrained: Path) -> None:
    text = "the [MASK] is [MASK]"
    (one,), _ = ask(command, "fill-mask", text, "--model", str(pretrained), "--top-k", "2")
    inputs = tiny_tokenizer()(text, return_tensors="pt")
    model = AutoModelForMaskedLM.from_pretrained(pretrained).eval()
    with torch.no_grad():
        shares = model(**inputs).logits[0].softmax(dim=-1)[[2, 4]]
    names = tiny_tokenizer().convert_ids_to_tokens(range(len(tiny_tokenizer())))
    for mask, share in zip(one["masks"], shares, strict=True):
        best = share.topk(2)
        assert [token["probability"] for token in mask] == pytest.approx(best.values.tolist(), 1e-4)
        assert [token["token"].removeprefix("##") for token in mask] == [
            names[i].removeprefix("##") for i in best.indices
        ]
    assert "[MASK]" not in one["filled"]
    code, out, _ = command("fill-mask", text, "--model", str(pretrained), "--top-k", "2")
    rows = [line.split("\t") for line in out.splitlines()]
    assert (code, rows[0]) == (0, ["text", "mask", "token", "probability"])
    assert [row[1] for row in rows[1:]] == ["1", "1", "2", "2"]


def test_a_line_without_a_mask_is_named(command: Command, pretrained: Path) -> None:
    Path("in.txt").write_text("a [MASK]\na film\n", encoding="utf-8")
    code, _, err = command("fill-mask", "in.txt", "--model", str(pretrained))
    assert code == 2
    assert "in.txt:2: no mask in the text; write [MASK] where a word is missing" in err


def test_next_sentences(command: Command, pretrained: Path) -> None:
    pairs = [("a good film", "i love it"), ("it is dull", "the food was great and fun")]
    model = AutoModelForNextSentencePrediction.from_pretrained(pretrained).eval()
    expected = []
    for pair in pairs:
        inputs = tiny_tokenizer()([pair[0]], [pair[1]], return_tensors="pt")
        with torch.no_grad():
            expected.append(float(model(**inputs).logits[0].softmax(dim=-1)[0]))
    Path("in.csv").write_text(
        "sentence1,sentence2\n" + "\n".join(map(",".join, pairs)) + "\n", encoding="utf-8"
    )
    found, _ = ask(command, "next-sentence", "in.csv", "--model", str(pretrained))
    assert [one["probability"] for one in found] == pytest.approx(expected, abs=1e-5)
    assert [one["follows"] for one in found] == [value > 0.5 for value in expected]
    (one,), _ = ask(command, "next-sentence", *pairs[1], "--model", str(pretrained))
    assert one["probability"] == pytest.approx(expected[1], abs=1e-5)


def test_pseudo_perplexity(command: Command, pretrained: Path) -> None:
    Path("in.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    found, err = ask(command, "score", "in.txt", "--model", str(pretrained))
    tokenizer = tiny_tokenizer()
    model = AutoModelForMaskedLM.from_pretrained(pretrained).eval()
    total, tokens = 0.0, 0
    for text, one in zip(LINES, found, strict=True):
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        likelihood = 0.0
        for place in range(1, ids.shape[1] - 1):
            masked = ids.clone()
            masked[0, place] = tokenizer.mask_token_id
            with torch.no_grad():
                logits = model(input_ids=masked).logits[0, place]
            likelihood += float(logits.log_softmax(dim=-1)[ids[0, place]])
        count = ids.shape[1] - 2
        assert (one["text"], one["tokens"]) == (text, count)
        assert one["log_likelihood"] == pytest.approx(likelihood, abs=1e-4)
        assert one["perplexity"] == pytest.approx(math.exp(-likelihood / count), rel=1e-4)
        total, tokens = total + likelihood, tokens + count
    assert f"all {tokens} tokens together: perplexity {math.exp(-total / tokens):.2f}" in err


def test_windows_of_masked_copies_change_nothing(
    command: Command, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = ask(command, "score", *LINES, "--model", str(pretrained))
    monkeypatch.setattr("bertft.commands.score.MAX_IDS", 40)
    monkeypatch.setattr("bertft.commands.score.CHUNK", 2)
    parts, _ = ask(command, "score", *LINES, "--model", str(pretrained))
    assert [one["text"] for one in parts] == LINES
    for one, other in zip(whole, parts, strict=True):
        assert one["log_likelihood"] == pytest.approx(other["log_likelihood"], abs=1e-4)
