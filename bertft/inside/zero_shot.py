"""Labels without any training: texts and label names in, for each text the name most like it out.

Compared are sentence vectors (cosine), so that a description says more than a name. It is a start
for labelling: nothing was learned, and a similarity is no probability.

Shape legend: N texts, C labels, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from bertft.contracts import Answer, FloatArray, Task
from bertft.errors import BertftError
from bertft.inside.embedder import Embedder, View, unit_length
from bertft.inside.encoders import open_encoder
from bertft.inside.request import EncoderRequest
from bertft.loaders.files import open_text, resolve
from bertft.loaders.named import is_input
from bertft.loaders.reading import left_out
from bertft.loaders.source import Source
from bertft.prediction.certainty import Rule
from bertft.prediction.predictor import in_windows
from bertft.settings import DataSettings, Recipe
from bertft.tasks import make_task


class ZeroShot:
    """Answers with the label that a text is most like."""

    def __init__(
        self, labels: str, encoder: EncoderRequest, *, settings: Recipe, tell: Callable[[str], None]
    ) -> None:
        """``labels`` as ``read_labels`` takes them. Raises BertftError."""
        described = read_labels(labels, tell=tell)
        task = make_task({**settings.task, "name": "classification"})
        self.task: Task[Any] = task.bind(list(described), {})
        opened = open_encoder(encoder)
        self.name = opened.name
        self._embedder = Embedder(opened, View())
        self.max_length = self._embedder.extractor.max_length
        self._labels = np.stack([self._centre(texts) for texts in described.values()])  # [C, W]

    def _centre(self, texts: Sequence[str]) -> FloatArray:
        """[W] the middle of what describes a label."""
        vectors = unit_length(np.stack(self._embedder.vectors(self._embedder.encode(texts))))
        return unit_length(vectors.mean(axis=0))

    def stream(
        self, examples: Iterable[Any], *, top_k: int | None = None, rule: Rule | None = None
    ) -> Iterator[Answer]:
        return in_windows(examples, lambda window: self.answer(window, top_k=top_k))

    def answer(self, examples: Sequence[Any], *, top_k: int | None = None) -> list[Answer]:
        if not examples:
            return []
        encoded = self._embedder.encode([" ".join(one.texts) for one in examples])
        vectors = unit_length(np.stack(self._embedder.vectors(encoded)))  # [N, W]
        answers = []
        for example, one, row in zip(examples, encoded, vectors @ self._labels.T, strict=True):
            order = np.argsort(-row, kind="stable")
            answer: Answer = {"id": example.id, "text": example.text}
            answer |= {} if example.pair is None else {"text_pair": example.pair}
            answer["label"] = self.task.labels[order[0]]
            answer["similarity"] = float(row[order[0]])
            answer["similarities"] = {self.task.labels[i]: float(row[i]) for i in order[:top_k]}
            answers.append(answer | {"truncated": one.dropped > 0})
        return answers


def read_labels(given: str, *, tell: Callable[[str], None]) -> dict[str, list[str]]:
    """Label -> what describes it: ``refund,delivery=where is my parcel``, or a file, one a line.

    A label may stand there more than once, with another description; one without is described by
    its name, read as words.

    Raises:
        BertftError: the file cannot be read, or there are fewer than two labels.
    """
    parts = _lines(given, tell=tell) if is_input(given) else given.split(",")
    described: dict[str, list[str]] = {}
    for part in filter(str.strip, parts):
        name, _, description = (one.strip() for one in part.partition("="))
        described.setdefault(name, []).append(description or name.replace("_", " "))
    if len(described) < 2 or "" in described:
        hint = '--labels "refund,delivery=where is my parcel", or a file of one a line'
        raise BertftError("--labels needs two labels or more", hint=hint)
    return described


def _lines(path: str, *, tell: Callable[[str], None]) -> list[str]:
    """The lines of a file, in whatever encoding its bytes show."""
    resolve(path)
    source = Source(path, data=DataSettings())
    with open_text(source) as file:
        lines = [line for _, line in file]
    for note in left_out(source):
        tell(note)
    return lines
