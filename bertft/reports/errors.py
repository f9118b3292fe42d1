"""The worst errors of a report: wrong answers go in, the HTML that shows them comes out.

Entities are marked in their text, once as gold has them and once as they were answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from bertft.reports.examples import Seen, spans
from bertft.reports.text import clean

TEXT = 600
"""Characters shown of one text."""
MARKS = 20
"""Spans marked in one text, and golds or labels named of one example."""
BUDGET = 150_000
"""Bytes of all errors together; hostile labels could make the page large."""
INPUTS = ("text", "text_pair", "sentence1", "sentence2", "premise", "hypothesis", "question")


def worst(seen: Seen) -> str:
    """Wrong answers, those of the highest loss first, as long as there is room."""
    if not seen.count:
        return ""
    if not seen.wrong:
        return "<p>All answers are right.</p>"
    shown: list[str] = []
    size = 0
    for row in seen.worst:
        article = _article(row)
        size += len(article.encode())
        if size > BUDGET:
            break
        shown.append(article)
    left = seen.wrong - len(shown)
    more = f", {left:,} more are in predictions.jsonl" if left else ""
    count = f"{seen.wrong:,} of {seen.count:,} answers are not exactly right"
    return f'<p class="soft">{count}; these have the highest loss{more}.</p>' + "".join(shown)


def _article(row: Mapping[str, Any]) -> str:
    if "entities" in row:
        lines = _entity_lines(row)
    else:
        inputs = (clean(str(row[name]), most=TEXT) for name in INPUTS if name in row)
        lines = chain(inputs, _answer_lines(row))
    head = f"{clean(str(row['id']), most=80)}, loss {row['loss']:.4f}"
    body = "".join(f'<p dir="auto">{line}</p>' for line in lines)
    return f"<article><small>{head}</small>{body}</article>"


def _answer_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Gold and answer of anything but entities."""
    gold = row["gold"] if isinstance(row["gold"], list) else [row["gold"]]
    answer = _answer(row)
    sure = f" ({row['score']:.2f})" if "score" in row else ""
    for name, values, kind, tail in (("gold", gold, "gold", ""), ("answer", answer, "given", sure)):
        marks = [f'<mark class="{kind}">{clean(str(one))}</mark>' for one in values if one != ""]
        more = f" and {len(marks) - MARKS} more" if len(marks) > MARKS else ""
        yield f"<small>{name}</small> {' '.join(marks[:MARKS]) or '(nothing)'}{more}{tail}"


def _answer(row: Mapping[str, Any]) -> list[Any]:
    if "labels" in row:
        return list(row["labels"])
    if row.get("no_answer"):
        return []
    return [next(row[name] for name in ("answer", "label", "value") if name in row)]


def _entity_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """The text twice: around the first difference, where it is long."""
    text, gold, given = row["text"], spans(row["gold"]), spans(row["entities"])
    first = min(start for start, _, _ in gold ^ given)
    start = 0 if len(text) <= TEXT else max(0, min(first - TEXT // 3, len(text) - TEXT))
    for name, found, kind in (("gold", gold, "gold"), ("answer", given, "given")):
        marked = _marked(text, sorted(found), kind=kind, start=start)
        yield f"<small>{name}</small> {marked}"


def _marked(text: str, found: Sequence[tuple[int, int, str]], *, kind: str, start: int) -> str:
    """``text`` from ``start`` with its spans marked; those in each other or too many are told."""
    stop = min(len(text), start + TEXT)
    parts, place, left = ["…" if start else ""], start, 0
    inside = [one for one in found if start < one[1] and one[0] < stop]
    for number, (begin, end, label) in enumerate(inside):
        begin, end = max(begin, start), min(end, stop)
        if begin < place or number >= MARKS:
            left += 1
            continue
        name = f"<small>{clean(label, most=40)}</small>"
        word = clean(text[begin:end], most=TEXT)
        parts.append(
            f'{clean(text[place:begin], most=TEXT)}<mark class="{kind}">{word}{name}</mark>'
        )
        place = end
    parts.append(clean(text[place:stop], most=TEXT) + ("…" if stop < len(text) else ""))
    return "".join(parts) + (f" <small>and {left} more spans</small>" if left else "")
