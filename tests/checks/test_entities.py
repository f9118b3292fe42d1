"""Tags that break their scheme, entities and words that tokens lose: found, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import tiny_tokenizer

from bertft.checks.finding import Finding, Split
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def findings(path: Path, tokenizer, **options: str) -> dict[str, Finding]:
    task = make_task({"name": "ner", "window_overlap": 4, **options})
    examples = list(task.read(Source(str(path), DataSettings())))
    task = task.learn_labels(examples, path=str(path))
    split = Split("train", str(path), examples, task.readings(examples))
    return {one.code: one for one in task.findings(split, tokenizer, max_length=16)}


def conll(folder: Path, *sentences: str) -> Path:
    """Sentences as ``word/TAG word/TAG``."""
    blocks = ("\n".join(word.replace("/", "\t") for word in one.split(" ")) for one in sentences)
    path = folder / "a.conll"
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return path


def test_valid_tags_are_no_finding(tmp_path, tokenizer):
    path = conll(tmp_path, "the/O film/B-X is/I-X fun/O", "a/B-Y plot/B-X")
    assert findings(path, tokenizer) == {}


def test_broken_tags_are_shown_one_by_one(tmp_path, tokenizer):
    path = conll(tmp_path, "a/B-X plot/O", "the/O film/I-X is/I-Y fun/O", "i/I-Y love/B-X")
    found = findings(path, tokenizer)
    assert set(found) == {"broken-scheme"}
    one = found["broken-scheme"]
    assert (one.count, one.severity) == (3, "warning")
    assert [(place.line, place.text) for place in one.places] == [
        (4, "I-X after O, 'film' (2)"),
        (4, "I-Y after I-X, 'is' (3)"),
        (9, "I-Y at the start, 'i' (1)"),
    ]


def test_entities_inside_words_and_tokens(tmp_path, tokenizer):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"text": "the film", "entities": [{"start": 4, "end": 8, "label": "X"}]}\n'
        '{"text": "the films", "entities": [{"start": 4, "end": 8, "label": "X"}]}\n',
        encoding="utf-8",
    )
    found = findings(path, tokenizer)
    assert set(found) == {"entity-inside-token"}
    one = found["entity-inside-token"]
    assert (one.count, one.of, one.places[0].line) == (1, 2, 2)
    assert one.places[0].text == "X 'film' in 'the films'"
    assert findings(path, tokenizer, label_pieces="all") == {}  # film, ##s


def test_words_without_a_token(tmp_path, tokenizer):
    path = conll(tmp_path, "the/O \u200d/O film/B-X", "a/O plot/B-X")
    found = findings(path, tokenizer)
    assert set(found) == {"word-without-token"}
    one = found["word-without-token"]
    assert (one.count, one.of, one.places[0].text) == (1, 5, r"word 2: '\u200d'")


def test_tags_are_checked_without_a_tokenizer(tmp_path):
    assert set(findings(conll(tmp_path, "the/O film/I-X", "a/B-X"), None)) == {"broken-scheme"}
