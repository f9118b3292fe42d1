"""All that a person reads in the terminal: stderr, through rich. The only module that prints.

``Console`` watches long jobs (a progress bar on a terminal, plain lines otherwise); the ``show_``
functions lay out results. What a program reads goes to stdout, through ``emit``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from bertft.checks.finding import SEVERITIES
from bertft.terminal import printable, shown

if TYPE_CHECKING:
    from bertft.checks.finding import Finding
    from bertft.checks.report import Report
    from bertft.commands.train import TrainResult
    from bertft.watch import StepReport, TrainingPlan

PLAIN_SECONDS = 10.0


class Console:
    """Watches a job and tells it on stderr."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._rich = RichConsole(
            stderr=True, highlight=False, soft_wrap=True, emoji=False, quiet=quiet
        )
        self._bar: Progress | None = None
        self._task: Any = None
        self._started = time.perf_counter()
        self._told = 0.0

    def note(self, text: str) -> None:
        self._rich.print(f"[dim]·[/dim] {_safe(text)}")

    def plan(self, plan: TrainingPlan) -> None:
        sizes = ", ".join(f"{split} {count:,}" for split, count in plan.examples.items())
        labels = ", ".join(map(_short, plan.labels[:8])) + ", ..." * (len(plan.labels) > 8)
        labels = f"{len(plan.labels)}: {_safe(labels)}"
        trained = f"{plan.trainable / 1e6:.1f} M of {plan.parameters / 1e6:.1f} M parameters"
        how = "" if plan.mode == "fine-tune" else f" as {plan.mode}"
        title = f"[bold]{plan.task}[/bold] with {_safe(plan.model)}{how}"
        self._rich.print(f"{title} ({trained} trained)")
        self._rich.print(f"  examples  {sizes}")
        if plan.labels:
            self._rich.print(f"  labels    {labels}")
        if plan.windows != plan.examples["train"]:
            self._rich.print(f"  windows   {plan.windows:,} for training")
        if plan.truncated:
            self._rich.print(
                f"  [yellow]cut[/yellow]       {plan.truncated:,} texts exceed max_length"
            )
        if plan.unknown_share > 0.01:
            self._rich.print(
                f"  [yellow]unknown[/yellow]   {plan.unknown_share:.1%} of the tokens are [UNK]"
            )
        self._rich.print(f"  steps     {plan.steps:,} of {plan.batch} ({plan.epochs} epochs)")
        threads = f", {plan.threads} threads" if plan.device == "cpu" else ""
        if not plan.packed:
            self.note("this encoder cannot take packed batches: batches are padded instead")
        self._rich.print(f"  machine   {plan.device}, {plan.precision}{threads} ({plan.reason})")

    def step(self, report: StepReport) -> None:
        self._show_step(report)
        if report.scores is not None:
            shown = "  ".join(
                f"{name} {value:.4f}" for name, value in list(report.scores.items())[:3]
            )
            star = " [green]best[/green]" if report.is_best else ""
            self._rich.print(f"step {report.step:,}  loss {report.loss:.4f}  dev {shown}{star}")
        if report.is_last:
            self.close()
            if report.stop_reason:
                self.note(f"stopped early: {report.stop_reason}")

    def _show_step(self, report: StepReport) -> None:
        rate = report.examples / max(report.seconds, 1e-9)
        if self._rich.is_terminal:
            bar = self._progress("training", report.total_steps)
            bar.update(self._task, completed=report.step, rate=f"{rate:,.0f} ex/s")
        elif self._is_due():
            where = f"step {report.step:,}/{report.total_steps:,}"
            self._rich.print(f"{where}  loss {report.loss:.4f}  {rate:,.0f} ex/s")

    def advance(self, done: int, fraction: float | None, *, what: str = "answered") -> None:
        if self._rich.is_terminal:
            bar = self._progress(what, 1.0)
            rate = done / max(time.perf_counter() - self._started, 1e-9)
            self._bar_total(fraction)
            bar.update(self._task, completed=fraction or 0.0, rate=f"{done:,} done, {rate:,.0f}/s")
        elif self._is_due():
            share = "" if fraction is None else f" ({fraction:.0%})"
            self._rich.print(f"{done:,} {what}{share}")

    def _is_due(self) -> bool:
        now = time.perf_counter()
        if now - max(self._told, self._started) < PLAIN_SECONDS:
            return False
        self._told = now
        return True

    def _progress(self, what: str, total: float) -> Progress:
        if self._bar is not None and self._bar.tasks[0].description != what:
            self.close()
        if self._bar is None:
            self._started = time.perf_counter()
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._rich,
                transient=True,
            )
            self._task = self._bar.add_task(what, total=total, rate="")
            self._bar.start()
        return self._bar

    def _bar_total(self, fraction: float | None) -> None:
        if self._bar is not None and fraction is None:
            self._bar.update(self._task, total=None)

    def close(self) -> None:
        """Take the progress bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def show_scores(self, content: Mapping[str, Any]) -> None:
        """Metrics with their intervals beside the baseline, then the classes."""
        title = _safe(f"{content['split']}: {content['n']:,} examples")
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for heading in ("score", "value", "95 % interval", "baseline"):
            table.add_column(heading, justify="left" if heading == "score" else "right")
        for name, score in content["metrics"].items():
            low, high = score.get("low"), score.get("high")
            interval = "" if low is None or high is None else f"{low:.4f} - {high:.4f}"
            floor = content["baseline"].get(name)
            table.add_row(
                _safe(name),
                f"{score['value']:.4f}",
                interval,
                "" if floor is None else f"{floor:.4f}",
            )
        self._rich.print(table)
        self._show_classes(content.get("per_class", {}))

    def _show_classes(self, classes: Mapping[str, Mapping[str, float]], *, most: int = 12) -> None:
        rows = [
            [
                _short(name),
                *(f"{c[key]:.3f}" for key in ("precision", "recall", "f1")),
                f"{c['support']:,.0f}",
            ]
            for name, c in list(classes.items())[:most]
        ]
        if rows:
            self._rich.print()
            self.show_table(("class", "precision", "recall", "f1", "support"), rows)
        if len(classes) > most:
            self.note(f"{len(classes) - most} more classes in scores.json")

    def show_seeds(self, results: Sequence[TrainResult], summary: Mapping[str, float]) -> None:
        """The metric of each seed's run, then mean and standard deviation."""
        metric = results[0].scores["metric"]
        rows = [(one.run, f"{one.scores['metrics'][metric]['value']:.4f}") for one in results]
        self.show_table(("run", f"{results[0].split} {metric}"), rows)
        mean, deviation = summary["mean"], summary["deviation"]
        self.say(f"mean {mean:.4f}, standard deviation {deviation:.4f} over {len(results)} seeds")
        if collapsed := int(summary["collapsed"]):
            self.note(f"{collapsed} collapsed: no better than always answering the majority class")

    def show_report(self, report: Report, *, examples: int) -> None:
        """Counts of each split, then the findings, worst first, with places and the way out."""
        self._rich.print(f"[bold]{report.task}[/bold] with {escape(report.encoder)}")
        self._rich.print(_split_table(report))
        for name, facts in report.splits.items():
            labels = [f"{label} {count:,}" for label, count in facts["labels"].items()]
            labels += [f"{name} {value:g}" for name, value in facts.get("numbers", {}).items()]
            if labels:
                more = f", ... ({len(labels)} labels)" if len(labels) > 8 else ""
                self.say(f"{name}: {', '.join(labels[:8])}{more}")
        for group in report.groups():
            self._rich.print()
            self._show_group(group, examples=examples)
        self._rich.print()
        self.say(", ".join(f"{one}s {report.count(one)}" for one in SEVERITIES))

    def _show_group(self, group: Sequence[Finding], *, examples: int) -> None:
        """One kind of finding: where and how often, some places, the way out."""
        first = group[0]
        colour = {"error": "bold red", "warning": "yellow", "note": "dim"}[first.severity]
        title = f"{_safe(first.what)} [dim]({first.code})[/dim]"
        self._rich.print(f"[{colour}]{first.severity}[/{colour}] {title}")
        self.say("    " + "; ".join(f"{one.split}: {one.amount}" for one in group))
        places = (place for row in zip_longest(*(one.places for one in group)) for place in row)
        for place in islice(filter(None, places), examples):
            where = f"{place.file}:{place.line}" if place.line else place.file
            self._rich.print(f"    [dim]{_safe(where)}[/dim]  {_safe(place.text)}")
        if first.mend:
            self._rich.print(f"    [dim]mend:[/dim] {_safe(first.mend)}")

    def show_table(self, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A plain table; columns of numbers to the right."""
        self._rich.print(_table(headings, rows))

    def say(self, text: str) -> None:
        """A line that is neither a warning nor a result."""
        self._rich.print(_safe(text))

    def error(self, text: str) -> None:
        """The one line of an error."""
        self.close()
        self._rich.print(f"[bold red]error:[/bold red] {_safe(text)}")


def _safe(text: str) -> str:
    """Text for the terminal: what data hold cannot move the cursor or pass for markup."""
    return escape(printable(" ".join(text.splitlines())))


def _short(label: str) -> str:
    return label if len(label) <= 60 else label[:57] + "..."


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


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    table = Table(box=None, pad_edge=False)
    cells = [[str(cell) for cell in row] for row in rows]
    for index, heading in enumerate(headings):
        numbers = all(row[index].replace(".", "").replace(",", "").isdigit() for row in cells)
        table.add_column(_safe(heading), justify="right" if numbers else "left")
    for row in cells:
        table.add_row(*(_safe(cell) for cell in row))
    return table


def emit_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout: laid out on a terminal, tab-separated for a pipe."""
    if sys.stdout.isatty():
        RichConsole(highlight=False, emoji=False).print(_table(headings, rows))
        return
    for row in [headings, *rows]:
        emit("\t".join(str(cell) for cell in row))


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
    shown(sys.stdout).write(text + "\n")


def emit_line(content: Mapping[str, Any]) -> None:
    """A JSON object for programs, on one line of stdout."""
    emit(json.dumps(content, ensure_ascii=False))


def emit_json(content: Any) -> None:
    """A JSON document for programs, on stdout."""
    emit(json.dumps(content, ensure_ascii=False, indent=2, default=str))
