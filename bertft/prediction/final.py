"""The scores with which a training ends: of its saved model, on test or else on dev."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bertft.checks.findings import unseen_scores
from bertft.evaluation.statistic import is_better
from bertft.jobs.prepare import Job
from bertft.prediction.predictor import Predictor
from bertft.prediction.scoring import Scored, doubts, score_split, scores_content
from bertft.runs.stored import read_card, read_dev
from bertft.training.progress import Progress
from bertft.watch import Recorder
from bertft.words import counted


def score_run(job: Job, run: Path, *, split: str, watch: Recorder) -> tuple[Scored, dict[str, Any]]:
    """Answers and scores of the saved model on a split, and what speaks against it, said."""
    runtime = job.runtime
    predictor = Predictor(
        run / "best", device=runtime.device, precision=runtime.precision, together=True
    )
    path = job.files.get(split, job.recipe.data.train)
    metric, examples = job.recipe.training.metric, job.splits[split]
    scored = score_split(predictor, examples, split=split, path=path, metric=metric, watch=watch)
    if split == "dev":
        chose = ", which chose the checkpoint" if job.recipe.training.keep == "best" else ""
        watch.note(f"no test set: the scores are those of dev{chose}")
    unseen = unseen_scores(job.task, job.splits["train"], examples, scored.answers)
    if unseen:
        seen, value = len(examples) - unseen["n"], unseen["metrics"][scored.metric]
        watch.note(
            f"{seen} of {len(examples)} examples of {split} are also in train; "
            f"without them {scored.metric} is {value:.4f}"
        )
    if doubt := doubts(scored):
        watch.note(doubt)
    return scored, scores_content(scored, unseen=unseen)


def no_gain(job: Job, progress: Progress) -> str:
    """That dev scores were as good before training; "" where they are better, or not known."""
    metric, best = job.recipe.training.metric or job.task.metric, progress.best_score
    before = job.before.get(metric)
    if before is None or best is None or is_better(metric, best, than=before):
        return ""
    what = f"training has not helped: dev {metric} is {best:.4f} at best, was {before:.4f} before"
    return f"{what}; more pairs, larger batches or a lower training.learning_rate may"


def told_by_dev(folder: Path) -> Iterator[str]:
    """What dev has told of a saved model's probabilities, a sentence each."""
    learned, dev = read_card(folder)["learned"], read_dev(folder)
    if scope := learned.get("out_of_scope"):
        yield _told_of_scope(scope)
    if thresholds := learned.get("thresholds"):
        low, high = min(thresholds), max(thresholds)
        said = f"{low:.4f} to {high:.4f}, by label, chosen on dev"
        yield f"labels are given from probabilities of {said}"
    elif threshold := learned.get("threshold"):
        yield f"a label is given from a probability of {threshold:.4f}, chosen on dev"
    if dev is None:
        return
    if dev.lacks:
        yield f"probabilities are not calibrated: {dev.lacks} on dev"
        return
    heat = f" (temperature {learned['temperature']:.2f})" if "temperature" in learned else ""
    errors = [one["calibration_error"] for one in (dev.before, dev.cross_fitted)]
    yield (
        f"probabilities are calibrated on dev{heat}: calibration error {errors[0]:.4f} before, "
        f"{errors[1]:.4f} after, cross-fitted"
    )


def _told_of_scope(scope: Mapping[str, Any]) -> str:
    """What dev has told of texts that no label fits."""
    if "threshold" not in scope:
        return "texts out of scope are not told: there was no dev set to choose a threshold on"
    seen, refused = scope["seen"], f"{scope['refused']:.1%} of dev's texts in scope are refused"
    with_what = f"with its {counted(seen, 'text')} out of scope" if seen else "which has none"
    return f"texts out of scope are told by a threshold chosen on dev, {with_what}: {refused}"
