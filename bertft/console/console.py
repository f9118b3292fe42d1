"""What a person reads of a long job: notes, the plan, steps, a progress bar; on stderr, by rich."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console as RichConsole
from rich.console import RenderableType

from bertft.console.progress import Bar, pace_text
from bertft.console.tables import laid_out, safe, short
from bertft.words import counted

if TYPE_CHECKING:
    from bertft.watch import StepReport, TrainingPlan

PLAIN_SECONDS = 10.0


class Console:
    """Watches a job and tells it on stderr; a bar only where nothing else is written meanwhile."""

    def __init__(self, *, quiet: bool = False, bar: bool = True) -> None:
        self._rich = RichConsole(
            stderr=True, highlight=False, soft_wrap=True, emoji=False, quiet=quiet
        )
        self._bar: Bar | None = None
        self._has_bar = bar and self._rich.is_terminal
        self._plan: TrainingPlan | None = None
        self._learned = (0, 0.0)  # examples and seconds of the steps so far
        self._told = time.perf_counter()

    def note(self, text: str) -> None:
        self._rich.print(f"[dim]·[/dim] {safe(text)}")

    def plan(self, plan: TrainingPlan) -> None:
        self._plan = plan
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
            cut = counted(plan.truncated, "text")
            self._rich.print(f"  [yellow]cut[/yellow]       {cut} longer than max_length")
        if plan.unknown_share > 0.01:
            self._rich.print(
                f"  [yellow]unknown[/yellow]   {plan.unknown_share:.1%} of the tokens are [UNK]"
            )
        epochs = counted(plan.epochs, "epoch")
        self._rich.print(f"  steps     {plan.steps:,}, batch size {plan.batch} ({epochs})")
        threads = f", {counted(plan.threads, 'thread')}" if plan.device == "cpu" else ""
        if not plan.packed:
            self.note("this encoder cannot take packed batches: batches are padded instead")
        self._rich.print(f"  machine   {plan.device}, {plan.precision}{threads} ({plan.reason})")

    def step(self, report: StepReport) -> None:
        self._show_step(report)
        if report.scores is not None:
            shown = "  ".join(
                f"{name} {value:.4f}" for name, value in list(report.scores.items())[:3]
            )
            name = "kept" if self._plan is not None and self._plan.keep == "last" else "best"
            star = f"  [green]{name}[/green]" if report.is_best else ""
            self._rich.print(f"step {report.step:,}  loss {report.loss:.4f}  dev {shown}{star}")
        if report.is_last:
            self.close()
            if report.stop_reason:
                self.note(f"stopped early: {report.stop_reason}")

    def _show_step(self, report: StepReport) -> None:
        """Epoch, step, loss, rate and time left: as a bar, or now and then as a line."""
        examples, seconds = self._learned
        self._learned = (examples + report.examples, seconds + report.seconds)
        rate = self._learned[0] / max(self._learned[1], 1e-9)
        epoch = f"epoch {report.epoch + 1}/{self._plan.epochs}  " if self._plan else ""
        text = f"{epoch}step {report.step:,}/{report.total_steps:,}  loss {report.loss:.4f}"
        if not self._has_bar:
            if self._is_due():
                self._rich.print(f"{text}  {rate:,.0f} examples/s")
            return
        bar = self._bar_of("training", first=report.step - 1)
        left = pace_text(bar.pace, report.step, of=report.total_steps, shown_rate=rate)
        bar.show(text + left, share=report.step / report.total_steps)

    def advance(
        self,
        done: int,
        fraction: float | None,
        *,
        total: int | None = None,
        what: str = "predicted",
    ) -> None:
        amount = f"{done:,}" if total is None else f"{done:,}/{total:,}"
        share = done / total if total else fraction
        if not self._has_bar:
            if done and self._is_due():
                percent = "" if share is None else f" ({share:.0%})"
                self._rich.print(f"{what} {amount}{percent}")
            return
        bar = self._bar_of(what, first=done)
        end = done / share if share else None
        bar.show(f"{amount}{pace_text(bar.pace, done, of=end)}", share=share)

    def _is_due(self) -> bool:
        now = time.perf_counter()
        if now - self._told < PLAIN_SECONDS:
            return False
        self._told = now
        return True

    def _bar_of(self, what: str, *, first: float) -> Bar:
        if self._bar is not None and self._bar.what != what:
            self.close()
        if self._bar is None:
            self._bar = Bar(what, self._rich, first=first)
        return self._bar

    def close(self) -> None:
        """Take the progress bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def show_table(self, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A plain table, columns of numbers to the right; a list where that is too wide."""
        self._rich.print(laid_out(headings, rows, width=self._rich.width), soft_wrap=False)

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
