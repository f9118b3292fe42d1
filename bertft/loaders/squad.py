"""Questions about passages in, from SQuAD files and from flat rows.

In: a Source. A ``.json`` file of SQuAD 1.1 or 2.0, KorQuAD 1.0 or 2 or KLUE-MRC (articles,
paragraphs, questions), or rows with the columns ``context``, ``question`` and ``answers`` (or one
answer: ``answer`` or ``answer_text``, with ``answer_start`` or without): a JSON array, JSON lines,
Parquet, CSV, TSV or the Hub. Out: Questions in file order, answers in characters of the
context. Plausible answers are never gold; an answer that is not where the data say is refused.

The text of a nested file is held whole, its records one article at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bertft.errors import DataError
from bertft.loaders import Row, Table, length_fault
from bertft.loaders.answer_places import explain, places_of
from bertft.loaders.articles import Record, read_articles
from bertft.loaders.cells import whole_number
from bertft.loaders.column_names import ANSWER, CONTEXT, QUESTION, named
from bertft.loaders.files import STDIN, open_text
from bertft.loaders.ids import RowIds
from bertft.loaders.json_text import JsonError, read_json_text
from bertft.loaders.rows import read_rows
from bertft.loaders.soft_answers import COLUMN as SOFT_COLUMN
from bertft.loaders.soft_answers import TOLD, SoftAnswers, read_soft_answers
from bertft.loaders.source import Source, refuse
from bertft.loaders.tables import format_of

SKIP_HINT = "fix it, or leave such questions out with --on-bad-row skip"
ANSWER_COLUMNS = ("answer_text", "answer")
"""Where one answer stands, in files without ``answers``."""
ANSWERS_HINT = 'give {"text": [...], "answer_start": [...]}; no answer: empty lists'


@dataclass(frozen=True, slots=True)
class AnswerText:
    """One gold answer: ``context[start : start + len(text)] == text``."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Question:
    """One question; ``answers`` is None without gold, and empty where there is no answer.

    ``line`` is the line (Parquet, Hub: the row) on which the record, or its id, stands.
    """

    id: str
    line: int
    question: str
    context: str
    answers: tuple[AnswerText, ...] | None
    title: str = ""
    given_group: str = field(default="", repr=False)
    """What ``data.group_column`` says."""
    soft: SoftAnswers | None = field(default=None, compare=False, repr=False)
    """The probabilities of starts and ends, where these are learned; ``answers`` is then the
    likeliest."""

    @property
    def text(self) -> str:
        return self.context

    @property
    def group(self) -> str:
        return self.given_group or self.context


def read_questions(source: Source) -> Iterator[Question]:
    """Questions of a source in file order, each id once.

    Raises:
        DataError: the file cannot be read at all; a row that cannot be used goes to
            ``source.bad_row``.
    """
    taken: dict[str, int] = {}
    last = ""
    for record in _records(source):
        try:
            question = _question(record, gold=source.gold)
            if question.id in taken and source.gold:
                hint = "give each question an id of its own"
                what = f"the id '{question.id}' is that of line {taken[question.id]} already"
                raise record.error(what, hint=hint, code="duplicate-id")
        except DataError as error:
            source.bad_row(error)
            continue
        taken[question.id] = question.line
        if question.soft is not None:
            source.meter.repaired[TOLD] += 1
        if question.context == last:  # flat rows repeat it: one text in memory, not one per row
            question = replace(question, context=last)
        last = question.context
        yield question


def nested_records(source: Source) -> Iterator[Record] | None:
    """The questions of a nested file; None where a source is one of rows."""
    if (source.format or format_of(source.path)) != "json":
        return None
    file = open_text(source, bad_row=refuse)
    if source.path == STDIN or file.first() == b"{":
        source.meter.fraction = file.fraction
        return read_articles(file, bad_row=source.bad_row)
    file.close()
    return None


def _records(source: Source) -> Iterator[Record]:
    nested = nested_records(source)
    return _flat(source) if nested is None else nested


def _flat(source: Source) -> Iterator[Record]:
    table = _with_usual_names(read_rows(source), source)
    single = source.gold and "answers" not in table.columns and _single(table.columns)
    answers = ("answers",) if source.gold and not single else ()
    for name in ("context", "question", *answers):
        if name not in table.columns:
            listed = ", ".join(table.columns[:12]) or "none"
            hint = f"columns here: {listed}; --set data.columns renames those of CSV and TSV"
            raise DataError(f"no column '{name}'", path=table.path, line=1, hint=hint)
    ids = RowIds(table, source.meter, unique=source.gold)
    source.meter.columns = table.columns
    for row in table:
        source.meter.row = row
        if single:
            source.meter.repaired[f"questions have their answer in {single}"] += 1
        yield Record(row.fields, row.line, table.path, row.where, ids.of(row))


def _with_usual_names(table: Table, source: Source) -> Table:
    """The table with its columns called context, question and answer."""
    renamed: dict[str, str] = {}
    for own, usual in (("context", CONTEXT), ("question", QUESTION), ("answer", ANSWER)):
        there = named([name for name in table.columns if name not in renamed], usual)
        if there and own not in table.columns and there[0] not in ANSWER_COLUMNS:
            renamed[there[0]] = own
    if not renamed:
        return table
    told = ", ".join(f"'{name}' is the {own}" for name, own in renamed.items())
    source.meter.notes.append(f"columns are read by what they are called: {told}")

    def again(row: Row) -> Row:
        return replace(
            row, fields={renamed.get(name, name): one for name, one in row.fields.items()}
        )

    return Table(
        path=table.path,
        columns=tuple(renamed.get(name, name) for name in table.columns),
        rows=map(again, table),
        fraction=table.fraction,
        revision=table.revision,
        first=[again(row) for row in table.first],
    )


def _single(columns: Sequence[str]) -> str:
    """The columns of one answer, named; "" where there is none."""
    found = [name for name in ANSWER_COLUMNS if name in columns][:1]
    found += ["answer_start"] if found and "answer_start" in columns else []
    return " and ".join(f"'{name}'" for name in found)


def question_of(fields: Mapping[str, Any], *, id: str) -> Question:
    """A single question without gold. Raises DataError (without a place)."""
    return _question(Record(fields, line=0, path="", id=id), gold=False)


def _question(record: Record, *, gold: bool) -> Question:
    fields = record.fields
    context, question = text_field(record, "context"), text_field(record, "question")
    if not isinstance(fields.get("id"), str | int | float | None):
        raise record.error(f"the id is {_kind(fields['id'])}, not text")
    title = fields.get("title")
    try:
        soft = read_soft_answers(fields.get(SOFT_COLUMN) if gold else None, context=context)
    except DataError as error:
        raise record.error(error.message, hint=error.hint) from None
    return Question(
        id=record.id,
        line=record.line,
        question=question,
        context=context,
        answers=_answers(record, context) if gold else None,
        title=title if isinstance(title, str) else "",
        soft=soft,
    )


def text_field(record: Record, column: str, *, what: str = "") -> str:
    """The text of a field, called ``what`` where it is at fault. DataError where there is none."""
    name = f"{what} (column '{column}')" if what not in ("", column) else column
    value = record.fields.get(column)
    if isinstance(value, float) and math.isnan(value):
        value = None
    if value is None:
        raise record.error(f"there is no {name}", hint=SKIP_HINT, code="empty-text")
    if not isinstance(value, str):
        raise record.error(
            f"the {name} is {_kind(value)}, not text", hint=SKIP_HINT, code="unusable-text"
        )
    if not value or value.isspace():
        raise record.error(f"the {name} is empty", hint=SKIP_HINT, code="empty-text")
    if fault := length_fault(value):
        raise record.error(fault, code="long-text")
    return value


def _answers(record: Record, context: str) -> tuple[AnswerText, ...]:
    """The gold answers; none for an impossible question, whatever stands in ``answers``.

    KLUE-MRC on the Hub has the plausible answers of impossible questions in ``answers``.
    """
    if str(record.fields.get("is_impossible")).strip().lower() in ("true", "1", "1.0"):
        return ()
    found: dict[AnswerText, None] = {}  # in order, each once
    for text, start in _pairs(record, _given(record.fields)):
        if not isinstance(text, str) or not text or text.isspace():
            fault = "is empty" if isinstance(text, str) or text is None else "is not text"
            raise record.error(f"an answer {fault}", hint=ANSWERS_HINT)
        found[_placed(record, context, text, start)] = None
    return tuple(found)


def _given(fields: Mapping[str, Any]) -> Any:
    """The answers of a record, or its one answer in the shape of those."""
    if "answers" in fields:
        return fields["answers"]
    value = next((fields[name] for name in ANSWER_COLUMNS if name in fields), None)
    start = fields.get("answer_start")
    if value is None and any(name in fields for name in ANSWER_COLUMNS):
        return []
    if isinstance(value, str) and start not in (None, "") and value.strip():
        return [{"text": value, "answer_start": start}]
    return value


def _pairs(record: Record, value: Any) -> list[tuple[Any, Any]]:
    """(text, start) of each answer in any of the accepted shapes; start None where not given."""
    if isinstance(value, str):
        value = _cell(record, value)
    if isinstance(value, Mapping):
        texts, starts = value.get("text"), value.get("answer_start")
        if isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts):
            return list(zip(texts, starts, strict=True))
        if isinstance(texts, list) or isinstance(starts, list) or texts is None:
            raise record.error("answers: as many texts as starts are needed", hint=ANSWERS_HINT)
        value = [value]
    if value is None:
        raise record.error("there are no answers", hint=ANSWERS_HINT)
    if not isinstance(value, list):
        raise record.error(f"answers: a list is expected, not {_kind(value)}", hint=ANSWERS_HINT)
    return [
        (one.get("text"), one.get("answer_start")) if isinstance(one, Mapping) else (one, None)
        for one in value
    ]


def _cell(record: Record, cell: str) -> Any:
    """What a text in place of a list means: JSON, no answer, or the one answer."""
    if cell.lstrip()[:1] in ("[", "{"):
        try:
            return read_json_text(cell)
        except JsonError as fault:
            if cell.lstrip().startswith("{"):
                hint = "write it with json.dumps, not str"
                raise record.error(f"answers: {fault}", hint=hint) from None
    return [] if not cell or cell.isspace() else [cell]


def _placed(record: Record, context: str, text: str, start: Any) -> AnswerText:
    """The answer where it stands in the context. Raises DataError when it does not."""
    shown = f"the answer '{_short(text)}'"
    if start is None:
        times = len(places_of(context, text))
        if times == 1:
            return AnswerText(text, context.index(text))
        hint = "give its answer_start" if times else "copy it from the context, letter by letter"
        code = "ambiguous-answer" if times else "answer-not-found"
        raise record.error(f"{shown} occurs {times} times in the context", hint=hint, code=code)
    whole = whole_number(start)
    if whole is None:
        raise record.error(f"answer_start of {shown} is {_kind(start)}, not a whole number")
    start = whole
    if start >= 0 and context.startswith(text, start):
        return AnswerText(text, start)
    place, reason = explain(context, text, start)
    code = "misplaced-answer" if place is not None else "ambiguous-answer"
    if text not in context:
        code = "answer-not-found"
    what = f"{shown} is not at character {start} of the context"
    if place is not None:
        reason += "; 'bertft check ... --fix OUT' writes a copy with the right places"
    raise record.error(what, hint=reason, code=code)


def _kind(value: Any) -> str:
    names: dict[type, str] = {bool: "true or false", list: "a list", dict: "an object"}
    return names.get(type(value)) or _short(str(value))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
