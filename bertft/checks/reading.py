"""Rows of a file for checks: usable examples out, and findings about the rest of it."""

from __future__ import annotations

from typing import Any

from bertft.checks.finding import Finding, Place
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
            hint = "the file needs rows; a table has a header above them"
            raise DataError("no rows", path=path, hint=hint, code="unreadable")
    except DataError as error:
        error.code = error.code or "unreadable"
        refused(error)
    skipped = data.on_bad_row == "skip" and examples
    findings = refused.findings(
        severity="warning" if skipped else "error", split=split, read=len(examples)
    )
    return examples, findings + meter_findings(source, split=split)


def meter_findings(source: Source, *, split: str) -> list[Finding]:
    """How a file was read: what was guessed, put right and left out, and what is doubtful."""
    meter = source.meter
    findings = [
        Finding("warning", one.code, split, one.what, one.count, one.of, one.hint)
        for one in meter.doubts
    ]
    findings += [Finding("warning", "other-task", split, one, 1) for one in meter.warnings]
    if meter.notes:
        places = tuple(Place(source.path, 0, note) for note in meter.notes)
        what = "guesses about how the file is written"
        findings.append(Finding("note", "read-as", split, what, len(places), places=places))
    for code, counts in (("left-out", meter.counts), ("put-right", meter.repaired)):
        findings += [Finding("note", code, split, what, n) for what, n in counts.items()]
    return findings
