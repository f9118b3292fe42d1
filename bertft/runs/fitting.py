"""The loop and what is kept of it: steps in; journal, best/ and last/ are written after them."""

from __future__ import annotations

import signal
from collections.abc import Generator
from pathlib import Path

from bertft.errors import Interrupted
from bertft.jobs.dev import dev_scorer
from bertft.jobs.prepare import Job
from bertft.runs.saving import Describe, SaveClock, save_best, state_saver
from bertft.runs.signals import caught_signals
from bertft.training import loop, processes
from bertft.training.journal import Journal
from bertft.training.progress import Progress
from bertft.watch import StepReport, Watch


def fit(
    job: Job,
    trainer: loop.Trainer,
    run: Path,
    *,
    progress: Progress,
    journal: Journal,
    describe: Describe,
    watch: Watch,
) -> Generator[StepReport]:
    """Run the loop; write journal, best/ and last/ after the steps that call for it."""
    journal.write("start", {"step": progress.step, "precision": job.runtime.precision})
    evaluate = dev_scorer(job, trainer)
    save = state_saver(job, trainer, run, progress=progress)
    clock = SaveClock(save, step=progress.step, every=job.recipe.training.save_every)
    with caught_signals(tell=watch.note) as received:
        for report in loop.run(trainer, progress=progress, evaluate=evaluate):
            journal.step(report)
            if report.is_best:
                save_best(
                    job,
                    trainer,
                    run,
                    step=report.step,
                    scores=report.scores,
                    describe=describe,
                )
            evaluated = report.scores is not None
            if evaluated or report.is_last or clock.is_due(report.step):
                journal.flush()
                clock.save(report.step)
            yield report
            # All processes save, and stop, after the same step, whichever of them was told to.
            waited, told = processes.summed(clock.time_is_up(), len(received))
            clock.is_agreed = waited > 0
            if told and not report.is_last:
                journal.flush()
                clock.save(report.step)
                received = received or [signal.SIGTERM]
                name = signal.Signals(received[0]).name
                journal.write("note", {"step": report.step, "text": f"stopped by {name}"})
                message = f"stopped by {name} after step {report.step}"
                hint = f"go on with: bertft train --resume {run}"
                raise Interrupted(f"{message}; {hint}", signal_number=received[0])
