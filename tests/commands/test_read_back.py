"""What ``predict`` writes is read back as it was written, for any text and every format."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bertft.contracts import Answer
from bertft.loaders.conll import read_tagged
from bertft.loaders.rows import read_rows
from bertft.loaders.source import Source
from bertft.prediction.formats import FORMATS
from bertft.settings import DataSettings
from bertft.tasks import make_task

ODD = st.sampled_from(list("\"'\t\r\n\u2028\u2029\x85\x0b\x0c\x1c\ufeff ,|#[]{}\\a가😀1-"))
TEXT = st.text(ODD, max_size=12) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
)
LABEL = st.sampled_from(["PER", "Full name", "장소", "a-b", "O_x"])
SUFFIX = {"doccano": "jsonl", "label-studio": "json"}


def write(folder: Any, form: str, answers: list[Answer]) -> str:
    path = folder.getbasetemp() / f"back.{SUFFIX.get(form, form)}"
    with path.open("w", encoding="utf-8", newline="") as file, FORMATS[form](file) as put:
        for answer in answers:
            put(answer)
    return str(path)


def source(path: str, *, gold: bool = False) -> Source:
    return Source(path, data=DataSettings(), gold=gold)


@st.composite
def tagged(draw: st.DrawFn, *, words: bool = False) -> Answer:
    """A text with entities that lie apart, each with a letter at both ends."""
    text, entities = draw(TEXT), []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(
            st.text(st.sampled_from(list("ab가😀 " if not words else "ab가😀")), min_size=1)
        )
        name = "x" + name.strip() + "y"
        entities.append({"start": len(text), "end": len(text) + len(name), "text": name,
                         "label": draw(LABEL), "score": 0.5})  # fmt: skip
        text += name + draw(TEXT)
    return {"id": "7", "text": text, "entities": entities}


@given(texts=st.lists(TEXT, min_size=1, max_size=5))
@pytest.mark.parametrize("form", ["jsonl", "csv", "tsv"])
@example(texts=['"', "", "a\rb", '"a"'])
def test_texts(tmp_path_factory, form, texts):
    answers = [{"id": f"i{n}", "text": text, "label": "good", "score": 0.5, "scores": {},
                "truncated": False} for n, text in enumerate(texts)]  # fmt: skip
    rows = [row.fields for row in read_rows(source(write(tmp_path_factory, form, answers)))]
    label = "label" if form == "jsonl" else "predicted_label"
    assert [(row["id"], row["text"], row[label]) for row in rows] == [
        (one["id"], one["text"], one["label"]) for one in answers
    ]


@given(given=st.lists(tagged(), min_size=1, max_size=4))
@pytest.mark.parametrize("form", ["jsonl", "csv", "tsv", "doccano", "label-studio"])
def test_entities(tmp_path_factory, form, given):
    """All but texts without any character, which no gold can stand in."""
    kept = [one for one in given if one["text"] and not one["text"].isspace()]
    given = [one | {"id": f"i{number}"} for number, one in enumerate(kept)]
    given += [{"id": "8", "text": "z", "entities": [
        {"start": 0, "end": 1, "text": "z", "label": "X", "score": 0.5}]}]  # fmt: skip
    path = write(tmp_path_factory, form, given)
    found = list(read_tagged(source(path, gold=True)))
    assert [(one.id, one.text) for one in found] == [(one["id"], one["text"]) for one in given]
    assert [[(e.start, e.end, e.label) for e in one.entities or ()] for one in found] == [
        [(e["start"], e["end"], e["label"]) for e in one["entities"]] for one in given
    ]
    again = list(read_tagged(source(path)))
    assert [one.text for one in again] == [one["text"] for one in given]


@given(given=st.lists(tagged(words=True), min_size=1, max_size=4))
def test_conll(tmp_path_factory, given):
    """Words and their entities; white space becomes one space, and what has no word is no line."""
    for one in given:
        one["text"] = one["text"].replace("\ufeff", "")
    given = [one for one in given if one["text"].split() and not one["entities"]] + [
        {"id": "8", "text": "Kim Lee flew", "entities": [
            {"start": 0, "end": 7, "text": "Kim Lee", "label": "Full name"}]}]  # fmt: skip
    path = write(tmp_path_factory, "conll", given)
    for gold in (True, False):
        found = list(read_tagged(source(path, gold=gold)))
        assert [one.text for one in found] == [" ".join(one["text"].split()) for one in given]
    last = list(read_tagged(source(path, gold=True)))[-1]
    assert [(e.start, e.end, e.label) for e in last.entities or ()] == [(0, 7, "Full name")]


@given(texts=st.lists(TEXT.filter(str.strip), min_size=1, max_size=4), labels=st.lists(LABEL))
@pytest.mark.parametrize("form", ["doccano", "label-studio"])
def test_labels(tmp_path_factory, form, texts, labels):
    labels = list(dict.fromkeys(labels))
    answers = [{"id": str(n), "text": text, "labels": labels} for n, text in enumerate(texts)]
    answers += [{"id": "z", "text": "z", "labels": ["PER"]}]
    task = make_task({"name": "classification", "multi_label": True})
    found = list(task.read(source(write(tmp_path_factory, form, answers), gold=True)))
    assert [(one.id, one.text, list(one.gold)) for one in found] == [
        (one["id"], one["text"], one["labels"]) for one in answers
    ]
    single = [{"id": "1", "text": "a", "label": "x y"}, {"id": "2", "text": "b", "label": "z"}]
    task = make_task({"name": "classification"})
    found = list(task.read(source(write(tmp_path_factory, form, single), gold=True)))
    assert [(one.text, one.gold) for one in found] == [("a", ("x y",)), ("b", ("z",))]


@pytest.mark.parametrize("form", ["txt", "jsonl", "csv", "tsv"])
@given(texts=st.lists(TEXT, min_size=1, max_size=4))
def test_one_row_for_each_answer(tmp_path_factory, form, texts):
    answers = [{"id": "1", "text": text, "label": "good", "score": 0.5} for text in texts]
    path = write(tmp_path_factory, form, answers)
    assert len(list(read_rows(source(path)))) == len(texts)


@pytest.mark.parametrize("form", ["doccano", "label-studio"])
def test_nothing(tmp_path_factory, form):
    assert list(read_rows(source(write(tmp_path_factory, form, [])))) == []
