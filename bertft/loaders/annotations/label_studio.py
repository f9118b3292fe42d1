"""Label Studio's exports: JSON (a task with its ``data`` and ``annotations``) and JSON-MIN.

Of several annotations of a text the first that was not cancelled counts; predictions do where no
task was annotated by a person. Offsets after an emoji count UTF-16 units there: they are turned
into characters where the text that is given with a span shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bertft.loaders.annotations.family import Family, Fields, Marked, identity, objects
from bertft.loaders.offsets import convert, fits

UNDONE = "texts without an annotation (cancelled, or not yet made) are left out"
_MINIMAL_KEYS = {"annotator", "annotation_id", "created_at", "updated_at", "lead_time"}


def _fits_tasks(fields: Fields) -> bool:
    kinds = ("annotations", "completions", "predictions")
    return isinstance(fields.get("data"), Mapping) and any(
        isinstance(fields.get(kind), list) for kind in kinds
    )


def _read_task(fields: Fields) -> Marked:
    data = fields.get("data")
    marked = Marked(_text(data), identity(fields))
    made = objects(fields.get("annotations", fields.get("completions")))
    usable = [one for one in made if not one.get("was_cancelled")]
    if not made and (predictions := objects(fields.get("predictions"))):
        usable = predictions[:1]
        marked.lost["texts were annotated by a model (predictions), which are read as gold"] = 1
    if not usable:
        marked.left_out = UNDONE
        return marked
    if len(usable) > 1:
        marked.lost["further annotations of the same text are left out"] = len(usable) - 1
    _results(objects(usable[0].get("result")), marked)
    return marked


def _text(data: Any) -> Any:
    """The text of a task: ``text``, or the one value that is a text."""
    if not isinstance(data, Mapping) or isinstance(data.get("text"), str):
        return data.get("text") if isinstance(data, Mapping) else None
    texts = [value for value in data.values() if isinstance(value, str)]
    return texts[0] if len(texts) == 1 else None


def _results(results: list[Mapping[str, Any]], marked: Marked) -> None:
    for one in results:
        value = one.get("value")
        value = value if isinstance(value, Mapping) else {}
        if isinstance(value.get("choices"), list):
            marked.labels += value["choices"]
        elif isinstance(value.get("labels"), list) and "start" in value:
            marked.spans += _span(value, text=marked.text)
        else:
            what = f"annotations of the type '{str(one.get('type'))[:40]}' are left out"
            marked.lost[what] += 1


def _span(value: Mapping[str, Any], *, text: Any) -> list[dict[str, Any]]:
    """One span for each of its labels, in characters where its text tells."""
    start, end, covered = value.get("start"), value.get("end"), value.get("text")
    if isinstance(text, str) and type(start) is int and type(end) is int:
        place = convert(text, start, end, unit="utf-16")
        if isinstance(covered, str) and place and fits(text, place, covered=covered):
            start, end = place
    given = {"start": start, "end": end}
    given |= {"text": covered} if isinstance(covered, str) else {}
    return [given | {"label": label} for label in value["labels"]]


def _minimal_spans(fields: Fields) -> list[str]:
    return [
        name
        for name, value in fields.items()
        if (spans := objects(value)) and all("start" in one and "labels" in one for one in spans)
    ]


def _fits_minimal(fields: Fields) -> bool:
    return bool(_minimal_spans(fields)) or (
        len(_MINIMAL_KEYS & fields.keys()) >= 3 and _minimal_text(fields) is not None
    )


def _minimal_text(fields: Fields) -> Any:
    return fields.get("text") if isinstance(fields.get("text"), str) else None


def _read_minimal(fields: Fields) -> Marked:
    marked = Marked(fields.get("text"), identity(fields), lost=Counter())
    if fields.get("was_cancelled"):
        marked.left_out = UNDONE
    for name in _minimal_spans(fields):
        for value in objects(fields[name]):
            if isinstance(value["labels"], list):
                marked.spans += _span(value, text=marked.text)
    for name in ("sentiment", "choice", "choices", "label", "labels", "class", "category"):
        given = fields.get(name)
        if isinstance(given, Mapping):
            given = given.get("choices")
        if isinstance(given, str):
            marked.labels.append(given)
        elif isinstance(given, list) and all(isinstance(one, str) for one in given):
            marked.labels += given
    return marked


TASKS = Family("Label Studio's JSON", "", _fits_tasks, _read_task)
MINIMAL = Family("Label Studio's JSON-MIN", "entities", _fits_minimal, _read_minimal)
