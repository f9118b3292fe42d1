"""train: a recipe in, a run directory out.

    recipe -> prepared Job (prepare.py) -> plan -> loop -> last/, best/ -> scores

Read order: train, then the steps in the order in which ``train`` calls them.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from bertft.commands.evaluate import write_scores
from bertft.jobs.cost import CostPreview
from bertft.jobs.prepare import Job, Read
from bertft.jobs.request import TrainRequest
from bertft.notebook import html_table
from bertft.prediction.final import no_gain, score_run, told_by_dev
from bertft.prediction.scoring import unscored_content
from bertft.reports.model_card import model_card
from bertft.reports.notebook import Scores
from bertft.reports.report import read_about
from bertft.runs.fitting import fit
from bertft.runs.signals import raised_signals
from bertft.runs.start import start
from bertft.runs.stops import stops_told
from bertft.runs.stored import UNSCORED
from bertft.runs.tracker import Tracker
from bertft.training import processes
from bertft.training.folders import discard_folder, saved_folders
from bertft.training.journal import Journal
from bertft.training.progress import Progress
from bertft.training.runtime import without_denormals
from bertft.watch import Recorder, Silent, Watch


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The run directory and its final scores, as scores.json has them."""

    run: Path
    task: str
    split: str
    scores: Scores
    best_dev: float | None

    def _repr_html_(self) -> str:
        return html_table((), (), title=f"run {self.run}") + self.scores._repr_html_()


def train(
    request: TrainRequest, *, watch: Watch | None = None, read: Read | None = None
) -> TrainResult | None:
    """Fine-tune; returns None for a dry run. ``read`` are the data, if they were read already.

    Raises:
        BertftError: the recipe, data, model or run directory is at fault, the disk is full, or
            training cannot go on.
        Interrupted: SIGINT or SIGTERM came; the step was finished and ``last/`` saved.
    """
    watch = watch if isinstance(watch, Recorder) else Recorder(watch or Silent())
    with raised_signals(), ExitStack() as held:
        held.enter_context(without_denormals())
        started = start(request, describe=model_card, watch=watch, held=held, read=read)
        if started is None:
            return None
        job, trainer, progress, run = started
        with stops_told(run):
            journal = Journal(run / "journal.jsonl" if processes.is_main() else None)
            try:
                journal.notes(watch.take_notes())
                steps = fit(
                    job,
                    trainer,
                    run,
                    progress=progress,
                    journal=journal,
                    describe=model_card,
                    watch=watch,
                )
                preview = CostPreview(trainer)
                tracker = Tracker(job.recipe, run, step=progress.step)
                held.callback(tracker.close)
                with closing(steps):  # a watch may end it, by an exception of its own
                    for report in steps:
                        tracker.step(report)
                        watch.step(report)
                        if cost := preview.after(report):
                            watch.note(cost)
                result = finish(job, run, journal=journal, progress=progress, watch=watch)
                tracker.scores(result.scores)
                return result
            finally:
                journal.notes(watch.take_notes())
                journal.close()


def finish(
    job: Job, run: Path, *, journal: Journal, progress: Progress, watch: Recorder
) -> TrainResult:
    """Score the best checkpoint on test (or dev), if there is one, and write the run's scores."""
    processes.wait()  # the main one has just written best/
    split = next((one for one in ("test", "dev") if one in job.splits), UNSCORED)
    if split == UNSCORED:
        metric = job.recipe.training.metric or job.task.metric
        content = unscored_content(metric, precision=job.runtime.precision)
        scored = None
        watch.note(f"{content['note']}: bertft eval {run} --data FILE scores the model")
    else:
        scored, content = score_run(job, run, split=split, watch=watch)
    if said := no_gain(job, progress):
        watch.note(said)
    for said in told_by_dev(run / "best"):
        watch.note(said)
    journal.notes(watch.take_notes())
    kept = progress.best_step if job.recipe.training.keep == "best" else progress.step
    journal.write("finish", {"split": split, "best_step": kept})
    journal.flush()
    if processes.is_main():
        for folder in saved_folders(run / "last")[1:]:
            discard_folder(folder)
        about = read_about(run, task=job.recipe.task)
        write_scores(run, scored, content, about=about)  # from here on the run counts as finished
        if not job.recipe.training.keep_state:
            discard_folder(run / "last")
    return TrainResult(run, job.task.name, split, Scores(content), progress.best_score)
