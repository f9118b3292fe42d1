"""The journal of a run: one JSON object per line, each number of the run written once.

Lines: {"event": NAME, "seconds": since the start, ...} with the events plan, start, step, scores,
note and finish.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertft.contracts import StepReport


class Journal:
    """Appends to ``journal.jsonl``; every line is flushed, so a killed run keeps its lines."""

    def __init__(self, path: Path) -> None:
        _drop_cut_line(path)
        self._file = path.open("a", encoding="utf-8")
        self._start = time.perf_counter()

    def write(self, event: str, fields: dict[str, Any]) -> None:
        seconds = round(time.perf_counter() - self._start, 3)
        line = json.dumps({"event": event, "seconds": seconds, **fields}, ensure_ascii=False)
        self._file.write(line + "\n")
        self._file.flush()

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

    def close(self) -> None:
        self._file.close()


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Events of a journal; a last line that was cut off is left out."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def _drop_cut_line(path: Path) -> None:
    """A line without its end was being written when a run was killed: it is not kept."""
    if path.exists():
        content = path.read_bytes()
        path.write_bytes(content[: content.rfind(b"\n") + 1])
