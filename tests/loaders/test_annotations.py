"""What annotation tools export is read as what it says; what has no place is counted."""

# ruff: noqa: E501, RUF012 - exports read best a row to a line

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bertft.errors import DataError
from bertft.loaders.conll import read_tagged
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task

TEXTS = ["Ada Cole flew to Lima.", "It rained.", "Oslo, at last"]
SPANS = [[(0, 8, "Full name"), (17, 21, "LOC")], [], [(0, 4, "LOC")]]


def source(path: str, *, gold: bool = True, skip: bool = False) -> Source:
    rule: dict[str, Any] = {"bad_row": lambda _: None} if skip else {}
    return Source(path, data=DataSettings(), gold=gold, **rule)


def jsonl(rows: list[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def rows(make: Callable[[int, str, list[Any]], Any]) -> list[Any]:
    return [make(i, *pair) for i, pair in enumerate(zip(TEXTS, SPANS, strict=True))]


def objects(spans: list[Any], *names: str) -> list[dict[str, Any]]:
    return [dict(zip(names, span, strict=True)) for span in spans]


def studio(i: int, text: str, spans: list[Any]) -> dict[str, Any]:
    result = [{"type": "labels", "from_name": "label", "to_name": "text",
               "value": {"start": s, "end": e, "text": text[s:e], "labels": [n]}}
              for s, e, n in spans]  # fmt: skip
    return {"id": i, "data": {"text": text}, "annotations": [{"result": result}]}


OURS = ("start", "end", "label")
OLD = ("start_offset", "end_offset", "label")
FORMS = {
    "doccano label": rows(lambda i, t, s: {"id": i, "text": t, "label": s}),
    "doccano labels": rows(lambda i, t, s: {"id": i, "text": t, "labels": s}),
    "doccano offsets": rows(lambda i, t, s: {"id": i, "text": t, "labels": objects(s, *OLD)}),
    "doccano old": rows(lambda i, t, s: {"id": i, "text": t, "annotations": objects(s, *OLD)}),
    "doccano relations": rows(
        lambda i, t, s: {"id": i, "text": t, "entities": objects(s, *OLD), "relations": [], "Comments": []}
    ),
    "prodigy": rows(lambda i, t, s: {"id": i, "text": t, "spans": objects(s, *OURS), "answer": "accept"}),
    "spacy spans": rows(lambda i, t, s: {"id": i, "text": t, "spans": objects(s, *OURS)}),
    "spacy rows": rows(lambda i, t, s: {"id": i, "text": t, "entities": s}),
    "spacy pairs": rows(lambda i, t, s: [t, {"entities": s}]),
    "lists": rows(
        lambda i, t, s: {"id": i, "text": t, "entities": dict(zip(OURS, map(list, zip(*s, strict=True)), strict=True)) if s else
                         {"start": [], "end": [], "label": []}}
    ),
    "text of numbers": rows(
        lambda i, t, s: {"id": i, "text": t, "entities": [{"start": str(a), "end": float(b), "label": n} for a, b, n in s]}
    ),
    "label studio": rows(studio),
    "label studio minimal": rows(
        lambda i, t, s: {"id": i, "text": t, "annotator": 1,
                         "label": [{"start": a, "end": b, "text": t[a:b], "labels": [n]} for a, b, n in s]}
    ),
}  # fmt: skip


def found(path: str, *, gold: bool = True) -> list[tuple[str, list[tuple[int, int, str]]]]:
    place = source(path, gold=gold)
    return [
        (one.text, [(e.start, e.end, e.label) for e in one.entities or ()])
        for one in read_tagged(place)
    ]


EXPECTED = list(zip(TEXTS, SPANS, strict=True))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_entities(write, form, suffix):
    given = FORMS[form]
    path = write(f"a.{suffix}", jsonl(given) if suffix == "jsonl" else json.dumps(given))
    assert found(path) == EXPECTED
    assert [text for text, _ in found(path, gold=False)] == TEXTS
    place = source(path)
    texts = list(read_tagged(place))
    if form != "spacy pairs":
        assert [one.id for one in texts] == ["0", "1", "2"]
    told = " ".join([*place.meter.notes, *place.meter.mended])
    ours = form == "lists"
    assert ours or "read as" in told


def test_one_object_around_the_pairs(write):
    whole = {"classes": ["LOC"], "annotations": [*FORMS["spacy pairs"], None]}
    assert found(write("a.json", json.dumps(whole))) == EXPECTED


def test_null_is_no_entity_and_said(write):
    place = source(write("a.jsonl", jsonl([{"text": "Ann", "entities": None}])))
    assert next(read_tagged(place)).entities == ()
    assert place.meter.mended == {"rows whose entities are null, read as rows without entities": 1}


def test_spaces_around_are_trimmed_and_said(write):
    spans = [{"start": 3, "end": 8, "label": " PER "}]
    place = source(write("a.jsonl", jsonl([{"text": "by Kim  went", "entities": spans}])))
    (entity,) = next(read_tagged(place)).entities or ()
    assert (entity.start, entity.end, entity.label) == (3, 6, "PER")
    assert place.meter.mended.total() == 2


class TestLeftOut:
    def test_prodigy(self, write):
        given = [{"text": TEXTS[0], "spans": objects(SPANS[0], *OURS), "answer": a}
                 for a in ("reject", "accept", "ignore")]  # fmt: skip
        place = source(write("a.jsonl", jsonl(given)))
        assert len(list(read_tagged(place))) == 1
        assert place.meter.counts == {"texts whose answer is 'reject' or 'ignore' are left out": 2}
        assert len(found(write("a.jsonl", jsonl(given)), gold=False)) == 3

    def test_label_studio(self, write):
        first, second, third = FORMS["label studio"]
        cancelled = {**second, "annotations": [{"result": [], "was_cancelled": True}]}
        twice = {**third, "annotations": [{"result": [], "was_cancelled": True},
                                          *third["annotations"], *first["annotations"]]}  # fmt: skip
        path = write("a.json", json.dumps([first, cancelled, twice]))
        assert found(path) == [EXPECTED[0], EXPECTED[2]]
        place = source(path)
        list(read_tagged(place))
        assert sorted(place.meter.counts.values()) == [1, 1]

    def test_a_label_studio_emoji_counts_two(self, write):
        text = "😀 Ada flew"
        task = studio(0, text, [])
        value = {"start": 3, "end": 6, "text": "Ada", "labels": ["PER"]}
        task["annotations"][0]["result"] = [{"type": "labels", "value": value}]
        assert found(write("a.json", json.dumps([task]))) == [(text, [(2, 5, "PER")])]


def test_brat(tmp_path: Path) -> None:
    texts = {"a": "Ada Cole\nflew to Lima.", "sub/b": "It rained."}
    marks = {
        "a": "T1\tPER 0 8\tAda Cole\nT2\tLOC 17 21\tLima\nT3\tPER 0 3;9 13\tAda flew\n"
        "R1\tgoes Arg1:T1 Arg2:T2\t\n#1\tAnnotatorNotes T1\tsure\n",
        "sub/b": "",
    }
    (tmp_path / "sub").mkdir()
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
        (tmp_path / f"{name}.ann").write_text(marks[name], encoding="utf-8")
    (tmp_path / "c.txt").write_text("no annotations", encoding="utf-8")
    assert found(str(tmp_path)) == [
        (texts["a"], [(0, 8, "PER"), (17, 21, "LOC")]),
        (texts["sub/b"], []),
    ]
    place = source(str(tmp_path))
    assert [one.id for one in read_tagged(place)] == ["a", "sub/b"]
    assert sum(place.meter.counts.values()) == 4
    assert len(found(str(tmp_path), gold=False)) == 3
    (tmp_path / "a.ann").write_text("T1 PER 0 8 Ada\n")
    with pytest.raises(DataError, match=r"a\.ann:1: 'T1 PER 0 8 Ada' is no annotation of brat"):
        found(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "hint"),
    [("a.spacy", "spaCy's binary form"), ("a.xml", "XML"), ("a.ann", "give its folder"), ("a.py", "a program")],
)  # fmt: skip
def test_other_files_are_refused_with_a_way_out(write, name, hint):
    with pytest.raises(DataError, match=hint):
        found(write(name, "x"))


class TestClasses:
    FORMS = {
        "doccano": [{"id": i, "text": t, "label": [n]} for i, (t, n) in enumerate(zip("ab", "XY", strict=True))],
        "prodigy": [{"text": "a", "label": "X", "answer": "accept"}, {"text": "c", "label": "X", "answer": "reject"},
                    {"text": "b", "label": "Y", "answer": "accept"}],
        "prodigy options": [{"text": t, "options": [], "accept": [n], "answer": "accept"} for t, n in ("aX", "bY")],
        "spacy": [[t, {"cats": {"X": float(n == "X"), "Y": float(n == "Y")}}] for t, n in ("aX", "bY")],
        "label studio": [{"id": t, "data": {"review": t}, "annotations": [
            {"result": [{"type": "choices", "value": {"choices": [n]}}]}]} for t, n in ("aX", "bY")],
    }  # fmt: skip

    @pytest.mark.parametrize("form", FORMS)
    def test_read(self, write, form):
        place = source(write("a.jsonl", jsonl(self.FORMS[form])))
        texts = list(make_task({"name": "classification"}).read(place))
        assert [(one.text, one.gold) for one in texts] == [("a", ("X",)), ("b", ("Y",))]
        assert "read as" in place.meter.notes[0]

    def test_several(self, write):
        path = write(
            "a.jsonl", jsonl([{"text": "a", "label": ["X", "Y"]}, {"text": "b", "label": []}])
        )
        texts = list(make_task({"name": "classification", "multi_label": True}).read(source(path)))
        assert [one.gold for one in texts] == [("X", "Y"), ()]
        with pytest.raises(DataError, match="the label is a list; for several labels"):
            list(make_task({"name": "classification"}).read(source(path)))

    def test_a_table_with_answers_of_its_own_is_no_export(self, write):
        place = source(write("a.csv", "text,label,answer\na,X,yes\nb,Y,no\n"))
        assert len(list(make_task({"name": "classification"}).read(place))) == 2
        assert place.meter.notes == []
