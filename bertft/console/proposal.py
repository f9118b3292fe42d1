"""What ``init`` found in a file, and what comes next, for a person."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bertft.words import counted

if TYPE_CHECKING:
    from bertft.console.console import Console
    from bertft.jobs.proposal import Proposal

SHOWN = 8
"""Labels that are named."""


def show_proposal(console: Console, proposal: Proposal, *, target: Path) -> None:
    """Facts of the file in lines, the recipe, and the commands that use it."""
    look = proposal.look
    for note in look.meter.notes:
        console.note(f"{look.path}: {note}")
    refused = f", {counted(look.refused, 'row')} left out (the first: {look.first})"
    labels = [f"{name} {count:,}" for name, count in look.labels.most_common(SHOWN)]
    more = f", ... ({len(look.labels)})" * (len(look.labels) > SHOWN)
    facts = {
        "task": proposal.what,
        "columns": ", ".join(proposal.columns),
        "rows": f"{len(look.examples):,}{refused if look.refused else ''}",
        "labels": ", ".join(labels) + more,
        "language": proposal.language,
        "lengths": str(proposal.lengths),
        "encoder": proposal.encoder,
        "recipe": str(target),
    }
    for name, value in facts.items():
        if value:
            console.say(f"{name:<9} {value}")
    name = shlex.quote(str(target))
    console.say("")
    console.say(f"next      bertft check {name}")
    console.say(f"          bertft train {name}")
