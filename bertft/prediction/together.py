"""Several runs, one text: the text goes in once, the answers of all runs come out in one.

    {"id": ..., "text": ..., "runs": {"intent": {"label": ...}, "slots": {"entities": ...}}}

Texts are read as the first run reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bertft.contracts import Answer, Task
from bertft.errors import BertftError
from bertft.prediction.certainty import Certainty, Rule
from bertft.prediction.predictor import Predictor, in_windows, load
from bertft.prediction.shown import Answers
from bertft.prediction.unanswered import example_of
from bertft.runs.folder import Run, model_folder, open_run
from bertft.runs.stored import read_card
from bertft.tasks import bound_task
from bertft.watch import Watch
from bertft.words import cut_texts

SHARED = ("id", "text")
"""Fields that are the same for all runs."""


class Together:
    """Runs by name that answer the same texts; their windows go by together, so that memory holds
    one window of texts at a time."""

    def __init__(self, predictors: Mapping[str, Predictor]) -> None:
        self.predictors = dict(predictors)
        self._rules: dict[str, Rule | None] = dict.fromkeys(predictors)
        self._cut = dict.fromkeys(predictors, 0)
        self._done = 0

    @property
    def task(self) -> Task[Any]:
        """What reads the texts."""
        return next(iter(self.predictors.values())).task

    def ask(self, certainty: Certainty, *, watch: Watch) -> None:
        """From now on, answers are to be certain. Raises BertftError where a run has no such."""
        for name, one in self.predictors.items():
            self._rules[name] = one.rule(certainty, watch=watch)

    def predict(
        self, texts: str | Iterable[str | Mapping[str, Any] | None], *, top_k: int | None = None
    ) -> Answer | list[Answer]:
        """The answer to one text, or those to several, in their order; each with those of every
        run in ``runs``."""
        asked = [texts] if isinstance(texts, str) else texts
        examples = (example_of(self.task, one, id=str(n)) for n, one in enumerate(asked, start=1))
        answers = Answers.of(self.stream(examples, top_k=top_k))
        return answers[0] if isinstance(texts, str) else answers

    def stream(
        self, examples: Iterable[Any], *, top_k: int | None = None, rule: Rule | None = None
    ) -> Iterator[Answer]:
        """As ``Predictor.stream``; ``ask`` says how certain answers are to be."""
        return in_windows(examples, partial(self.answer, top_k=top_k))

    def answer(self, examples: Sequence[Any], *, top_k: int | None = None) -> list[Answer]:
        """Answers for examples of ``task`` that are all in memory."""
        found = {
            name: one.stream(self._examples(one, examples), top_k=top_k, rule=self._rules[name])
            for name, one in self.predictors.items()
        }
        rows = zip(*found.values(), strict=True)
        return [self._joined(dict(zip(found, row, strict=True))) for row in rows]

    def _examples(self, predictor: Predictor, examples: Sequence[Any]) -> Iterator[Any]:
        for one in examples:
            own = predictor.task is self.task
            yield one if own else example_of(predictor.task, one.text, id=one.id)

    def _joined(self, answers: Mapping[str, Answer]) -> Answer:
        for name, one in answers.items():
            if "error" in one:
                return {"id": one["id"], "error": f"{name}: {one['error']}"}
            self._cut[name] += bool(one.get("truncated"))
        self._done += 1
        shared = next(iter(answers.values()))
        runs = {
            name: {key: value for key, value in one.items() if key not in SHARED}
            for name, one in answers.items()
        }
        return {name: shared[name] for name in SHARED} | {"runs": runs}

    def tell(self, watch: Watch) -> None:
        """Say which texts were cut, cannot be read, or have answers that are withheld, by run."""
        for name, one in self.predictors.items():
            if cut := self._cut[name]:
                watch.note(f"{name}: {cut_texts(cut, of=self._done, longest=one.max_length)}")
            for said in one.foreign.take():
                watch.note(f"warning: {name}: {said}")
            if (rule := self._rules[name]) is not None:
                rule.tell(watch)


def load_together(
    runs: Sequence[str | Path | Run], *, device: str = "auto", precision: str = "auto"
) -> Together:
    """Load several runs, or exports, that answer the same texts; they are named by their folders.

    Raises:
        BertftError: a run is not there, given twice, or does not answer single texts.
    """
    paths = [one.path if isinstance(one, Run) else Path(one) for one in runs]
    names = [(one if one.name else one.resolve()).name for one in paths]
    if len({*names}) < len(names):
        names = [str(one) for one in paths]
    if twice := [name for name in names if names.count(name) > 1]:
        raise BertftError(f"--run {twice[0]} is given twice", hint="give each run once")
    for name, run in zip(names, runs, strict=True):  # before any is loaded
        found = run if isinstance(run, Run) else open_run(run)
        _check_single(name, bound_task(read_card(model_folder(found))))
    return Together(
        {
            name: load(run, device=device, precision=precision)
            for name, run in zip(names, runs, strict=True)
        }
    )


def _check_single(name: str, task: Task[Any]) -> None:
    is_pair = getattr(getattr(task, "options", None), "pairs", False)
    if task.name in ("classification", "ner") and not is_pair:
        return
    kind = "classification of pairs" if task.name == "classification" else task.name
    what = f"{name}: its task is {kind}; several runs answer single texts"
    raise BertftError(what, hint="give runs of classification or ner, or one --run alone")
