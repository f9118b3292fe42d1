"""The bundled samples: counts, balance, clean text, and no text in two places."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from bertft.recipe import bundled_root

ROOT = bundled_root() / "data"
LANGUAGES = pytest.mark.parametrize("language", ["en", "ko"])
SPLITS = ("train", "dev", "test")
FILES = pytest.mark.parametrize(
    ("language", "split"), [(language, split) for language in ("en", "ko") for split in SPLITS]
)
SMALLEST = {"en": 1000, "ko": 500}
LABELS = {"positive", "negative"}

Row = dict[str, str]


@cache
def rows(language: str, split: str) -> list[Row]:
    path = ROOT / "sentiment" / language / f"{split}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def everything(language: str) -> list[tuple[str, str]]:
    """(place, text) of all splits."""
    return [
        (f"{split}.csv row {number}", row["text"])
        for split in SPLITS
        for number, row in enumerate(rows(language, split), start=1)
    ]


def folded(text: str) -> str:
    """What two texts share that differ in case, form of characters or spaces only."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def words(text: str) -> frozenset[str]:
    found = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", folded(text))
    return frozenset(found) if len(found) >= 5 else frozenset()


def trigrams(text: str) -> frozenset[str]:
    squeezed = folded(text)
    return frozenset(squeezed[i : i + 3] for i in range(len(squeezed) - 2))


def near_pairs(
    texts: list[tuple[str, str]], parts: Callable[[str], frozenset[str]], *, least: float
) -> Iterator[tuple[float, str, str]]:
    """Pairs whose sets of parts have a Jaccard index of ``least`` or more.

    Such sets share one of each one's rarest parts, those that may be missing in the other and one
    more, so that only texts which meet there are compared.
    """
    sets = [parts(text) for _, text in texts]
    frequency = Counter(part for one in sets for part in one)
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(sets):
        rarest = sorted(one, key=lambda part: (frequency[part], part))
        prefix = rarest[: int(len(one) * (1 - least) + 1e-9) + 1]
        for other in {other for part in prefix for other in seen[part]}:
            share = len(one & sets[other]) / len(one | sets[other])
            if share >= least:
                yield share, " ".join(texts[other]), " ".join(texts[index])
        for part in prefix:
            seen[part].append(index)


@LANGUAGES
def test_there_are_enough_examples(language: str) -> None:
    counts = {split: len(rows(language, split)) for split in SPLITS}
    assert sum(counts.values()) >= SMALLEST[language]
    assert counts["train"] > counts["test"] >= counts["dev"] > 50


@FILES
def test_labels_are_balanced(language: str, split: str) -> None:
    """The two labels differ by at most 2 % of the rows."""
    counts = Counter(row["label"] for row in rows(language, split))
    assert counts.keys() == LABELS
    assert abs(counts["positive"] - counts["negative"]) <= 0.02 * counts.total()


@FILES
def test_columns_are_all_filled(language: str, split: str) -> None:
    for row in rows(language, split):
        assert list(row) == ["text", "label", "domain"]
        assert all(value and value == value.strip() for value in row.values()), row


@FILES
def test_texts_are_clean(language: str, split: str) -> None:
    """NFC, no control or private characters, no replacement characters, no HTML entities."""
    for row in rows(language, split):
        text = row["text"]
        assert text == unicodedata.normalize("NFC", text), text
        assert not [c for c in text if unicodedata.category(c) in {"Cc", "Co", "Cs", "Cn"}], text
        assert "\ufffd" not in text
        assert not re.search(r"&(?:[a-z]+|#\d+);|<br", text), text


@LANGUAGES
def test_texts_are_in_their_language(language: str) -> None:
    korean = [bool(re.search("[가-힣]", text)) for _, text in everything(language)]
    assert sum(korean) == (len(korean) if language == "ko" else 0)


@LANGUAGES
def test_no_text_is_there_twice(language: str) -> None:
    """Inside and across splits, case and spaces aside."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for place, text in everything(language):
        places[folded(text)].append(place)
    assert {text: found for text, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("language", "parts", "least"), [("en", words, 0.6), ("ko", trigrams, 0.5)]
)
def test_no_two_texts_are_nearly_equal(
    language: str, parts: Callable[[str], frozenset[str]], least: float
) -> None:
    """English: sets of words of texts with five or more; Korean: sets of three characters."""
    found = sorted(near_pairs(everything(language), parts, least=least), reverse=True)
    shown = "\n".join(f"{share:.2f}\n  {one}\n  {other}" for share, one, other in found[:20])
    assert not found, f"{len(found)} pairs:\n{shown}"


def test_near_pairs_are_all_found() -> None:
    """The shortcut finds what comparing all with all finds."""
    texts = everything("ko")[:150] + [("copy", text + " 정말") for _, text in everything("ko")[:20]]
    sets = [trigrams(text) for _, text in texts]
    expected = {
        (" ".join(texts[i]), " ".join(texts[j]))
        for j in range(len(texts))
        for i in range(j)
        if sets[i] and len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= 0.3
    }
    found = [(one, other) for _, one, other in near_pairs(texts, trigrams, least=0.3)]
    assert len(found) == len(set(found)) >= 20
    assert set(found) == expected


@LANGUAGES
def test_every_split_has_every_domain(language: str) -> None:
    domains = [{row["domain"] for row in rows(language, split)} for split in SPLITS]
    assert domains[0] == domains[1] == domains[2]


@LANGUAGES
def test_every_domain_is_described(language: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for domain in {row["domain"] for row in rows(language, "train")}:
        assert re.search(rf"\b{re.escape(domain)}\b", text), domain
