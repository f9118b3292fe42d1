"""A copy of tagged texts in which what was wrong in the same way throughout is put right.

In: a Source with gold. Out: JSON lines with ``text`` and ``entities`` in characters (``tokens`` and
``ner_tags`` where the file gives words), written only where there is anything to put right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.loaders.tagged import TaggedText
from bertft.spans import entities_to_tags


def repair_tagged(task: Any, source: Source, out: Path) -> tuple[int, int]:
    """Write the copy to ``out``: (what was put right in it, rows that could not be read).

    ``task`` reads the source; where all its offsets count something else, they are read so.

    Raises:
        DataError: the file cannot be read, or ``out`` exists or cannot be written.
    """
    first = replace(source, bad_row=lambda _: None, meter=type(source.meter)())
    for _ in task.read(first):
        pass
    unit = next((one.value for one in first.meter.doubts if one.code == "offsets"), "")
    if unit:
        task = replace(task, options=task.options.model_copy(update={"offsets": unit}))
    elif not first.meter.mended:
        return 0, 0
    lost: list[DataError] = []
    again = replace(source, bad_row=lost.append, meter=type(source.meter)())
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            entities = 0
            for one in task.read(again):
                file.write(json.dumps(_row(one), ensure_ascii=False) + "\n")
                entities += len(one.entities or ())
    except FileExistsError:
        raise DataError("exists already", path=str(out), hint="choose another --fix") from None
    except OSError as error:
        out.unlink(missing_ok=True)
        raise DataError(f"cannot be written ({error.strerror})", path=str(out)) from None
    return (entities if unit else again.meter.mended.total()), len(lost)


def _row(one: TaggedText) -> dict[str, Any]:
    if one.words is None:
        return {"id": one.id, "text": one.text, "entities": list(_spans(one))}
    words = [one.text[start:end] for start, end in one.words]
    return {
        "id": one.id,
        "tokens": words,
        "ner_tags": entities_to_tags(one.entities or (), one.words),
    }


def _spans(one: TaggedText) -> Iterator[dict[str, Any]]:
    for entity in one.entities or ():
        yield {"start": entity.start, "end": entity.end, "label": entity.label}
