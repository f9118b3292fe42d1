"""A learning curve for a person: what was measured, what is predicted, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bertft.console.console import Console

CLASSES = 6


def show_curve(console: Console, content: Mapping[str, Any], folder: Path) -> None:
    """A row for each size, predicted ones with their interval; then the sentence."""
    now = content["points"][-1]["examples"]
    rows = [
        (f"{one['examples']:,.0f}", one["mean"], f"{min(one['scores']):.4f} - "
         f"{max(one['scores']):.4f}", "measured")
        for one in content["points"]
    ]  # fmt: skip
    rows += [
        (f"{one['examples']:,.0f}", one["value"], f"{one['low']:.4f} - {one['high']:.4f}",
         f"predicted, {one['examples'] / now:g} x")
        for one in content["predicted"]
    ]  # fmt: skip
    metric = f"{content['split']} {content['metric']}"
    console.show_table(("training rows", metric, "seeds, or 95 % interval", ""), rows)
    if len(content["classes"]) > 1:
        console.print()
        best = content["classes"][:CLASSES]
        table = [(one["class"], one["f1"], f"{one['gain']:+.4f}") for one in best]
        console.show_table(("class", "F1 now", "with twice the rows"), table)
    console.print()
    console.say(content["says"])
    console.note(f"written: {folder}/curve.json, {folder}/curve.html")
