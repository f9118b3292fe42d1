"""What an answer's score is worth: a run's own dev set in, a Scale for the answers of ask out.

The confidence that a run was calibrated for is that of an answer given its passage. Here a search
has found the passage, which may be the wrong one. So some questions of dev are asked as those of a
person are, among the passages of dev, which the same encoder finds; and a logistic regression tells
from a candidate's numbers how likely it is right. That is done once:

    HASH.scale    JSON: the scale, and what it was fitted on

The hash is of all it follows from: run, dev set, encoder, passages read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from bertft.cache_folder import cache_folder, not_kept, whole_file
from bertft.contracts import FloatArray
from bertft.errors import BertftError, RunError
from bertft.evaluation.answers import exact_match
from bertft.evaluation.calibration import Events
from bertft.evaluation.logistic import fit_logistic
from bertft.evaluation.reliability import calibration_error
from bertft.loaders.files import sha256
from bertft.loaders.hub import hub_is_off
from bertft.loaders.squad import Question
from bertft.prediction.predictor import Predictor
from bertft.retrieval.answering import Candidate, Scale, candidates
from bertft.retrieval.index import Index
from bertft.runs.examples import dev_of, some_of
from bertft.runs.folder import Run
from bertft.watch import Silent, Watch

FORMAT = 1
QUESTIONS = 150
"""Questions of dev that are asked, at the most."""
COLLECTION = 300
"""Passages of dev that they are asked among, at the most."""
BLOCK = 10
"""Passages that stand together in the file and are taken together: of one article, mostly."""
KEPT = 0.95
"""Share of the right answers of dev that reach the least probability of an answer."""
FOLDS = 5
TOGETHER = 16
"""Questions whose passages are read in one go."""


class Fitted(BaseModel):
    """A scale, and how it did on dev. ``right`` of the ``questions`` were answered rightly;
    ``error`` is the calibration error of their best answers, each scaled by other questions."""

    model_config = ConfigDict(strict=True, frozen=True)

    weights: tuple[float, ...]
    least: float
    questions: int
    passages: int
    right: float
    error: float

    @property
    def scale(self) -> Scale:
        return Scale(self.weights, self.least)


@dataclass(frozen=True, slots=True)
class Asked:
    """The candidates of a question of dev, and which of them are right [N]."""

    found: list[Candidate]
    right: FloatArray


def scale_for(
    run: Run, predictor: Predictor, index: Index, *, passages: int, watch: Watch
) -> Scale | None:
    """The scale of a run's answers, from the cache or fitted now, and what it is worth, said.

    None where the run's dev set cannot be had, or tells too little; that is said as well.
    """
    file = cache_folder() / f"{_key(run, predictor, index, passages=passages)}.scale"
    fitted = _read(file)
    if fitted is None:
        try:
            fitted = _fit(run, predictor, index, passages=passages, watch=watch)
        except BertftError as error:
            what = f"scores are no calibrated probabilities: {error.message}"
            watch.note(f"{what}; --min-confidence withholds answers of lower scores")
            return None
        _write(file, fitted)
    watch.note(
        f"scores are probabilities: {fitted.right:.2f} of {fitted.questions} questions of dev were "
        f"answered rightly among {fitted.passages:,} passages, calibration error "
        f"{fitted.error:.2f}; an answer is given from {fitted.least:.2f} on"
    )
    return fitted.scale


def _fit(run: Run, predictor: Predictor, index: Index, *, passages: int, watch: Watch) -> Fitted:
    """Ask, and fit. Raises BertftError where dev is not there, or too small."""
    with hub_is_off(off=True):  # a question is no reason to download a data set
        dev: Sequence[Question] = dev_of(run, predictor.task, watch=Silent())
    contexts = spread(list(dict.fromkeys(one.context for one in dev)))
    among = set(contexts)
    chosen = some_of([one for one in dev if one.answers and one.context in among], QUESTIONS)
    watch.note(
        f"calibrating, once: {len(chosen)} questions of the run's dev set are asked among "
        f"{len(contexts):,} passages"
    )
    watch.advance(0, None, total=len(chosen), what="asked")
    collection = index.over(contexts)
    asked: list[Asked] = []
    for start in range(0, len(chosen), TOGETHER):
        some = chosen[start : start + TOGETHER]
        texts = [one.question for one in some]
        for question, (found, _) in zip(
            some, candidates(predictor, collection, texts, passages=passages), strict=True
        ):
            asked.append(Asked(found, _right(found, question, predictor)))
        watch.advance(len(asked), None, total=len(chosen), what="asked")
    return fit(asked, passages=len(contexts))


def spread(contexts: list[str]) -> list[str]:
    """Some passages of everywhere in a file, with the next ones of each, which are like it."""
    blocks = [contexts[start : start + BLOCK] for start in range(0, len(contexts), BLOCK)]
    return [one for block in some_of(blocks, COLLECTION // BLOCK) for one in block]


def _right(found: Sequence[Candidate], question: Question, predictor: Predictor) -> FloatArray:
    golds = [answer.text for answer in question.answers or ()]
    scoring = predictor.task.options.scoring  # type: ignore[attr-defined]
    given = [one.read.given.answer["answer"] for one in found]
    return np.array([exact_match(one, golds, scoring=scoring) for one in given])


def fit(asked: Sequence[Asked], *, passages: int) -> Fitted:
    """The scale that questions tell. Raises RunError where they are too few."""
    answered = [one for one in asked if one.found]
    scale = _scale(answered)
    best = [_best(scale, one) for one in answered]  # (probability, right)
    p, right = np.array(best).reshape(-1, 2).T
    if lacks := Events(p[:, None], right[:, None], "answers to questions of dev").lacks():
        raise RunError(lacks)
    fold = np.arange(len(answered)) % FOLDS
    crossed = []
    for number in range(FOLDS):
        other = _scale([one for one, own in zip(answered, fold, strict=True) if own != number])
        mine = [one for one, own in zip(answered, fold, strict=True) if own == number]
        crossed += [_best(other, one) for one in mine]
    error = calibration_error(*np.array(crossed).T)
    least = float(np.quantile(p[right > 0], 1 - KEPT, method="lower"))
    share = float(right.sum() / len(asked))
    return Fitted(
        weights=scale.weights, least=least, questions=len(asked), passages=passages, right=share,
        error=error,
    )  # fmt: skip


def _scale(asked: Sequence[Asked]) -> Scale:
    """Fitted to all candidates, of whatever passage."""
    numbers = np.array([one.numbers for each in asked for one in each.found])  # [N, 3]
    right = np.concatenate([one.right for one in asked]) if asked else np.zeros(0)  # [N]
    if not len(right):
        return Scale((0.0,), 0.0)
    return Scale(tuple(fit_logistic(numbers, right).tolist()), 0.0)


def _best(scale: Scale, asked: Asked) -> tuple[float, float]:
    """Probability of the most probable candidate, and whether it is right."""
    p = scale.probabilities(asked.found)
    best = int(p.argmax())
    return float(p[best]), float(asked.right[best])


# --- kept ---------------------------------------------------------------------------------------


def _key(run: Run, predictor: Predictor, index: Index, *, passages: int) -> str:
    files = sorted(one for one in predictor.folder.iterdir() if one.is_file())
    recipe = run.path / "recipe.toml"
    facts = {
        "format": [FORMAT, QUESTIONS, COLLECTION, BLOCK, KEPT],
        "model": {one.name: sha256(str(one)) for one in files},
        "recipe": sha256(str(recipe)) if recipe.is_file() else "",
        "data": run.environment.get("data", {}),
        "encoder": dict(index.facts),
        "prompt": index.prompt,
        "passages": passages,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _read(file: Path) -> Fitted | None:
    """What is kept; None where nothing is, or something damaged."""
    try:
        found = Fitted.model_validate_json(file.read_bytes())
        os.utime(file)  # used just now
    except (OSError, ValidationError):
        return None
    return found


def _write(file: Path, fitted: Fitted) -> None:
    try:
        with whole_file(file) as out:
            out.write(fitted.model_dump_json().encode())
    except OSError as error:
        raise not_kept(file, error) from None
