"""What answers look like in each output format, for each task."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertft.commands.predict import ENTITY_FORMATS, FORMATS
from bertft.contracts import Answer
from bertft.loaders.conll import read_tagged
from bertft.loaders.source import Source
from bertft.settings import DataSettings

TEXT = "Kim, lives <b>in</b>\n San\tJose & 서울에서"
ENTITIES = [(0, 3, "PER"), (22, 30, "LOC"), (33, 35, "LOC")]
NER: Answer = {
    "id": 'x"1<',
    "text": TEXT,
    "entities": [
        {"start": start, "end": end, "text": TEXT[start:end], "label": label, "score": 0.9}
        for start, end, label in ENTITIES
    ],
}
SINGLE: Answer = {
    "id": "1", "text": "a\n“film”,", "label": "good", "score": 0.98765,
    "scores": {"good": 0.98765, "bad": 0.01235}, "truncated": False,
}  # fmt: skip
SEVERAL: Answer = {
    "id": "1", "text": "film", "labels": ["a", "b"], "scores": {"a": 0.9, "b": 0.8},
    "truncated": True,
}  # fmt: skip
NLI: Answer = {
    "id": "1", "premise": "one", "hypothesis": "two", "label": "neutral", "score": 0.5,
    "scores": {}, "truncated": False,
}  # fmt: skip
NUMBER: Answer = {
    "id": "1", "text": "one", "text_pair": "two", "value": 3.14159, "truncated": False,
}  # fmt: skip
QA: Answer = {
    "id": "1", "question": "who\tis it?", "answer": "San\nJose", "start": 3, "end": 11,
    "score": 0.75, "no_answer": False, "answers": [{"answer": "San\nJose"}], "truncated": False,
}  # fmt: skip
NOTHING: Answer = QA | {"answer": "", "start": 0, "end": 0, "no_answer": True}
ANSWERS = {
    "single": SINGLE, "several": SEVERAL, "nli": NLI, "number": NUMBER, "qa": QA, "ner": NER,
}  # fmt: skip


def written(form: str, *answers: Answer) -> str:
    file = io.StringIO(newline="")
    with FORMATS[form](file) as write:
        for answer in answers:
            write(answer)
    return file.getvalue()


@pytest.mark.parametrize("task", ANSWERS)
def test_json_lines_are_the_answers(task: str) -> None:
    lines = written("jsonl", ANSWERS[task], ANSWERS[task]).split("\n")
    assert [json.loads(line) for line in lines[:-1]] == [ANSWERS[task]] * 2
    assert lines[-1] == ""


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (SINGLE, "good\t0.9877\ta “film”,"),
        (SEVERAL, "a|b\t-\tfilm"),
        (SEVERAL | {"labels": []}, "-\t-\tfilm"),
        (NLI, "neutral\t0.5000\tone ||| two"),
        (NUMBER, "3.1416\tone ||| two"),
        (QA, "San Jose\t0.7500\twho is it?"),
        (NOTHING, "-\t0.7500\twho is it?"),
        (NER, "[Kim](PER), lives <b>in</b> [San Jose](LOC) & [서울](LOC)에서"),
    ],
)
def test_text_is_one_line_per_answer(answer: Answer, line: str) -> None:
    assert written("txt", answer, answer) == f"{line}\n{line}\n"


def test_conll_has_words_and_bio_tags() -> None:
    lines = written("conll", NER, NER).split("\n\n")
    assert lines[0] == lines[1]
    assert lines[2] == ""
    assert lines[0].split("\n") == [
        "Kim\tB-PER", ",\tO", "lives\tO", "<b>in</b>\tO", "San\tB-LOC", "Jose\tI-LOC", "&\tO",
        "서울\tB-LOC", "에서\tO",
    ]  # fmt: skip


def test_conll_can_be_trained_on(tmp_path: Path) -> None:
    """Also where two entities of a type are neighbours, and where there is none."""
    pair = {"id": "2", "text": "#a b", "entities": []}
    pair["entities"] = [
        {"start": 0, "end": 2, "text": "#a", "label": "X"},
        {"start": 3, "end": 4, "text": "b", "label": "X"},
    ]
    (tmp_path / "a.conll").write_text(
        written("conll", pair, NER | {"entities": []}), encoding="utf-8"
    )
    first, second = read_tagged(Source(str(tmp_path / "a.conll"), data=DataSettings()))
    assert [(one.start, one.end, one.label) for one in first.entities or ()] == [
        (0, 2, "X"), (3, 4, "X"),
    ]  # fmt: skip
    assert (second.text.split(), second.entities) == (TEXT.split(), ())


class Page(HTMLParser):
    """The text of each paragraph, its marks, and every tag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.marks: list[tuple[str, str]] = []
        self.ids: list[str | None] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag == "p":
            self.texts.append("")
            self.ids.append(dict(attrs)["id"])
        if tag == "mark":
            self.marks.append(("", dict(attrs)["style"]))
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "p" in self.open and self.open[-1] != "small":
            self.texts[-1] += data
        if self.open[-1:] == ["small"]:
            self.marks[-1] = (data, self.marks[-1][1])


def test_html_has_one_mark_per_entity_and_only_text_besides() -> None:
    evil = "<script>alert(1)</script> & <!-- Kim"
    other = {"id": "2", "text": evil, "entities": [
        {"start": 33, "end": 36, "text": "Kim", "label": "<i>PER"},
    ]}  # fmt: skip
    page = Page()
    page.feed(written("html", NER, other, NER | {"id": "3", "entities": []}))
    page.close()
    assert page.open == []
    assert page.ids == ['x"1<', "2", "3"]
    assert [text.replace(" \n", "\n") for text in page.texts] == [
        "Kim , lives <b>in</b>\n San\tJose  & 서울 에서", evil + " ", TEXT,
    ]  # fmt: skip
    assert [label for label, _ in page.marks] == ["PER", "LOC", "LOC", "<i>PER"]
    styles = [style for _, style in page.marks]
    assert styles[1] == styles[2]
    assert len(set(styles)) == 3
    assert set(page.tags) == {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "p",
        "mark",
        "small",
    }


def test_a_page_of_entities_is_written_as_they_come() -> None:
    """Nothing is kept: each answer is in the file before the next one is asked for."""
    file = io.StringIO(newline="")
    with FORMATS["html"](file) as write:
        sizes = [len(file.getvalue())]
        for _ in range(3):
            write(NER)
            sizes.append(len(file.getvalue()))
    assert len(set(np.diff(sizes))) == 1
    assert file.getvalue().count("</html>") == 1


def test_html_of_nothing_is_a_page() -> None:
    page = Page()
    page.feed(written("html"))
    assert (page.open, page.texts) == ([], [])


@pytest.mark.parametrize("form", sorted(ENTITY_FORMATS))
def test_formats_of_entities_are_refused_for_other_tasks(
    command: Any, run: Path, tmp_path: Path, form: str
) -> None:
    (tmp_path / "in.txt").write_text("a good film\n", encoding="utf-8")
    flags = ["--run", "run", "--device", "cpu", "--precision", "fp32"]
    for given in (["--format", form], ["--out", f"out.{form}"]):
        code, out, err = command("predict", "in.txt", *given, *flags)
        assert (code, out) == (2, "")
        assert f"format {form} shows entities; this model's task is classification" in err
        assert "csv, doccano, jsonl, label-studio, tsv, txt" in err
    assert not (tmp_path / f"out.{form}").exists()
