"""The journal of a run: one JSON object per line, each number of the run written once.

Lines: {"event": NAME, "seconds": since the start, ...} with the events plan, start, step, scores,
note and finish.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertft.watch import StepReport


class Journal:
    """Appends to ``journal.jsonl``, unbuffered, so that a killed run keeps its lines.

    Without a path it keeps nothing: of several processes only the main one writes.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._file = path, -1
        if path is not None:
            if path.exists():
                _drop_cut_line(path)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        self._start = time.perf_counter()

    def write(self, event: str, fields: dict[str, Any]) -> None:
        if self._path is None:
            return
        seconds = round(time.perf_counter() - self._start, 3)
        line = json.dumps({"event": event, "seconds": seconds, **fields}, ensure_ascii=False)
        rest = f"{line}\n".encode()
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def notes(self, texts: list[str]) -> None:
        """What was said beside the figures: a changed plan, rows left out, texts cut."""
        for text in texts:
            self.write("note", {"text": text})

    def step(self, report: StepReport) -> None:
        self.write(
            "step",
            {
                "epoch": report.epoch,
                "step": report.step,
                "loss": report.loss,
                "learning_rate": report.learning_rate,
                "gradient_norm": report.gradient_norm,
                "examples": report.examples,
                "tokens": report.tokens,
                "step_seconds": round(report.seconds, 4),
            },
        )
        if report.scores is not None:
            fields = {"step": report.step, "split": "dev", "is_best": report.is_best}
            self.write("scores", {**fields, "scores": report.scores})
        if report.stop_reason:
            self.write("note", {"step": report.step, "text": f"stopped: {report.stop_reason}"})

    def flush(self) -> None:
        """Bring all lines to the disk: a checkpoint must not outlive the journal of its steps.

        Raises:
            FileNotFoundError: the file was removed meanwhile; its lines are lost.
        """
        if self._path is None:
            return
        if os.fstat(self._file).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._path))
        os.fsync(self._file)

    def close(self) -> None:
        if self._path is not None:
            os.close(self._file)


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Events of a journal; a last line that was cut off is left out."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def cut_back(path: Path, *, step: int) -> None:
    """Drop what was written after a step, for it will be done again; at once or not at all."""
    if not path.exists():
        return
    kept = 0
    with path.open("rb") as file:
        for line in file:
            event = _event(line)
            if event.get("event") == "finish" or event.get("step", 0) > step:
                break
            kept += len(line)
    os.truncate(path, kept)


def _event(line: bytes) -> dict[str, Any]:
    """The event of a line; empty for a line that was damaged."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _drop_cut_line(path: Path) -> None:
    """A line without its end was being written when a run was killed: it is not kept."""
    content = path.read_bytes()
    os.truncate(path, content.rfind(b"\n") + 1)
