"""Where a run stands: its steps so far and in all, and what it takes on the disk."""

from __future__ import annotations

import json
from pathlib import Path

from bertft.training.folders import STATE, saved_folders
from bertft.training.journal import read_journal


def steps_done(run: Path) -> tuple[int, int]:
    """(steps that a checkpoint holds, else that the journal tells of; all that are planned)."""
    path = run / "journal.jsonl"
    events = list(read_journal(path)) if path.is_file() else []
    planned = next((event["steps"] for event in events if event.get("event") == "plan"), 0)
    saved = saved_step(run)
    steps = [event.get("step", 0) for event in events if event.get("event") == "step"]
    return (max(steps, default=0) if saved is None else saved), planned


def saved_step(run: Path) -> int | None:
    """The step of the newest checkpoint; None without one that can be read."""
    for folder in saved_folders(run / "last"):
        try:
            saved = json.loads((folder / STATE).read_text(encoding="utf-8"))
            return int(saved["progress"]["step"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
