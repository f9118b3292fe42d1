"""What a program reads: lines, JSON, tables on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console as RichConsole

from bertft.console.tables import laid_out, shown
from bertft.terminal import shown as printable_stream


def emit_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout: laid out on a terminal, tab-separated for a pipe."""
    if sys.stdout.isatty():
        console = RichConsole(highlight=False, emoji=False)
        console.print(laid_out(headings, rows, width=console.width))
        return
    for row in [headings, *rows]:
        emit("\t".join(map(shown, row)))


def emit_facts(facts: Mapping[str, Any]) -> None:
    """Names and values on stdout, one to a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {inner}" for key, inner in value.items())
        elif isinstance(value, (list, tuple)):
            value = ", ".join(str(one) for one in value)
        emit(f"{name:<{width}}  {value}")


def emit(text: str) -> None:
    """A line for programs, on stdout."""
    printable_stream(sys.stdout).write(text + "\n")


def emit_line(content: Mapping[str, Any]) -> None:
    """A JSON object for programs, on one line of stdout."""
    emit(json.dumps(content, ensure_ascii=False))


def emit_json(content: Any) -> None:
    """A JSON document for programs, on stdout."""
    emit(json.dumps(content, ensure_ascii=False, indent=2, default=str))
