"""predict: a finished run, or an export of one, and texts in, answers out, in input order.

The Predictor is also the Python API: ``bertft.load("runs/x").predict("what a film")``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, overload

from bertft.contracts import Answer, Encoded, FloatArray, Pieces, Task
from bertft.encoder.load import check_folder, load_tokenizer
from bertft.encoder.pieces import CHARACTERS, pieces_of
from bertft.engines.engine import Engine
from bertft.prediction.certainty import Certainty, Rule
from bertft.prediction.columns import Columns, added_names, records, with_answers
from bertft.prediction.foreign import Foreign, knows_jamo
from bertft.prediction.shown import Answers
from bertft.prediction.unanswered import Unanswered, example_of
from bertft.runs.exported import is_export, read_export
from bertft.runs.folder import Run, model_folder, open_run
from bertft.runs.stored import read_card
from bertft.tasks import answers_of, bound_task
from bertft.watch import Silent, Watch

WINDOW = 2048

Item = TypeVar("Item")


class Answering(Protocol):
    """Answers examples: a Predictor, or what asks one in its own way."""

    @property
    def task(self) -> Task[Any]: ...

    def stream(
        self, examples: Iterable[Any], *, top_k: int | None = None, rule: Rule | None = None
    ) -> Iterator[Answer]: ...

    def answer(self, examples: Sequence[Any], *, top_k: int | None = None) -> list[Answer]: ...


class Predictor:
    """A trained model, ready to answer: task, tokenizer, and the engine that computes its logits.

    It can be pickled, and is opened again where it arrives.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        device: str = "auto",
        precision: str = "auto",
        together: bool = False,
    ) -> None:
        """
        Args:
            folder: the ``best`` folder of a run, or an export.
            device: auto, cpu, cuda or mps.
            precision: auto, fp32, bf16 or fp16.
            together: all processes of a training answer the same examples at the same time.
        """
        self.folder = Path(folder)
        self.card = read_card(self.folder)
        self.task: Task[Any] = bound_task(self.card)
        self.max_length = int(self.card["max_length"])
        self._settings = {"device": device, "precision": precision, "together": together}
        opening = _open_export if is_export(self.folder) else _open_run
        self.tokenizer, self.engine, self.foreign = opening(
            self.folder, self.task, device=device, precision=precision, together=together
        )

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder.resolve(), "settings": self._settings, "task": self.task}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["folder"], **state["settings"])  # type: ignore[misc]
        self.task = state["task"]  # it may read other columns by now

    @overload
    def predict(  # type: ignore[overload-overlap]  # a str is a sequence of str, too
        self,
        texts: str | Mapping[str, Any],
        *,
        top_k: int | None = None,
        min_confidence: float | None = None,
        target_accuracy: float | None = None,
        coverage: float | None = None,
    ) -> Answer: ...

    @overload
    def predict(
        self,
        texts: Iterable[str | Mapping[str, Any] | None],
        *,
        top_k: int | None = None,
        min_confidence: float | None = None,
        target_accuracy: float | None = None,
        coverage: float | None = None,
    ) -> list[Answer]: ...

    def predict(
        self,
        texts: str | Mapping[str, Any] | Iterable[str | Mapping[str, Any] | None],
        *,
        top_k: int | None = None,
        min_confidence: float | None = None,
        target_accuracy: float | None = None,
        coverage: float | None = None,
    ) -> Answer | list[Answer]:
        """The answer to one text; of several texts a list of answers, in their order.

        One that holds no text gets ``{"id": ..., "error": ...}`` in the place of its answer.

        Args:
            texts: a text, or a mapping with the task's columns such as ``{"text": ...,
                "text_pair": ...}``; or several of them.
            top_k: how many labels ``scores`` names; all when None.
            min_confidence: answers of a lower probability are withheld: their label is None.
            target_accuracy: as ``min_confidence``, with the threshold from which this share of the
                dev predictions was right.
            coverage: adds ``label_set``, which holds the right label with this probability.
        """
        certainty = Certainty(
            min_confidence=min_confidence, target_accuracy=target_accuracy, coverage=coverage
        )
        is_one = isinstance(texts, str | Mapping)
        asked: Any = [texts] if is_one else texts
        answers = Answers.of(self._answers(asked, certainty, top_k=top_k))
        self._warn()
        return answers[0] if is_one else answers

    def predict_columns(
        self,
        columns: Columns,
        *,
        min_confidence: float | None = None,
        target_accuracy: float | None = None,
        coverage: float | None = None,
    ) -> dict[str, Any]:
        """The columns of a batch as they are, with what is predicted for each row behind them.

        Args:
            columns: the values of each column by its name, or a DataFrame; the texts are found by
                the names that the model was trained with, and by the usual ones.

        The columns that are added are those of `bertft predict --format parquet`, and for one model
        always the same: lists of texts, numbers and truth values; ``error`` says why a row has no
        answer. See ``predict`` for the other arguments.

        Raises:
            DataError: there is no column of texts.
        """
        certainty = Certainty(
            min_confidence=min_confidence, target_accuracy=target_accuracy, coverage=coverage
        )
        answers = self._answers(records(columns), certainty, top_k=None)
        found = with_answers(columns, answers, names=added_names(self.task, certainty))
        self._warn()
        return found

    def _answers(
        self, asked: Iterable[Any], certainty: Certainty, *, top_k: int | None
    ) -> Iterator[Answer]:
        rule = self.rule(certainty, watch=Silent())
        examples = (example_of(self.task, one, id=str(i)) for i, one in enumerate(asked, start=1))
        return self.stream(examples, top_k=top_k, rule=rule)

    def _warn(self) -> None:
        """Warn the caller of this class of texts that the model cannot read."""
        for said in self.foreign.take():
            warnings.warn(said, stacklevel=3)

    def rule(self, certainty: Certainty, *, watch: Watch) -> Rule | None:
        """What is asked of answers, for this model; None where nothing is. Raises BertftError."""
        return certainty.rule(self.task, self.folder, watch=watch) if certainty else None

    def stream(
        self, examples: Iterable[Any], *, top_k: int | None = None, rule: Rule | None = None
    ) -> Iterator[Answer]:
        """Answers one by one, in order; memory holds one window of examples at a time.

        An Unanswered among them gives its error. ``rule`` withholds the uncertain ones.
        """
        # A set of labels may need them all, whatever is shown.
        shown = None if rule is not None and rule.allowed is not None else top_k
        for answer in in_windows(examples, partial(self.answer, top_k=shown)):
            yield answer if rule is None else rule.apply(answer, top_k=top_k)

    def answer(self, examples: Sequence[Any], *, top_k: int | None = None) -> list[Answer]:
        """Answers for examples that are all in memory."""
        return answers_of(self.task, examples, self.pieces(examples), top_k=top_k)

    def pieces(self, examples: Sequence[Any]) -> list[Pieces]:
        """The windows of each example with their logits."""
        encoded = self.encode(examples)
        return pieces_of(len(examples), encoded, self.logits(encoded))

    def encode(self, examples: Sequence[Any]) -> list[Encoded]:
        """The windows of all examples, in order."""
        encoded = list(self.task.encode(examples, self.tokenizer, max_length=self.max_length))
        self.foreign.see([one.text for one in examples], encoded)
        return encoded

    def logits(self, encoded: Sequence[Encoded]) -> list[FloatArray]:
        """Logits of each window."""
        return self.engine.logits(encoded)


def in_windows(
    examples: Iterable[Any], answer: Callable[[Sequence[Any]], Sequence[Answer]]
) -> Iterator[Answer]:
    """Answers in order, a window of examples at a time; an Unanswered gives its error."""
    for window in windows(examples, most=WINDOW, length=lambda one: len(one.text)):
        answers = iter(answer([one for one in window if not isinstance(one, Unanswered)]))
        for one in window:
            yield one.answer if isinstance(one, Unanswered) else next(answers)


def windows(
    items: Iterable[Item], *, most: int, length: Callable[[Item], int]
) -> Iterator[list[Item]]:
    """At most ``most`` items at a time, and fewer where their texts are long."""
    window: list[Item] = []
    held = 0
    for item in items:
        window.append(item)
        held += length(item)
        if len(window) == most or held >= CHARACTERS:
            yield window
            window, held = [], 0
    if window:
        yield window


def _open_run(
    folder: Path, task: Task[Any], *, device: str, precision: str, together: bool
) -> tuple[Any, Engine, Foreign]:
    """(tokenizer, engine, what counts texts that cannot be read) of a run's model."""
    from bertft.engines.on_torch import TorchEngine
    from bertft.training.runtime import choose_runtime

    check_folder(folder)
    runtime = choose_runtime(device=device, precision=precision)
    tokenizer = load_tokenizer(folder)
    engine = TorchEngine(
        folder, head=task.head([]), tokenizer=tokenizer, runtime=runtime, together=together
    )
    return tokenizer, engine, Foreign(tokenizer, decomposed_hangul=knows_jamo(folder))


def _open_export(
    folder: Path, task: Task[Any], *, device: str, precision: str, together: bool
) -> tuple[Any, Engine, Foreign]:
    """The same of an export, which imports neither torch nor transformers."""
    from bertft.encoder.bare import BareTokenizer, read_backend
    from bertft.encoder.word_cache import WordCache
    from bertft.engines.exported import open_exported
    from bertft.engines.padded import Inputs

    export = read_export(folder)
    facts, backend = export.tokenizer, read_backend(folder / "tokenizer.json")
    tokenizer: Any = BareTokenizer(
        backend,
        tuple(facts.inputs),
        pad_token_id=facts.pad_id,
        pad_token_type_id=facts.pad_type_id,
        unk_token_id=facts.unk_id,
        words=WordCache.of(backend) if export.engine == "static" else None,
    )
    engine = open_exported(
        export.engine,
        folder / export.model,
        inputs=Inputs(
            tuple(export.inputs),
            facts.pad_id,
            facts.pad_type_id,
            max_length=int(read_card(folder)["max_length"]),
        ),
        per_token=export.per_token,
        stored=export.precision,
        device=device,
        precision=precision,
    )
    return tokenizer, engine, Foreign(tokenizer, decomposed_hangul=export.decomposed_hangul)


def load(run: str | Path | Run, *, device: str = "auto", precision: str = "auto") -> Predictor:
    """Load a run (its directory, or its ``best`` folder) or an export for prediction.

    Args:
        device: auto, cpu, cuda or mps.
        precision: auto, fp32, bf16 or fp16; fp32 reproduces plain transformers to rounding.
    """
    found = run if isinstance(run, Run) else open_run(run)
    return Predictor(model_folder(found), device=device, precision=precision)
