"""Labels without any training: texts and label names in, for each text the name most like it out.

Compared are sentence vectors (cosine), so that a description says more than a name. It is a start
for labelling: nothing was learned, and a similarity is no probability.

Shape legend: N texts, C labels, W width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertft.contracts import Answer, FloatArray, Task
from bertft.errors import BertftError
from bertft.inside.embedder import Embedder, View, unit_length
from bertft.inside.encoders import open_encoder
from bertft.inside.request import EncoderRequest
from bertft.prediction.certainty import Rule
from bertft.prediction.predictor import in_windows
from bertft.settings import Recipe
from bertft.tasks import make_task


class ZeroShot:
    """Answers with the label that a text is most like."""

    def __init__(self, labels: str, encoder: EncoderRequest, *, settings: Recipe) -> None:
        """``labels`` as ``read_labels`` takes them. Raises BertftError."""
        described = read_labels(labels)
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


def read_labels(given: str) -> dict[str, list[str]]:
    """Label -> what describes it: ``refund,delivery=where is my parcel``, or a file, one a line.

    A label may stand there more than once, with another description; one without is described by
    its name, read as words.

    Raises:
        BertftError: there are fewer than two labels.
    """
    if _is_file(given):
        parts = Path(given).read_text(encoding="utf-8-sig").splitlines()
    else:
        parts = given.split(",")
    described: dict[str, list[str]] = {}
    for part in filter(str.strip, parts):
        name, _, description = (one.strip() for one in part.partition("="))
        described.setdefault(name, []).append(description or name.replace("_", " "))
    if len(described) < 2 or "" in described:
        hint = '--labels "refund,delivery=where is my parcel", or a file of one a line'
        raise BertftError("--labels needs two labels or more", hint=hint)
    return described


def _is_file(given: str) -> bool:
    try:
        return Path(given).is_file()
    except OSError:  # too long for a path
        return False
