"""What ``check`` found, for a person: counts of each split, then findings with places."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from bertft.checks.finding import SEVERITIES
from bertft.checks.finding import short as cut
from bertft.console.tables import safe, short
from bertft.words import counted

if TYPE_CHECKING:
    from bertft.checks.finding import Finding
    from bertft.checks.report import Report
    from bertft.console.console import Console
    from bertft.jobs.label_errors import LabelErrors

SUSPECTS = 12
"""Doubted labels that are shown; all are in the file."""


def show_report(console: Console, report: Report, *, examples: int) -> None:
    """Counts of each split, then the findings, worst first, with places and the way out."""
    console.print(f"[bold]{report.task}[/bold] with {escape(report.encoder)}")
    console.print(_split_table(report))
    for name, facts in report.splits.items():
        labels = [f"{label} {count:,}" for label, count in facts["labels"].items()]
        labels += [f"{name} {value:g}" for name, value in facts.get("numbers", {}).items()]
        if labels:
            more = f", ... ({len(labels)} labels)" if len(labels) > 8 else ""
            console.say(f"{name}: {', '.join(labels[:8])}{more}")
    for group in report.groups():
        console.print()
        _show_group(console, group, examples=examples)
    console.print()
    console.say(", ".join(counted(report.count(one), one) for one in SEVERITIES))


def show_label_errors(console: Console, found: LabelErrors, *, out: str) -> None:
    """The labels to be doubted most, and what is to be done with the file of all of them."""
    console.print()
    texts = ("entity", "text", "text_pair")
    rows = [
        (
            one["line"],
            short(one["given"]),
            short(one["suggested"]),
            one["probability"],
            " | ".join(cut(one[name], longest=60) for name in texts if name in one),
        )
        for one in found.rows[:SUSPECTS]
    ]
    if rows:
        console.show_table(("line", "given", "likely", "probability", "text"), rows)
    share = f"{len(found.rows) / found.examples:.1%}"
    suspects = counted(len(found.rows), "label")
    console.say(f"{suspects} to look at in {found.examples:,} rows ({share} as many): {out}")
    if rows:
        console.say("next    write what is right into its column 'corrected', then train with")
        console.say(f"        --set data.corrections={out}")


def _show_group(console: Console, group: Sequence[Finding], *, examples: int) -> None:
    """One kind of finding: where and how often, some places, the way out."""
    first = group[0]
    colour = {"error": "bold red", "warning": "yellow", "note": "dim"}[first.severity]
    title = f"{safe(first.what)} [dim]({first.code})[/dim]"
    console.print(f"[{colour}]{first.severity}[/{colour}] {title}")
    console.say("    " + "; ".join(f"{one.split}: {one.amount}" for one in group))
    places = (place for row in zip_longest(*(one.places for one in group)) for place in row)
    for place in islice(filter(None, places), examples):
        where = f"{place.file}:{place.line}" if place.line else place.file
        console.print(f"    [dim]{safe(where)}[/dim]  {safe(place.text)}")
    if first.fix:
        console.print(f"    [dim]fix:[/dim] {safe(first.fix)}")


def _split_table(report: Report) -> Table:
    """Rows, lengths in tokens, share of [UNK] and majority baseline of each split."""
    headings = ["split", "rows", "tokens: median", "p95", "max", "\\[UNK]", "majority"]
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "split" else "right")
    for name, facts in report.splits.items():
        tokens = facts.get("tokens") or {}
        lengths = [f"{tokens[key]:,.0f}" if tokens else "" for key in ("median", "p95", "max")]
        unknown = f"{tokens['unknown_share']:.2%}" if tokens else ""
        share = "" if facts["majority"] is None else f"{facts['majority']:.1%}"
        table.add_row(name, f"{facts['rows']:,}", *lengths, unknown, share)
    return table
