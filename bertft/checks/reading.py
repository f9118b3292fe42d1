"""Rows of a file for checks: usable examples out, and findings about the rest of it."""

from __future__ import annotations

from typing import Any

from bertft.checks.finding import Finding
from bertft.checks.refused import Refused
from bertft.contracts import Task
from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.settings import DataSettings


def read_rows(
    task: Task[Any], path: str, data: DataSettings, *, split: str
) -> tuple[list[Any], list[Finding]]:
    """All usable examples of a file, and findings about the rest of it."""
    refused = Refused(path)
    source = Source(path, data=data, bad_row=refused)
    examples: list[Any] = []
    try:
        examples.extend(task.read(source))
        if not examples and not refused.count:
            hint = "the file needs a header and rows"
            raise DataError("no rows", path=path, hint=hint, code="unreadable")
    except DataError as error:
        error.code = error.code or "unreadable"
        refused(error)
    skipped = data.on_bad_row == "skip" and examples
    findings = refused.findings(
        severity="warning" if skipped else "error", split=split, read=len(examples)
    )
    for what, count in source.meter.counts.items():
        findings.append(Finding("note", "left-out", split, what, count))
    for what, count in source.meter.mended.items():
        findings.append(Finding("note", "mended", split, what, count))
    return examples, findings
