"""sweep: a recipe and what to search in; trials, a report and the winning recipe out.

Each trial is a run (commands/train.py), chosen by the study (search/study.py) and judged on dev
alone; test is scored once, for the winner, at the end. Whatever stops a sweep, it goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.commands.evaluate import evaluate
from bertft.commands.train import train
from bertft.errors import RunError, TrainingError
from bertft.jobs.request import TrainRequest
from bertft.reports.sweep_page import write_result
from bertft.runs.folder import drop_begun
from bertft.runs.lock import locked
from bertft.runs.stops import stops_told_of_all
from bertft.runs.stored import read_json
from bertft.runs.writing import write_json
from bertft.search.folder import PLAN, Sweep, keep_the_best, open_sweep
from bertft.search.judge import Judge, Pruned
from bertft.search.request import SweepRequest, create_sweep, look_at_sweep
from bertft.search.space import setting
from bertft.search.study import Study, Trial, check_installed
from bertft.search.trials import dev_scores
from bertft.watch import Silent, Watch
from bertft.words import counted


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The folder, its trials, the one that won, and the winner's scores on test if there is one."""

    folder: Path
    metric: str
    trials: list[Trial]
    winner: Trial
    run: Path
    test: Mapping[str, Any] | None


def sweep(request: SweepRequest, *, watch: Watch | None = None) -> SweepResult | None:
    """Search; None for a dry run.

    Raises:
        BertftError: the recipe, a dimension or the folder is at fault, or no trial has a score.
        Interrupted: a signal came; the sweep goes on with ``resume``.
    """
    watch = watch or Silent()
    check_installed()
    if request.train.dry_run:
        look_at_sweep(request)
        train(request.train, watch=watch)
        return None
    folder = Path(request.resume) if request.resume else create_sweep(request)
    watch.note(f"sweep: {folder}")
    go_on = f"bertft sweep --resume {folder}"
    with stops_told_of_all(go_on), locked(folder, tell=watch.note):
        return _search(open_sweep(folder), offline=request.train.offline, watch=watch)


def _search(sweep: Sweep, *, offline: bool, watch: Watch) -> SweepResult:
    study = sweep.open_study()
    try:
        drop_begun(sweep.folder / "trials")
        asked = sweep.plan.trials
        if sweep.count < asked:
            watch.note(f"{counted(sweep.count, 'combination')} in all: each is tried once")
        for number in range(sweep.count):
            trial = study.begin(number, trials=asked)
            if trial.state == "running":
                _try(sweep, study, trial, offline=offline, watch=watch)
            keep_the_best(sweep, study)
        return _finish(sweep, study, watch=watch)
    finally:
        study.close()


def _try(sweep: Sweep, study: Study, trial: Trial, *, offline: bool, watch: Watch) -> None:
    """Train a trial to its end, or as far as it is worth; go on with a run that was begun."""
    run, metric = sweep.run(trial.number), sweep.plan.metric
    chosen = [setting(key, value) for key, value in trial.params.items()]
    watch.note(f"trial {trial.number + 1} of {sweep.count}: {', '.join(chosen)}")
    judge = Judge(study, trial.number, run, metric=metric, watch=watch)
    source, flags = str(sweep.recipe_file), ('data.test=""', *chosen)
    request = TrainRequest(recipe=source, overrides=flags, out=str(run), offline=offline)
    if run.is_dir():
        request = TrainRequest(recipe="", resume=str(run), offline=offline)
    try:
        judge.decide()
        if not (run / "scores.json").is_file():
            train(request, watch=judge)
        keep = str(trial.params.get("training.keep", sweep.base.training.keep))
        value = dev_scores(run, metric).final(metric, keep=keep)
        study.end(trial.number, state="complete", value=value)
    except Pruned as stop:
        watch.note(f"trial {trial.number + 1} is given up {stop}")
        study.end(trial.number, state="pruned", note=str(stop))
    except TrainingError as error:
        watch.note(f"trial {trial.number + 1} failed: {error.message}")
        study.end(trial.number, state="failed", note=error.message)


def _finish(sweep: Sweep, study: Study, *, watch: Watch) -> SweepResult:
    """Score the winner on test, once; write the report and the winning recipe."""
    winner, trials = study.best(), study.trials()
    if winner is None:
        reasons = "; ".join(dict.fromkeys(one.note for one in trials))
        raise RunError(f"no trial of {sweep.folder} ended with a score: {reasons}")
    run = sweep.run(winner.number)
    test = _score_test(sweep, run, watch=watch)
    chosen = f"the winner was chosen on dev among {counted(len(trials), 'trial')}"
    once = "its test scores were made once, after that" if test else "there is no test set"
    high = "" if test else ", and its dev score is too high for having been the best of them"
    watch.note(f"{chosen}; {once}{high}")
    write_result(sweep, winner, trials, test=test, shares=study.importance())
    done = {"winner": winner.number, "params": winner.params, "value": winner.value}
    write_json(sweep.folder / PLAN, read_json(sweep.folder / PLAN) | done)
    return SweepResult(sweep.folder, sweep.plan.metric, trials, winner, run, test)


def _score_test(sweep: Sweep, run: Path, *, watch: Watch) -> dict[str, Any] | None:
    """The winner's scores on test; made once, however often the sweep was stopped."""
    test, folder = sweep.base.data.test, run / "eval" / "test"
    if not test:
        return None
    if not (folder / "scores.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        was = read_json(run / "environment.json")
        evaluate(
            str(run),
            out=str(folder),
            overrides=[setting("data.test", test)],
            device=was["device"],
            precision=was["precision"]["used"],
            watch=watch,
        )
    return read_json(folder / "scores.json")
