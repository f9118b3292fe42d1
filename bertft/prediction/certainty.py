"""How certain an answer has to be: options and what a run kept of dev go in; answers come out with
the uncertain ones withheld, or with the set of labels that one of them is right in.

Read order: Certainty (what is asked for), Rule (what dev makes of it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isinf
from pathlib import Path
from typing import Any

import numpy as np

from bertft.contracts import Answer, Task
from bertft.errors import BertftError
from bertft.evaluation.conformal import enough_for, label_sets, quantile
from bertft.evaluation.selective import Share, threshold_for
from bertft.runs.stored import CALIBRATION, Dev, read_dev
from bertft.watch import Watch
from bertft.words import counted

WITHHELD = ("label", "answer", "start", "end")
"""Fields of an answer that say what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """What is asked of answers: a least probability, a share of right ones, sets of labels."""

    min_confidence: float | None = None
    target_accuracy: float | None = None
    coverage: float | None = None

    def __bool__(self) -> bool:
        return any(
            one is not None for one in (self.min_confidence, self.target_accuracy, self.coverage)
        )

    @property
    def withholds(self) -> bool:
        return self.min_confidence is not None or self.target_accuracy is not None

    def rule(self, task: Task[Any], folder: Path, *, watch: Watch) -> Rule:
        """What it means for a model: thresholds from what ``folder`` kept of dev, told.

        Raises:
            BertftError: the model's answers have no such confidence, nothing was kept of dev, or
                it cannot be reached.
        """
        self._check(task)
        least, allowed = self.min_confidence, None
        if self.target_accuracy is not None:
            least = _least_for(self.target_accuracy, _dev(folder), watch=watch)
        if self.coverage is not None:
            allowed = _allowed_for(self.coverage, _dev(folder), watch=watch)
        return Rule(task, least, allowed)

    def _check(self, task: Task[Any]) -> None:
        asked = {
            "--min-confidence": self.min_confidence,
            "--target-accuracy": self.target_accuracy,
            "--coverage": self.coverage,
        }
        names = [name for name, value in asked.items() if value is not None]
        for name in names:
            value = asked[name]
            if not (value is not None and 0 < value < 1):
                raise BertftError(f"{name} is between 0 and 1, not {value}")
        if len(names) > 1 and "--coverage" not in names:
            hint = "give one of them: the other would choose another threshold"
            raise BertftError("--min-confidence and --target-accuracy", hint=hint)
        several = getattr(getattr(task, "options", None), "multi_label", False)
        if names and (several or (not task.labels and task.name != "qa")):
            hint = "--set task.threshold=0.8 changes from where on labels are given"
            what = "gives several labels" if several else "gives no labels or answers"
            raise BertftError(f"{names[0]}: this model {what}", hint=hint if several else "")
        if self.coverage is not None and task.name in ("ner", "qa"):
            what = "--coverage gives sets of labels: for classification and nli"
            raise BertftError(f"{what}; this model's task is {task.name}")


@dataclass(slots=True)
class Rule:
    """Decides about answers, and counts.

    ``least`` is the probability from which one is given; ``allowed`` the 1 - p up to which a label
    belongs to an answer's set.
    """

    task: Task[Any]
    least: float | None = None
    allowed: float | None = None
    given: int = 0
    withheld: int = 0
    sizes: list[int] = field(default_factory=list)

    def apply(self, answer: Answer, *, top_k: int | None = None) -> Answer:
        """The answer with ``label_set``, and withheld where it is too uncertain.

        It names all labels; ``top_k`` of them are kept.
        """
        if "error" in answer:
            return answer
        answer = self.marked(answer)
        if top_k is not None and "scores" in answer:
            answer = answer | {"scores": dict(list(answer["scores"].items())[:top_k])}
        return answer if self.least is None else self._withheld(answer, self.least)

    def marked(self, answer: Answer) -> Answer:
        """The answer with its ``label_set``, where sets are asked for."""
        if self.allowed is None:
            return answer
        labels = self.label_set(answer)
        self.sizes.append(len(labels))
        return answer | {"label_set": labels}

    def label_set(self, answer: Answer) -> list[str]:
        """The labels that one of is right, the most probable first."""
        assert self.allowed is not None
        names, p = list(answer["scores"]), np.array(list(answer["scores"].values()))
        return [name for name, one in zip(names, label_sets(p, self.allowed), strict=True) if one]

    def _withheld(self, answer: Answer, least: float) -> Answer:
        if "entities" in answer:
            kept = [one for one in answer["entities"] if one["score"] >= least]
            self.given += len(kept)
            self.withheld += len(answer["entities"]) - len(kept)
            return answer | {"entities": kept}
        low = answer["score"] < least
        self.given, self.withheld = self.given + (not low), self.withheld + low
        nothing = dict.fromkeys([name for name in WITHHELD if low and name in answer])
        return answer | nothing | {"withheld": low}

    def tell(self, watch: Watch) -> None:
        """Say how many answers were withheld, and how large the sets are."""
        total = self.given + self.withheld
        if self.least is not None and total:
            what = "entities are left out" if self.task.name == "ner" else "answers are withheld"
            watch.note(
                f"{self.withheld:,} of {total:,} {what}: their probability is below "
                f"{self.least:.4f}"
            )
        if self.sizes:
            empty = self.sizes.count(0)
            none = f"; {empty:,} are empty: no label is probable enough" if empty else ""
            mean = sum(self.sizes) / len(self.sizes)
            watch.note(f"{counted(len(self.sizes), 'label set')}, of {mean:.2f} labels each{none}")

    def measured(
        self, answers: Sequence[Answer], golds: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """What came of it where gold is known, for scores.json: ``selective`` and ``coverage``."""
        content: dict[str, Any] = {}
        if self.least is not None:
            evidence = self.task.evidence(answers, golds)
            assert evidence is not None
            found = evidence.outcomes(self.task.scaling)
            given = found.confidence >= self.least
            share = Share(int(found.right[given].sum()), int(given.sum()))
            content["selective"] = {
                "threshold": self.least,
                "answered": share.count,
                "share": share.count / max(1, len(given)),
                "accuracy": _with_interval(share),
            }
        if self.allowed is not None:
            sets = [self.label_set(one) for one in answers]
            pairs = list(zip(sets, golds, strict=True))
            inside = [
                gold["gold"] in one for one, gold in pairs if gold["gold"] in self.task.labels
            ]
            share = Share(sum(inside), len(inside))
            content["coverage"] = {
                "measured": _with_interval(share),
                "mean_size": sum(map(len, sets)) / max(1, len(sets)),
                "empty": sum(not one for one in sets),
            }
        return content


def _with_interval(share: Share) -> dict[str, float]:
    low, high = share.interval
    return {"value": share.value, "low": low, "high": high}


def _dev(folder: Path) -> Dev:
    found = read_dev(folder)
    if found is None or not found.confidence:
        hint = "train it anew, with a dev set (data.dev_share above 0)"
        raise BertftError(f"{folder} has no predictions on dev ({CALIBRATION})", hint=hint)
    return found


def _least_for(accuracy: float, dev: Dev, *, watch: Watch) -> float:
    """The threshold that dev tells for an accuracy, and what it is worth, said."""
    choice = threshold_for(dev.confidence, dev.right, accuracy=accuracy)
    if choice is None:
        every = Share(sum(dev.right), len(dev.right))
        hint = f"all {every.count:,} dev predictions together reach {every.value:.4f}; ask for less"
        raise BertftError(
            f"--target-accuracy {accuracy:g}: no threshold reaches it on dev", hint=hint
        )
    low, high = choice.given.interval
    watch.note(
        f"threshold {choice.threshold:.4f}: on dev {choice.given.count:,} of {choice.total:,} "
        f"predictions reach it ({choice.given.count / choice.total:.1%}), and "
        f"{choice.given.value:.4f} of these are right (95 % CI {low:.4f} to {high:.4f}; as dev "
        "chose the threshold, expect a little less)"
    )
    return choice.threshold


def _allowed_for(coverage: float, dev: Dev, *, watch: Watch) -> float:
    """The 1 - p up to which labels belong to a set, from the dev examples."""
    allowed = quantile(dev.improbable, coverage=coverage)
    count = len(dev.improbable)
    if isinf(allowed):
        least = enough_for(coverage)
        watch.note(
            f"--coverage {coverage:g} needs {least:,} dev examples or more; with {count:,}, every "
            "set holds all labels"
        )
        return inf
    watch.note(
        f"a set holds the labels of probability {max(0.0, 1 - allowed):.4f} and more: the right "
        f"one is in it for {coverage:.0%} of texts like the {count:,} of dev"
    )
    return allowed
