"""report.html and report.json: what a run or an evaluation has left in its folder, as one page and
as data.

recipe.toml, environment.json, journal.jsonl -> About     (of the run)
predictions.jsonl -> Seen, scores.json's content          (of the evaluation)
About + Seen + scores -> page (page.py) -> report.html; content.py -> report.json
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from bertft.errors import RunError
from bertft.reports.content import report_content
from bertft.reports.examples import look
from bertft.reports.page import About, web_page
from bertft.runs.counterpart import find_beside
from bertft.runs.stored import DAMAGED, read_environment
from bertft.runs.writing import new_file, write_json
from bertft.training.history import read_history
from bertft.training.journal import read_journal


def read_about(run: Path, *, task: Mapping[str, Any]) -> About:
    """What a run directory says of its training; of a lone model folder, less.

    ``task`` are the settings of the task, as it is scored.

    Raises:
        RunError: environment.json or journal.jsonl is damaged.
    """
    recipe, journal = run / "recipe.toml", run / "journal.jsonl"
    text = recipe.read_text(encoding="utf-8") if recipe.exists() else ""
    try:
        history = read_history(read_journal(journal) if journal.exists() else ())
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{journal}: not readable ({error!r})", hint=DAMAGED) from None
    found = read_environment(run / "environment.json")
    return About(run.resolve().name, task, text, found, history)


def write_report(folder: Path, about: About, scores: Mapping[str, Any]) -> None:
    """Write report.html and report.json into a folder that holds predictions.jsonl already."""
    scoring = about.task.get("scoring", "squad")  # only questions have one
    # What is learned from text alone has no gold, so no answers that are wrong.
    rows = (row for row in _rows(folder / "predictions.jsonl") if "gold" in row)
    seen = look(rows, scoring=scoring)
    beside = find_beside(folder, scores)
    with new_file(folder / "report.html") as file:
        file.write(web_page(about, scores, seen, beside=beside))
    content = report_content(about.name, about.task, scores, seen, beside=beside)
    write_json(folder / "report.json", content)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():  # nothing was scored
        return
    with path.open(encoding="utf-8") as file:
        yield from map(from_json, file)  # three times as fast as json, of 100,000 lines
