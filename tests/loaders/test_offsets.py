"""Offsets that count something else: found where many rows show it, named, read, repaired."""

# ruff: noqa: E501 - a unit to a line

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.errors import DataError
from bertft.loaders.conll import read_tagged
from bertft.loaders.offsets import UNITS, convert
from bertft.loaders.source import Source
from bertft.loaders.tagged_repair import repair_tagged
from bertft.loaders.tagged_rows import TagColumns
from bertft.settings import DataSettings
from bertft.tasks import make_task

Shift = Callable[[str, int, int], tuple[int, int]]
SHIFTS: dict[str, Shift] = {
    "characters": lambda _, a, b: (a, b),
    "inclusive": lambda _, a, b: (a, b - 1),
    "from-1": lambda _, a, b: (a + 1, b + 1),
    "from-1-inclusive": lambda _, a, b: (a + 1, b),
    "utf-16": lambda t, a, b: (len(t[:a].encode("utf-16-le")) // 2, len(t[:b].encode("utf-16-le")) // 2),
    "bytes": lambda t, a, b: (len(t[:a].encode()), len(t[:b].encode())),
}  # fmt: skip
NAMES = ["Ada Cole", "Kim", "Lee Ford", "박서준", "김민지", "Mina"]
PLACES = ["Oslo", "Lima", "서울", "부산", "Porto"]


def rows(unit: str) -> str:
    text = ""
    for i in range(30):
        name, place = NAMES[i % len(NAMES)], PLACES[i % len(PLACES)]
        one = f"{'😀 그래, ' if i % 2 else '그래, '}{name} went to {place}, then home."
        spans = []
        for part, label in ((name, "PER"), (place, "LOC")):
            at = one.index(part)
            a, b = SHIFTS[unit](one, at, at + len(part))
            spans.append({"start": a, "end": b, "label": label})
        text += json.dumps({"text": one, "entities": spans}, ensure_ascii=False) + "\n"
    return text


def texts(path: str, *, offsets: str = "characters", skip: bool = False):
    rule = {"bad_row": lambda _: None} if skip else {}
    source = Source(path, data=DataSettings(), **rule)
    found = list(read_tagged(source, columns=TagColumns(offsets=offsets)))
    said = [[one.text[e.start : e.end] for e in one.entities] for one in found]
    return said, source.meter


RIGHT = [[NAMES[i % len(NAMES)], PLACES[i % len(PLACES)]] for i in range(30)]


@pytest.mark.parametrize("unit", list(UNITS)[1:])
def test_found_named_read_and_repaired(write, tmp_path, unit):
    path = write("a.jsonl", rows(unit))
    _, meter = texts(path, skip=True)
    (doubt,) = meter.doubts
    assert (doubt.value, doubt.count, doubt.of) == (unit, 30 if unit == "utf-16" else 60, 60)
    assert f'--set task.offsets="{unit}"' in str(doubt)
    assert texts(path, offsets=unit)[0] == RIGHT
    task = make_task({"name": "ner"})
    assert repair_tagged(task, Source(path, data=DataSettings()), tmp_path / "b.jsonl") == (60, 0)
    said, meter = texts(str(tmp_path / "b.jsonl"))
    assert said == RIGHT
    assert meter.doubts == []
    with pytest.raises(DataError, match="exists already"):
        repair_tagged(task, Source(path, data=DataSettings()), tmp_path / "b.jsonl")


@pytest.mark.parametrize("unit", ["utf-16", "bytes"])
def test_a_single_row_names_the_cause(write, unit):
    path = write("a.jsonl", rows(unit).splitlines()[1])
    with pytest.raises(DataError, match=f'task.offsets="{unit}"'):
        texts(path)


def test_right_offsets_raise_no_doubt(write, tmp_path):
    path = write("a.jsonl", rows("characters"))
    said, meter = texts(path)
    assert (said, meter.doubts) == (RIGHT, [])
    task = make_task({"name": "ner"})
    assert repair_tagged(task, Source(path, data=DataSettings()), tmp_path / "b") == (0, 0)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("data", ["ner/en/train.jsonl", "ner/ko/train.jsonl", "ner/ko/dev.jsonl"])
def test_bundled_data_raise_no_doubt(data):
    assert texts(f"bundled:{data}")[1].doubts == []


@pytest.mark.parametrize("name", ["a.conll", "a.jsonl"])
def test_repaired_tags(write, tmp_path, name):
    text = "a\tO\nKim\tI-PER\nb c\tO\n" if name == "a.conll" else (
        json.dumps({"tokens": ["a", "Kim", "b c"], "ner_tags": ["O", "I-PER", "O"]}) + "\n"
        + json.dumps({"tokens": ["Lee"], "ner_tags": ["B-PER"]})
    )  # fmt: skip
    text += "\nLee\tB-PER\n" if name == "a.conll" else ""
    task = make_task({"name": "ner"})
    path = write(name, text)
    before = list(task.read(Source(path, data=DataSettings())))
    assert repair_tagged(task, Source(path, data=DataSettings()), tmp_path / "b.jsonl") == (1, 0)
    after = list(task.read(Source(str(tmp_path / "b.jsonl"), data=DataSettings())))
    assert [(one.text, one.words, one.entities) for one in after] == [
        (one.text, one.words, one.entities) for one in before
    ]
    assert not any(one.broken for one in after)


@given(text=st.text(min_size=1), data=st.data(), unit=st.sampled_from(list(UNITS)))
def test_every_unit_and_back(text, data, unit):
    text = text.encode("utf-8", "ignore").decode()
    if not text:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    assert convert(text, *SHIFTS[unit](text, start, end), unit=unit) == (start, end)


@given(st.text(), st.integers(-3, 50), st.integers(-3, 50), st.sampled_from(list(UNITS)))
def test_any_offsets_give_a_span_inside_or_none(text, start, end, unit):
    text = text.encode("utf-8", "ignore").decode()
    found = convert(text, start, end, unit=unit)
    assert found is None or 0 <= found[0] < found[1] <= len(text)
