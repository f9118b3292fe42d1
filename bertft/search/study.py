"""Trials by Optuna, kept in SQLite: a Study says what is tried next, and what is given up.

What trial n tries is a function of the seed, n and the trials before it, never of a process's
state; it is written in one transaction. So a study that was killed and opened again holds the
trials of one that was not.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bertft.errors import RunError
from bertft.evaluation.statistic import LOWER
from bertft.search.space import Dimension, Params

if TYPE_CHECKING:
    import optuna

Direction = Literal["minimize", "maximize"]
NAME = "sweep"
INSTALL = "pip install 'bertft[sweep]'"
STARTUP = 5
"""Trials that end before the first is given up."""
AGAIN = 20
"""How often another proposal is asked for where one was tried already."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: ``state`` is running, complete, pruned or failed; ``by_epoch`` its dev scores."""

    number: int
    params: Params
    state: str
    value: float | None = None
    by_epoch: Mapping[int, float] = field(default_factory=dict)
    note: str = ""


def check_installed() -> None:
    """Raises RunError, with the way to install it, where Optuna is missing."""
    from importlib.util import find_spec

    if missing := [name for name in ("optuna", "sklearn") if find_spec(name) is None]:
        raise RunError(f"a sweep needs {' and '.join(missing)}", hint=INSTALL)


class Study:
    """The trials of a sweep, in the file ``path``, which is created where it is not there."""

    def __init__(self, path: Path, space: Sequence[Dimension], *, metric: str, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._seed = space, seed
        self._direction: Direction = "minimize" if metric in LOWER else "maximize"
        self._storage = optuna.storages.RDBStorage(f"sqlite:///{path.resolve()}")
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=NAME,
            direction=self._direction,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
            load_if_exists=True,
        )

    def close(self) -> None:
        self._storage.remove_session()
        self._storage.engine.dispose()

    # --- what there is --------------------------------------------------------------------------

    def trials(self) -> list[Trial]:
        """All trials begun so far, by number."""
        return [self._trial(one) for one in self._study.get_trials(deepcopy=False)]

    def best(self) -> Trial | None:
        """The complete trial with the best score, of equal ones the first; None without any."""
        sign = 1 if self._direction == "maximize" else -1
        ended = [one for one in self.trials() if one.state == "complete"]
        return max(ended, key=lambda one: (sign * (one.value or 0.0), -one.number), default=None)

    def importance(self) -> dict[str, float]:
        """Each setting's share in what the scores differ by (fANOVA); empty where it says none."""
        import optuna

        values = {one.value for one in self.trials() if one.state == "complete"}
        if len(values) < 2:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
        found = optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        shares = {key: float(share) for key, share in found.items()}
        return shares if all(map(math.isfinite, shares.values())) else {}

    def _trial(self, one: optuna.trial.FrozenTrial) -> Trial:
        state = {"fail": "failed"}.get(one.state.name.lower(), one.state.name.lower())
        value = one.value if state == "complete" else None
        note = str(one.user_attrs.get("note", ""))
        by_epoch = dict(sorted(one.intermediate_values.items()))
        return Trial(one.number, self._decoded(one.params), state, value, by_epoch, note)

    # --- what comes next ------------------------------------------------------------------------

    def begin(self, number: int, *, trials: int) -> Trial:
        """Trial ``number``: as it was begun, or anew."""
        from optuna.trial import TrialState, create_trial

        if number == len(self._study.get_trials(deepcopy=False)):
            params = self._proposed(number, trials=trials)
            begun = create_trial(
                state=TrialState.RUNNING, params=params, distributions=self._distributions
            )
            self._study.add_trial(begun)
        return self.trials()[number]

    def is_hopeless(self, number: int, *, epoch: int, score: float) -> bool:
        """Note the best dev score up to an epoch; whether the median of the others was better."""
        trial = self._handle(number)
        if epoch not in self.trials()[number].by_epoch:
            trial.report(score, epoch)
        return bool(trial.should_prune())

    def end(self, number: int, *, state: str, value: float | None = None, note: str = "") -> None:
        """A trial is complete, pruned or failed."""
        from optuna.trial import TrialState

        handle = self._handle(number)
        if note:
            handle.set_user_attr("note", note)
        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
        self._study.tell(handle, value, state=states.get(state, TrialState.FAIL))

    def _handle(self, number: int) -> optuna.Trial:
        import optuna

        found = self._study.get_trials(deepcopy=False)[number]
        return optuna.Trial(self._study, found._trial_id)

    def _proposed(self, number: int, *, trials: int) -> dict[str, Any]:
        """What trial ``number`` tries: all combinations in turn where there are no more of them."""
        import optuna
        from optuna.trial import TrialState

        if combinations(self._space) <= trials:
            every = itertools.product(*map(_values, self._space))
            return self._encoded(next(itertools.islice(every, number, None)))
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        sampler = optuna.samplers.TPESampler(seed=seed)
        scratch = optuna.create_study(direction=self._direction, sampler=sampler)
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        scratch.add_trials(self._study.get_trials(deepcopy=False, states=ended))
        tried = [one.params for one in self._study.get_trials(deepcopy=False)]
        proposed: dict[str, Any] = {}
        for _ in range(AGAIN):
            asked = scratch.ask(self._distributions).params
            proposed = {one.key: _rounded(asked[one.key], one) for one in self._space}
            if proposed not in tried:
                break
        return proposed

    # --- Optuna's words -------------------------------------------------------------------------

    @cached_property
    def _distributions(self) -> dict[str, Any]:
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        found: dict[str, Any] = {}
        for one in self._space:
            if one.choices:  # as JSON: Optuna takes no lists, and holds 1 and true for equal
                found[one.key] = CategoricalDistribution([json.dumps(c) for c in one.choices])
            elif isinstance(one.low, int) and isinstance(one.high, int):
                found[one.key] = IntDistribution(one.low, one.high, log=one.log)
            else:
                found[one.key] = FloatDistribution(one.low, one.high, log=one.log)
        return found

    def _encoded(self, values: Sequence[Any]) -> dict[str, Any]:
        pairs = zip(self._space, values, strict=True)
        return {one.key: json.dumps(value) if one.choices else value for one, value in pairs}

    def _decoded(self, params: Mapping[str, Any]) -> Params:
        choices = {one.key for one in self._space if one.choices}
        return {key: json.loads(one) if key in choices else one for key, one in params.items()}


def combinations(space: Sequence[Dimension]) -> float:
    """How many different trials there are."""
    return math.prod(one.count for one in space)


def _values(one: Dimension) -> Sequence[Any]:
    return one.choices or range(int(one.low), int(one.high) + 1)


def _rounded(value: Any, one: Dimension) -> Any:
    """A fraction to three digits, which a recipe shows well; no score depends on the fourth."""
    if not isinstance(value, float):
        return value
    return min(max(float(f"{value:.3g}"), one.low), one.high)
