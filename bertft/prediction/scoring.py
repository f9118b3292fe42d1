"""Answers and scores of examples with gold: a Predictor in, what scores.json says out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bertft.checks.finding import short
from bertft.contracts import Answer, Pieces, Ranking, SelfSupervised
from bertft.evaluation.intervals import bootstrap
from bertft.evaluation.reliability import calibration_content
from bertft.evaluation.statistic import Scores, floor_of, is_better
from bertft.prediction.predictor import Predictor
from bertft.runs.stored import UNSCORED
from bertft.tasks import answers_of
from bertft.watch import Watch
from bertft.words import cut_texts

WINDOW = 512
NO_LABEL = "no label"
TRY = (
    "try more epochs, another learning rate, more (or better balanced) examples, another encoder; "
    "bertft check looks at the data"
)


@dataclass(frozen=True, slots=True)
class Scored:
    """Answers and scores of one split."""

    split: str
    path: str
    metric: str
    answers: list[Answer]
    gold: list[dict[str, Any]]
    scores: Scores
    precision: str
    calibration: dict[str, Any] = field(default_factory=dict)
    """How far the answers' probabilities hold; empty where they have none."""


def score_split(
    predictor: Predictor,
    examples: Sequence[Any],
    *,
    split: str,
    path: str,
    metric: str,
    watch: Watch,
) -> Scored:
    """Answers and scores for examples with gold; truncated texts are counted and said.

    Logits are kept for WINDOW examples at a time. ``metric`` is the recipe's main score; empty for
    the task's own.
    """
    task = predictor.task
    # What a self-supervised task makes of an example depends on the others, and so do ranks.
    is_whole = isinstance(task, (SelfSupervised, Ranking))
    size = max(1, len(examples)) if is_whole else WINDOW
    answers: list[Answer] = []
    gold: list[dict[str, Any]] = []
    watch.advance(0, None, total=len(examples))
    for start in range(0, len(examples), size):
        window = examples[start : start + size]
        found = predictor.pieces(window)
        answers += answers_of(task, window, found)
        for example, answer, pieces in zip(window, answers[start:], found, strict=True):
            gold.append(task.gold(example, answer, pieces))
            if share := _unknown(pieces, predictor.tokenizer.unk_token_id):
                gold[-1]["unknown"] = share
        watch.advance(len(answers), None, total=len(examples))
    cut = sum(bool(answer.get("truncated")) for answer in answers)
    if cut:
        longest, where = predictor.max_length, f" of {path}"
        watch.note(cut_texts(cut, of=len(answers), longest=longest, where=where))
    for said in predictor.foreign.take():
        watch.note(f"warning: {said}")
    scores = task.score(examples, answers)
    evidence = task.evidence(answers, gold)
    calibration = {} if evidence is None else calibration_content(evidence, task.scaling)
    main, precision = metric or task.metric, predictor.engine.precision
    return Scored(split, path, main, answers, gold, scores, precision, calibration)


def _unknown(pieces: Pieces, unknown: int | None) -> float:
    """The share of the tokens of an example that the tokenizer does not know."""
    ids = [id for one, _ in pieces for id in one.input_ids]
    return 0.0 if unknown is None else ids.count(unknown) / max(1, len(ids))


def doubts(scored: Scored) -> str:
    """What speaks against a model, in one line: it is no better than a constant, or gives one.

    "" where nothing does, and for what is learned without gold.
    """
    golds = [one.get("gold") for one in scored.gold]
    if all(gold is None for gold in golds) or len(golds) < 2:
        return ""
    found = []
    given = {_given(answer) for answer in scored.answers}
    if len(given) == 1 and any(gold != golds[0] for gold in golds):
        found.append(f"all {len(golds):,} examples are given {next(iter(given))}")
    metric, baseline = scored.metric, scored.scores.baseline
    value, floor = scored.scores.values[metric], floor_of(metric, baseline)
    if not is_better(metric, value, than=floor):
        worse = "worse than" if is_better(metric, floor, than=value) else "no better than"
        what = "the baseline's" if baseline else "getting nothing right:"
        found.append(f"{metric} {value:.4f} is {worse} {what} {floor:.4f}")
    lower = "try a lower task.threshold; " if given == {NO_LABEL} else ""
    return f"{scored.split}: {'; '.join(found)}: {lower}{TRY}" if found else ""


def _given(answer: Answer) -> str:
    """What an answer says, apart from its probabilities and places."""
    if "entities" in answer:
        entities = [f"{one['label']} {one['start']}" for one in answer["entities"]]
        return ", ".join(entities) or "no entity"
    if "labels" in answer:
        names = ", ".join(map(short, sorted(answer["labels"])))
        return f"the labels {names}" if names else NO_LABEL
    if "found" in answer:
        return f"the passage {short(answer['found'])}"
    if "value" in answer:
        return f"the number {answer['value']:.4g}"
    if "no_answer" in answer:
        return "no answer" if answer["no_answer"] else f"the answer '{answer['answer'][:40]}'"
    return f"the label {short(answer['label'])}"


def unscored_content(metric: str, *, precision: str) -> dict[str, Any]:
    """What scores.json says where there is nothing to score a model on."""
    return {
        "split": UNSCORED,
        "data": "",
        "n": 0,
        "metric": metric,
        "precision": precision,
        "metrics": {},
        "baseline": {},
        "note": "no dev and no test set: nothing was scored",
    }


def scores_content(scored: Scored, *, unseen: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What scores.json says: every metric with its interval.

    ``unseen`` are the scores without the examples that stand in the training data as well.
    """
    intervals = bootstrap(scored.scores.statistic)
    content = {
        "split": scored.split,
        "data": scored.path,
        "n": len(scored.answers),
        "metric": scored.metric,
        "precision": scored.precision,
        "metrics": {
            name: {"value": value, "low": intervals[name][0], "high": intervals[name][1]}
            if name in intervals
            else {"value": value}
            for name, value in scored.scores.values.items()
        },
        "baseline": scored.scores.baseline,
        **scored.scores.tables,
    }
    content |= {"calibration": scored.calibration} if scored.calibration else {}
    return content | ({"without_train": dict(unseen)} if unseen else {})
