"""Entities as a page: answers of a NER model go in, one by one; a paragraph each comes out.

Entities are coloured by their type. Memory does not grow with the answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bertft.contracts import Answer
from bertft.prediction.formats import Write, text_parts
from bertft.reports.templating import frame, render
from bertft.terminal import Writable


@contextmanager
def entities_page(file: Writable) -> Iterator[Write]:
    """As the formats of prediction/formats.py: a function that writes an answer to ``file``."""
    hues: dict[str, float] = {}

    def hue(label: str) -> str:
        return f"{hues.setdefault(label, len(hues) * 137.5 % 360):.0f}"  # the golden angle

    def write(answer: Answer) -> None:
        error = str(answer.get("error", ""))
        told = () if error else text_parts(answer)
        parts = [(text, label, hue(label) if label else "") for text, label in told]
        file.write(
            str(render("entities_text.html.j2", id=str(answer["id"]), parts=parts, error=error))
        )

    head, tail = frame("entities.html.j2")
    file.write(head)
    yield write
    file.write(tail)
