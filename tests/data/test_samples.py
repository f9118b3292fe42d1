"""The bundled samples: counts, balance, clean text, and no text in two places."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from bertft.loaders.source import Source
from bertft.loaders.squad import Question, read_questions
from bertft.recipe import bundled_root
from bertft.settings import DataSettings

ROOT = bundled_root() / "data"
LANGUAGES = pytest.mark.parametrize("language", ["en", "ko"])
SPLITS = ("train", "dev", "test")
FILES = pytest.mark.parametrize(
    ("language", "split"), [(language, split) for language in ("en", "ko") for split in SPLITS]
)
SMALLEST = {"en": 1000, "ko": 1500}
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


# --- inference, entities, questions -----------------------------------------------------------

PAIRS = {"en": 480, "ko": 225}
SENTENCES = {"en": 430, "ko": 275}
QUESTIONS = {"en": (75, 521), "ko": (42, 316)}
ENTITY_TYPES = {"PER", "LOC", "ORG", "DATE", "TIME", "QUANTITY"}
INFERENCES = {"entailment", "neutral", "contradiction"}
ALL_LANGUAGES = pytest.mark.parametrize(
    ("language", "parts", "least"), [("en", words, 0.6), ("ko", trigrams, 0.5)]
)


@cache
def pairs(language: str, split: str) -> list[Row]:
    path = ROOT / "nli" / language / f"{split}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def sentences(language: str, split: str) -> list[dict[str, Any]]:
    path = ROOT / "ner" / language / f"{split}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@cache
def questions(language: str, split: str) -> list[Question]:
    return list(read_questions(Source(f"bundled:qa/{language}/{split}.json", DataSettings())))


def places_of(texts: dict[str, list[str]]) -> dict[str, set[str]]:
    """Folded text -> the splits that it is in."""
    places: defaultdict[str, set[str]] = defaultdict(set)
    for split, found in texts.items():
        for text in found:
            places[folded(text)].add(split)
    return places


def is_clean(text: str) -> bool:
    """NFC, stripped, without control characters or doubled spaces."""
    normal = " ".join(unicodedata.normalize("NFC", text).split(" "))
    controls = [c for c in text if unicodedata.category(c) in {"Cc", "Co", "Cs", "Cn"}]
    return bool(text) and text == normal.strip() and "  " not in text and not controls


def is_in(language: str, text: str) -> bool:
    return bool(re.search("[가-힣]", text)) == (language == "ko")


class TestInference:
    @FILES
    def test_labels_are_balanced_and_texts_clean(self, language: str, split: str) -> None:
        found = pairs(language, split)
        counts = Counter(row["label"] for row in found)
        assert counts.keys() == INFERENCES
        assert len(set(counts.values())) == 1
        for row in found:
            assert list(row) == ["premise", "hypothesis", "label"]
            assert all(is_clean(value) for value in row.values()), row
            assert is_in(language, row["premise"])
            assert is_in(language, row["hypothesis"])

    @LANGUAGES
    def test_shares_of_the_splits(self, language: str) -> None:
        counts = [len(pairs(language, split)) for split in SPLITS]
        assert sum(counts) == PAIRS[language]
        assert shares_fit(counts)

    @LANGUAGES
    def test_a_premise_is_in_one_split_with_each_label_once(self, language: str) -> None:
        premises = {split: [row["premise"] for row in pairs(language, split)] for split in SPLITS}
        assert all(len(splits) == 1 for splits in places_of(premises).values())
        labels: defaultdict[str, list[str]] = defaultdict(list)
        for split in SPLITS:
            for row in pairs(language, split):
                labels[row["premise"]].append(row["label"])
        assert all(len(set(found)) == len(found) >= 2 for found in labels.values())

    @LANGUAGES
    def test_no_hypothesis_is_there_twice(self, language: str) -> None:
        found = [row["hypothesis"] for split in SPLITS for row in pairs(language, split)]
        assert len({folded(text) for text in found}) == len(found)

    @ALL_LANGUAGES
    def test_no_two_premises_are_nearly_equal(
        self, language: str, parts: Callable[[str], frozenset[str]], least: float
    ) -> None:
        found = {row["premise"]: split for split in SPLITS for row in pairs(language, split)}
        texts = [(split, premise) for premise, split in found.items()]
        assert list(near_pairs(texts, parts, least=least)) == []


class TestEntities:
    @FILES
    def test_spans_are_those_of_whole_words_in_order(self, language: str, split: str) -> None:
        for row in sentences(language, split):
            text, end = row["text"], 0
            assert list(row) == ["text", "entities"]
            assert is_clean(text), text
            for entity in row["entities"]:
                start, stop = entity["start"], entity["end"]
                covered = text[start:stop]
                assert list(entity) == ["start", "end", "label"]
                assert entity["label"] in ENTITY_TYPES
                assert end <= start < stop <= len(text), text
                assert covered == covered.strip()
                assert not (start and text[start - 1].isalnum() and covered[0].isalnum()), text
                if language == "en":
                    assert not text[stop : stop + 1].isalnum(), (text, covered)
                end = stop

    @LANGUAGES
    def test_shares_of_the_splits_and_types(self, language: str) -> None:
        counts = [len(sentences(language, split)) for split in SPLITS]
        assert sum(counts) == SENTENCES[language]
        assert shares_fit(counts)
        types = {
            split: Counter(
                entity["label"] for row in sentences(language, split) for entity in row["entities"]
            )
            for split in SPLITS
        }
        total = sum(types.values(), Counter())
        for split in SPLITS:
            assert types[split].keys() == ENTITY_TYPES
            for name in ENTITY_TYPES:
                share = types[split][name] / types[split].total()
                assert abs(share - total[name] / total.total()) < 0.05, (split, name)

    @LANGUAGES
    def test_every_split_has_sentences_without_entities(self, language: str) -> None:
        for split in SPLITS:
            none = [row for row in sentences(language, split) if not row["entities"]]
            assert 0.05 < len(none) / len(sentences(language, split)) < 0.2

    @ALL_LANGUAGES
    def test_no_sentence_is_there_twice_or_nearly(
        self, language: str, parts: Callable[[str], frozenset[str]], least: float
    ) -> None:
        texts = [
            (split, str(row["text"])) for split in SPLITS for row in sentences(language, split)
        ]
        assert len({folded(text) for _, text in texts}) == len(texts)
        assert list(near_pairs(texts, parts, least=least)) == []

    def test_the_guide_describes_every_type(self) -> None:
        guide = (ROOT / "ner" / "GUIDE.md").read_text(encoding="utf-8")
        assert all(f"**{name}**" in guide for name in ENTITY_TYPES)


class TestQuestions:
    @LANGUAGES
    def test_shares_of_the_splits(self, language: str) -> None:
        found = {split: questions(language, split) for split in SPLITS}
        passages = [len({one.context for one in found[split]}) for split in SPLITS]
        counts = [len(found[split]) for split in SPLITS]
        assert (sum(passages), sum(counts)) == QUESTIONS[language]
        assert shares_fit(passages)
        assert shares_fit(counts)
        for split in SPLITS:
            none = sum(one.answers == () for one in found[split])
            assert 0.18 < none / len(found[split]) < 0.22, split

    @FILES
    def test_texts_are_clean(self, language: str, split: str) -> None:
        for one in questions(language, split):
            for text in (one.title, one.context, one.question):
                assert is_clean(text), text
                assert is_in(language, text), text
            assert one.question.endswith("?")
            for answer in one.answers or ():
                text = answer.text.removesuffix("p.m.").removesuffix("a.m.")
                assert answer.text.strip() == answer.text
                assert text == text.rstrip(",.;:"), answer

    @LANGUAGES
    def test_a_passage_and_its_title_are_in_one_split(self, language: str) -> None:
        for field in ("title", "context"):
            texts = {
                split: [getattr(one, field) for one in questions(language, split)]
                for split in SPLITS
            }
            assert all(len(splits) == 1 for splits in places_of(texts).values())

    @LANGUAGES
    def test_ids_and_questions_are_there_once(self, language: str) -> None:
        found = [one for split in SPLITS for one in questions(language, split)]
        assert len({one.id for one in found}) == len(found)
        assert len({(one.context, folded(one.question)) for one in found}) == len(found)

    @ALL_LANGUAGES
    def test_no_two_passages_are_nearly_equal(
        self, language: str, parts: Callable[[str], frozenset[str]], least: float
    ) -> None:
        found = {one.context: split for split in SPLITS for one in questions(language, split)}
        texts = [(split, context) for context, split in found.items()]
        assert list(near_pairs(texts, parts, least=least / 2)) == []

    def test_subjects_shared_by_both_languages_are_in_the_same_split(self) -> None:
        """Ids number the passages; the first eighteen are pairs."""
        splits = {
            one.id.rpartition("-")[0]: split
            for language in ("en", "ko")
            for split in SPLITS
            for one in questions(language, split)
        }
        for number in range(1, 19):
            assert splits[f"en-{number:03}"] == splits[f"ko-{number:03}"]


def shares_fit(counts: list[int]) -> bool:
    """About 70, 12 and 18 %."""
    shares = [count / sum(counts) for count in counts]
    return all(abs(a - b) < 0.025 for a, b in zip(shares, (0.70, 0.12, 0.18), strict=True))


def test_the_readme_counts_what_is_there() -> None:
    """Each row of its tables of splits, by language and task."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for split in SPLITS:
        inference: list[int] = []
        asked: list[int] = []
        for language in ("en", "ko"):
            found = pairs(language, split)
            inference += [len({row["premise"] for row in found}), len(found)]
            questioned = questions(language, split)
            none = sum(one.answers == () for one in questioned)
            asked += [len({one.context for one in questioned}), len(questioned), none]
            tagged = sentences(language, split)
            types = Counter(entity["label"] for row in tagged for entity in row["entities"])
            order = ("PER", "LOC", "ORG", "DATE", "TIME", "QUANTITY")
            none = sum(not row["entities"] for row in tagged)
            counts = [len(tagged), *(types[name] for name in order), none]
            assert f"| `{language}/{split}.jsonl` | {' | '.join(map(str, counts))} |" in text
        assert f"| `{split}.csv` | {' | '.join(map(str, inference))} |" in text
        assert f"| `{split}.json` | {' | '.join(map(str, asked))} |" in text


# --- search -------------------------------------------------------------------------------------


@cache
def searches(language: str, split: str) -> list[dict[str, str]]:
    path = ROOT / "retrieval" / language / f"{split}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@FILES
def test_every_subject_has_four_questions_and_four_passages(language: str, split: str) -> None:
    subjects = Counter(row["id"].rpartition("-")[0] for row in searches(language, split))
    assert set(subjects.values()) == {4}
    told = (ROOT / "README.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{split}.jsonl` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", told, re.M)
    assert row is not None
    figures = [int(one) for one in row.groups()]
    own = figures[:2] if language == "en" else figures[2:]
    assert own == [len(subjects), 4 * len(subjects)]


@LANGUAGES
def test_no_question_or_passage_stands_twice(language: str) -> None:
    rows = [row for split in SPLITS for row in searches(language, split)]
    for name in ("id", "question", "passage"):
        assert len({folded(row[name]) for row in rows}) == len(rows)


@LANGUAGES
def test_a_negative_is_another_passage_on_the_subject(language: str) -> None:
    rows = searches(language, "train")
    subject = {row["passage"]: row["id"].rpartition("-")[0] for row in rows}
    for row in rows:
        assert row["negative"] != row["passage"]
        assert subject[row["negative"]] == subject[row["passage"]]
    assert not any(
        "negative" in row for split in ("dev", "test") for row in searches(language, split)
    )
