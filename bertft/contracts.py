"""The central types: what flows between loaders, tasks, heads, the loop and the commands.

    file -> Example -> Encoded -> Batch -> model output -> logits -> Answer -> Scores

A task turns rows into Examples, Examples into Encoded (one or more windows each), and logits back
into Answers; a head turns targets into a loss. Everything between is the same for every task.

Shape legend: B sequences in a batch, L padded length, C labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from bertft.arrays import FloatArray as FloatArray
from bertft.arrays import OffsetArray as OffsetArray

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from bertft.checks.finding import Finding, Reading, Split
    from bertft.encoder.sentence import SentenceRule
    from bertft.evaluation.calibration import Evidence, Scaling
    from bertft.evaluation.statistic import Scores
    from bertft.loaders.source import Source
    from bertft.settings import ModelSettings

Pieces = Sequence[tuple["Encoded", FloatArray]]
"""All windows of one example with their logits: [C] per sequence, or [L, C] per token."""

Learned = dict[str, Any]
"""What training finds beside weights and labels (a threshold, say): JSON, saved with the model."""

Target = int | float | list[float] | list[int] | tuple[int, int] | None
"""What a head learns: a class id, a number, a multi-hot vector, token label ids, the positions
(start, end) of an answer's first and last token, or the numbers of the passages that answer a
question (of a passage its own)."""

IGNORED = -100
"""Target of pieces that carry no tag: special tokens, and all but the first piece of a word."""

Answer = dict[str, Any]
"""One JSON object of ``predictions``; its fields are set by the task and documented there."""


@dataclass(frozen=True, slots=True)
class Masked:
    """Tokens of an input that were hidden: their ``places``, in order, and what stood there."""

    places: Sequence[int]
    tokens: Sequence[int]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One model input. A long example may give several.

    ``example`` is the index of its Example in the list that was encoded; ``dropped`` counts the
    pieces (tokens) of the text that were cut off to fit ``max_length``. ``offsets`` [L, 2] are the
    characters of the text that each piece answers for: (0, 0) for special tokens and whatever else
    the task does not ask about. ``masked`` are the tokens that are hidden, for who learns them.
    ``soft`` are probabilities that are learned in place of the target: [U, C] of the tags of all
    tokens with offsets, or [1 + P, 2] of start and end at [CLS] and at the tokens of the passage.
    """

    input_ids: Sequence[int]
    token_type_ids: Sequence[int]
    example: int
    target: Target = None
    offsets: OffsetArray | None = field(default=None, compare=False)
    dropped: int = 0
    masked: Masked | None = None
    soft: FloatArray | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(slots=True)
class Batch:
    """What the model is called with, and what the head needs for the loss.

    ``inputs`` are the keyword arguments of the model's forward: padded [B, L], or packed [1, T]
    with ``packing`` beside them. ``lengths`` are the real lengths of the sequences, ``encoded``
    says which Encoded each is; ``targets`` is None when there is no gold.
    """

    inputs: dict[str, Any]
    targets: Tensor | None
    lengths: list[int]
    encoded: list[int]

    def on(self, device: torch.device) -> dict[str, Any]:
        """``inputs`` on a device."""
        return {name: value.to(device) for name, value in self.inputs.items()}

    @property
    def tokens(self) -> int:
        """Real tokens, padding not counted."""
        return sum(self.lengths)


class Batcher(Protocol):
    """Makes one Batch of several Encoded; ``head`` adds the targets, None when there is no gold."""

    def __call__(
        self,
        encoded: Sequence[Encoded] | Mapping[int, Encoded],
        indices: Sequence[int],
        *,
        head: Head | None,
    ) -> Batch: ...


Vary = Callable[[Encoded, int, int], Encoded]
"""An Encoded, the epoch and its index: what the model is shown of it in that epoch."""


class Readout(Protocol):
    """The end of a model that is read: its class, and what it says of each sequence."""

    pools: ClassVar[bool]
    """Whether the model answers per sequence, from its first token, rather than per token."""

    def build(self, folder: Path) -> PreTrainedModel:
        """A plain Hugging Face model with the encoder's weights from ``folder``."""
        ...

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        """Float32 values, one array for each sequence of the batch, padding removed."""
        ...


class Head(Readout, Protocol):
    """The task-specific end of a model, which learns: also its targets and its loss."""

    def build(self, folder: Path, *, trained: bool = False) -> PreTrainedModel:
        """A plain Hugging Face model for this head with the encoder's weights from ``folder``.

        The head is made anew where the folder has none, unless it is one that was ``trained``.
        """
        ...

    def targets(self, encoded: Sequence[Encoded], *, length: int | None) -> Tensor:
        """Targets of a batch as one tensor.

        Where they are per token they are padded to ``length``, or joined when it is None.
        """
        ...

    def loss(self, output: Any, targets: Tensor) -> Tensor:
        """Summed (not averaged) loss of a batch; divided by ``count`` over the optimizer step.

        A head with several losses gives one of each, [P].
        """
        ...

    def count(self, targets: Tensor) -> float | Tensor:
        """What the summed loss is divided by: examples, tokens, or their total weight.

        Of several losses [P], the step's loss is the sum of their means.
        """
        ...


class HasId(Protocol):
    """What every Example has: an id (the data's own, or its line number), a line, a text."""

    @property
    def id(self) -> str: ...

    @property
    def line(self) -> int: ...

    @property
    def text(self) -> str:
        """The text that is read, for checks that concern any task."""
        ...

    @property
    def group(self) -> str:
        """Examples of one group belong into one split; "" for examples that stand alone."""
        ...


E = TypeVar("E", bound=HasId)


class Task(Protocol[E]):
    """One task: pairs a loader with a head. A new task is one file that fulfils this."""

    @property
    def name(self) -> str:
        """Its name in ``[task]`` of a recipe."""
        ...

    @property
    def metric(self) -> str:
        """The score that selects the best checkpoint unless the recipe names one."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names by id; empty until bound, and for tasks without labels."""
        ...

    @property
    def learned(self) -> Learned:
        """What ``learn_labels`` and ``fit`` found; saved with the model."""
        ...

    @property
    def scaling(self) -> Scaling:
        """What dev made of the logits behind probabilities; () where nothing was fitted."""
        ...

    def read(self, source: Source) -> Iterator[E]:
        """Examples of a source in file order, streamed. Raises DataError with file and line."""
        ...

    def example(self, record: str | Mapping[str, Any], *, id: str) -> E:
        """An Example without gold from one text or one mapping of columns (Python API)."""
        ...

    def bind(self, labels: Sequence[str], learned: Mapping[str, Any]) -> Task[E]:
        """The same task as it was trained: its label names and what it learned."""
        ...

    def learn_labels(self, examples: Sequence[E], *, path: str) -> Task[E]:
        """The same task with label names taken from training data, in a stable order."""
        ...

    def check(self, examples: Sequence[E], *, path: str) -> list[str]:
        """What gold labels are read as, where that is not what the file says: a sentence each.

        Raises DataError when one is none of ``labels``.
        """
        ...

    def fit(self, examples: Sequence[E], pieces: Sequence[Pieces]) -> Task[E]:
        """The same task with what dev logits tell: thresholds, calibration."""
        ...

    def head(self, examples: Sequence[E]) -> Head:
        """The head, with whatever it needs from the training examples (class weights)."""
        ...

    def encode(
        self, examples: Sequence[E], tokenizer: PreTrainedTokenizerBase, *, max_length: int
    ) -> Sequence[Encoded]:
        """Windows of all examples, in order; targets are None for examples without gold."""
        ...

    def remarks(self, examples: Sequence[E], encoded: Sequence[Encoded]) -> list[str]:
        """What encoding gold has lost, counted, a sentence each; nothing is lost silently."""
        ...

    def readings(self, examples: Sequence[E]) -> Sequence[Reading]:
        """What checks look at in examples with gold."""
        ...

    def findings(
        self, split: Split, tokenizer: PreTrainedTokenizerBase | None, *, max_length: int
    ) -> list[Finding]:
        """What only this task can find in data; without a tokenizer, what needs none."""
        ...

    def decode(self, example: E, pieces: Pieces, *, top_k: int | None = None) -> Answer:
        """What a person wants to know, from the logits of all windows of one example."""
        ...

    def gold(self, example: E, answer: Answer, pieces: Pieces) -> dict[str, Any]:
        """``gold`` and ``loss`` of an example, as they are written to predictions.jsonl."""
        ...

    def regain(self, record: Mapping[str, Any]) -> E:
        """The Example with gold that a line of predictions.jsonl was written for."""
        ...

    def evidence(
        self, answers: Sequence[Answer], golds: Sequence[Mapping[str, Any]]
    ) -> Evidence | None:
        """What the model says of how sure it is, before calibration, and what was right.

        None for answers without probabilities. ``golds`` are those of ``gold``.
        """
        ...

    def score(self, examples: Sequence[E], answers: Sequence[Answer]) -> Scores:
        """Official scores of answers against gold; both in the same order."""
        ...


@runtime_checkable
class SelfSupervised(Protocol):
    """A task that makes its own targets, others in each epoch, and learns from inputs alone."""

    def vary(
        self,
        examples: Sequence[Any],
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_length: int,
        seed: int,
    ) -> Vary:
        """What an Encoded of these examples becomes: depends on seed, epoch and index only."""
        ...

    def new_parts(self, folder: Path) -> list[str]:
        """Names of heads that the weights of a folder lack: they are made anew."""
        ...

    def learn_inputs(
        self, encoded: Sequence[Encoded], tokenizer: PreTrainedTokenizerBase
    ) -> Task[Any]:
        """The same task with what the training inputs tell."""
        ...


@runtime_checkable
class Teaches(Protocol):
    """A task whose answers can be learned whole, as probabilities (or as a number)."""

    def soft(self, example: Any, pieces: Pieces) -> Any:
        """What a model says of an example, for ``soft_row``."""
        ...

    def soft_row(self, example: Any, told: Sequence[Any]) -> dict[str, Any]:
        """A row with the mean of what several models say of an example, in the columns in which
        ``read`` finds text and gold."""
        ...


@runtime_checkable
class Batched(Protocol):
    """A task whose answers to many examples are made faster together."""

    def answers(
        self, examples: Sequence[Any], pieces: Sequence[Pieces], *, top_k: int | None = None
    ) -> list[Answer]:
        """What ``decode`` makes of each."""
        ...


@runtime_checkable
class Ranking(Protocol):
    """A task of vectors, whose answers are ranks among all examples; it learns from the whole
    examples of a batch, each beside the others."""

    def for_encoder(self, model: ModelSettings, folder: Path) -> Task[Any]:
        """The same task, which reads the encoder in ``folder`` as that and the recipe say."""
        ...

    def rule(self, *, max_length: int) -> SentenceRule:
        """How texts are embedded by the model that is saved."""
        ...

    def ranked(self, examples: Sequence[Any], pieces: Sequence[Pieces]) -> list[Answer]:
        """The answers of all examples of a data set, with gold."""
        ...
