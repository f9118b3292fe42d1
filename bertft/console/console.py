"""What a person reads of a long job: notes, the plan, steps, a progress bar; on stderr, by rich."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bertft.console.tables import safe, short, table_of

if TYPE_CHECKING:
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
        self._rich.print(f"[dim]·[/dim] {safe(text)}")

    def plan(self, plan: TrainingPlan) -> None:
        sizes = ", ".join(f"{split} {count:,}" for split, count in plan.examples.items())
        labels = ", ".join(map(short, plan.labels[:8])) + ", ..." * (len(plan.labels) > 8)
        labels = f"{len(plan.labels)}: {safe(labels)}"
        trained = f"{plan.trainable / 1e6:.1f} M of {plan.parameters / 1e6:.1f} M parameters"
        how = "" if plan.mode == "fine-tune" else f" as {plan.mode}"
        title = f"[bold]{plan.task}[/bold] with {safe(plan.model)}{how}"
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

    def show_table(self, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A plain table; columns of numbers to the right."""
        self._rich.print(table_of(headings, rows))

    def print(self, what: RenderableType = "") -> None:
        """Markup, or a table, of ours: what comes from data was made ``safe``."""
        self._rich.print(what)

    def say(self, text: str) -> None:
        """A line that is neither a warning nor a result."""
        self._rich.print(safe(text))

    def error(self, text: str) -> None:
        """The one line of an error."""
        self.close()
        self._rich.print(f"[bold red]error:[/bold red] {safe(text)}")
