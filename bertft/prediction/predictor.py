"""predict: a finished run and texts in, answers out, streamed in input order.

The Predictor is also the Python API: ``bertft.load("runs/x").predict("what a film")``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

from bertft.contracts import Answer, Head, Pieces, Task
from bertft.encoder.load import check_folder, check_vocabulary, load_tokenizer
from bertft.encoder.packing import choose_batcher
from bertft.encoder.pieces import CHARACTERS
from bertft.prediction.certainty import Certainty, Rule
from bertft.prediction.foreign import Foreign
from bertft.prediction.shown import Answers
from bertft.prediction.unanswered import Unanswered, example_of
from bertft.runs.folder import Run, model_folder, open_run
from bertft.runs.stored import read_card
from bertft.tasks import bound_task
from bertft.training.inference import compute_logits, pieces_of
from bertft.training.runtime import Runtime, choose_runtime
from bertft.watch import Silent, Watch

WINDOW = 2048

Item = TypeVar("Item")


class Predictor:
    """A trained model, ready to answer: task, tokenizer, and the model on its device."""

    def __init__(self, folder: Path, *, runtime: Runtime) -> None:
        check_folder(folder)
        self.folder = folder
        self.card = read_card(folder)
        self.task: Task[Any] = bound_task(self.card)
        self.head: Head = self.task.head([])
        self.tokenizer = load_tokenizer(folder)
        self.runtime = runtime
        self.max_length = int(self.card["max_length"])
        model = self.head.build(folder, trained=True)
        check_vocabulary(model, self.tokenizer)
        self.model = model.to(runtime.device)  # type: ignore[arg-type]
        self.foreign = Foreign(self.tokenizer, folder)
        self.batcher = choose_batcher(self.model, self.tokenizer, head=self.head)
        self.together = False
        """Whether all processes of a training answer the same examples at the same time."""

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
        rule = self.rule(certainty, watch=Silent())
        is_one = isinstance(texts, str | Mapping)
        asked: Any = [texts] if is_one else texts
        examples = (example_of(self.task, one, id=str(i)) for i, one in enumerate(asked, start=1))
        answers = Answers.of(self.stream(examples, top_k=top_k, rule=rule))
        for said in self.foreign.take():
            warnings.warn(said, stacklevel=2)
        return answers[0] if is_one else answers

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
        for window in windows(examples, most=WINDOW, length=lambda one: len(one.text)):
            asked = [one for one in window if not isinstance(one, Unanswered)]
            answers = iter(self.answer(asked, top_k=shown))
            for one in window:
                answer = one.answer if isinstance(one, Unanswered) else next(answers)
                yield answer if rule is None else rule.apply(answer, top_k=top_k)

    def answer(self, examples: Sequence[Any], *, top_k: int | None = None) -> list[Answer]:
        """Answers for examples that are all in memory."""
        pairs = zip(examples, self.pieces(examples), strict=True)
        return [self.task.decode(example, parts, top_k=top_k) for example, parts in pairs]

    def pieces(self, examples: Sequence[Any]) -> list[Pieces]:
        """The windows of each example with their logits."""
        encoded = self.task.encode(examples, self.tokenizer, max_length=self.max_length)
        self.foreign.see([one.text for one in examples], encoded)
        logits = compute_logits(
            self.model,
            encoded,
            head=self.head,
            batcher=self.batcher,
            precision=self.runtime.precision,
            together=self.together,
        )
        return pieces_of(len(examples), encoded, logits)


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


def load(run: str | Path | Run, *, device: str = "auto", precision: str = "auto") -> Predictor:
    """Load a run (its directory, or its ``best`` folder) for prediction.

    Args:
        device: auto, cpu, cuda or mps.
        precision: auto, fp32, bf16 or fp16; fp32 reproduces plain transformers to rounding.
    """
    found = run if isinstance(run, Run) else open_run(run)
    runtime = choose_runtime(device=device, precision=precision)
    return Predictor(model_folder(found), runtime=runtime)
