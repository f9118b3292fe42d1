"""Answers as annotation tools import them, to be corrected there: doccano and Label Studio.

In: answers with entities or labels. Out: a row of doccano's JSON lines, a task of Label Studio's
JSON. The names in ``result`` are those of Label Studio's own templates: ``label`` (entities) and
``sentiment`` (classes), both for ``text``. Its offsets count UTF-16 units.
"""

from __future__ import annotations

from typing import Any

from bertft.contracts import Answer


def doccano_row(answer: Answer) -> dict[str, Any]:
    """``text`` and ``label``: [start, end, type] of each entity, or the names of the labels."""
    if "error" in answer:
        return {"id": answer["id"], "text": "", "label": [], "error": answer["error"]}
    if "entities" in answer:
        label: list[Any] = [[one["start"], one["end"], one["label"]] for one in answer["entities"]]
    else:
        label = _labels(answer)
    return {"id": answer["id"], "text": answer["text"], "label": label}


def label_studio_task(answer: Answer) -> dict[str, Any]:
    """A task with one prediction; with none for a row without an answer, or not yet asked."""
    if "error" in answer:
        data = {"text": "", "error": answer["error"]}
        return {"id": answer["id"], "data": data, "predictions": []}
    if not any(name in answer for name in ("entities", "labels", "label")):
        return {"id": answer["id"], "data": {"text": answer["text"]}, "predictions": []}
    if "entities" in answer:
        results = [_region(one, number, answer["text"])
                   for number, one in enumerate(answer["entities"])]  # fmt: skip
        scores = [one["score"] for one in answer["entities"] if "score" in one]
        score = sum(scores) / len(scores) if scores else None
    else:
        choices = {"choices": _labels(answer)}
        results = [{"id": "0", "from_name": "sentiment", "to_name": "text", "type": "choices",
                    "value": choices}]  # fmt: skip
        score = answer.get("score")
    prediction = {"model_version": "bertft", "result": results}
    prediction |= {} if score is None else {"score": score}
    return {"id": answer["id"], "data": {"text": answer["text"]}, "predictions": [prediction]}


def _labels(answer: Answer) -> list[str]:
    """None of an answer that is withheld, or not yet given."""
    labels = answer["labels"] if "labels" in answer else [answer.get("label")]
    return [one for one in labels if one is not None]


def _region(entity: dict[str, Any], number: int, text: str) -> dict[str, Any]:
    start = _units(text[: entity["start"]])
    end = start + _units(entity["text"])
    value = {"start": start, "end": end, "text": entity["text"], "labels": [entity["label"]]}
    region = {"id": str(number), "from_name": "label", "to_name": "text", "type": "labels"}
    return region | {"value": value} | ({"score": entity["score"]} if "score" in entity else {})


def _units(text: str) -> int:
    """UTF-16 units, which JavaScript counts."""
    return len(text.encode("utf-16-le")) // 2
