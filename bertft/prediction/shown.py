"""Answers for a person: what was decided, in cells; answers that a notebook shows as a table."""

from __future__ import annotations

from collections.abc import Iterable

from bertft.contracts import Answer
from bertft.notebook import Marked, html_table, joined, marked
from bertft.prediction.formats import text_parts

PROBABILITY = "probability"
ZERO_SHOT = ("similarity", "entailment")
"""How well a label suits where none was learned."""
TEXTS = ("text", "text_pair", "premise", "hypothesis", "question")


class OneAnswer(Answer):
    """An answer of ``Predictor.predict``: a dictionary, in a notebook a table of one row."""

    def _repr_html_(self) -> str:
        return Answers([self])._repr_html_()


class Answers(list[Answer]):
    """The answers of ``Predictor.predict``: a list, in a notebook a table."""

    @classmethod
    def of(cls, found: Iterable[Answer]) -> Answers:
        return cls(map(OneAnswer, found))

    def _repr_html_(self) -> str:
        rows = [_row(one) for one in self]
        headings = dict.fromkeys(name for row in rows for name in row)
        cells = [[row.get(name, "") for name in headings] for row in rows]
        return html_table(list(headings), cells) if rows else "<p>no answers</p>"


def decision(answer: Answer) -> dict[str, str]:
    """What was decided, by headings."""
    if "value" in answer:
        return {"score": f"{answer['value']:.4f}"}
    if "labels" in answer:
        scores = answer["scores"]
        given = [f"{one} {scores[one]:.4f}" if one in scores else one for one in answer["labels"]]
        return {"labels": "\n".join(given) or "-"}
    if "question" in answer:
        return {"answer": answer["answer"] or "-", PROBABILITY: f"{answer['score']:.4f}"}
    name = next((one for one in ZERO_SHOT if one in answer), PROBABILITY)
    field = "score" if name == PROBABILITY else name
    outside = " (out of scope)" if answer.get("out_of_scope") else ""
    found = {"label": (answer["label"] or "-") + outside, name: f"{answer[field]:.4f}"}
    if "label_set" in answer:
        found["label_set"] = "\n".join(answer["label_set"]) or "-"
    return found


def _row(answer: Answer) -> dict[str, str]:
    if "error" in answer:
        return {"id": str(answer["id"]), "error": answer["error"]}
    if "entities" in answer:
        return {"text": _with_entities(answer)}
    if "runs" in answer:
        return _row_of_runs(answer)
    return decision(answer) | {name: answer[name] for name in TEXTS if name in answer}


def _row_of_runs(answer: Answer) -> dict[str, str]:
    """A column for each run: its label, or the text with its entities."""
    found = {}
    for name, one in answer["runs"].items():
        row = _row(one | {"text": answer["text"]})
        found[name] = row["text"] if "entities" in one else next(iter(row.values()))
    return found | {"text": answer["text"]}


def _with_entities(answer: Answer) -> Marked:
    return joined(marked(part, label) if label else part for part, label in text_parts(answer))
