"""Labels without any training: texts and label names in, for each text the one that suits it out.

By the sentence vectors of an encoder, or by an NLI run that is asked whether the text entails the
label. A description says more than a name. It is a start for labelling: nothing was learned.

Shape legend: N texts, C labels, W width.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
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
from bertft.prediction.predictor import WINDOW, Predictor, in_windows
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.tasks.nli import LABELS

ENTAILED = LABELS[0]
ENGLISH, KOREAN = "This is about {}.", "이 글은 {}에 관한 것이다."
HANGUL = re.compile("[가-힣]")


class ZeroShot(ABC):
    """Answers with the label that suits a text best."""

    measure: tuple[str, str]
    """What an answer calls the number of its label, and those of all labels."""
    name: str
    """The model that is asked."""
    max_length: int

    def __init__(
        self, labels: str, *, settings: Mapping[str, Any], tell: Callable[[str], None]
    ) -> None:
        """``labels`` as ``read_labels`` takes them; ``settings`` are a ``[task]`` table.

        Raises BertftError.
        """
        self.described = read_labels(labels, tell=tell)
        task = make_task({**settings, "name": "classification"})
        self.task: Task[Any] = task.bind(list(self.described), {})

    @abstractmethod
    def compare(self, examples: Sequence[Any]) -> tuple[FloatArray, list[bool]]:
        """[N, C] how well labels suit texts, and whether a text was cut."""

    def stream(
        self, examples: Iterable[Any], *, top_k: int | None = None, rule: Rule | None = None
    ) -> Iterator[Answer]:
        return in_windows(examples, lambda window: self.answer(window, top_k=top_k))

    def answer(self, examples: Sequence[Any], *, top_k: int | None = None) -> list[Answer]:
        if not examples:
            return []
        one, several = self.measure
        answers = []
        for example, row, cut in zip(examples, *self.compare(examples), strict=True):
            order = np.argsort(-row, kind="stable")
            answer: Answer = {"id": example.id, "text": example.text}
            answer |= {} if example.pair is None else {"text_pair": example.pair}
            answer["label"] = self.task.labels[order[0]]
            answer[one] = float(row[order[0]])
            answer[several] = {self.task.labels[i]: float(row[i]) for i in order[:top_k]}
            answers.append(answer | {"truncated": cut})
        return answers


class BySimilarity(ZeroShot):
    """The label whose name, or description, has the vector most like that of the text (cosine)."""

    measure = ("similarity", "similarities")

    def __init__(
        self,
        labels: str,
        encoder: EncoderRequest,
        *,
        settings: Mapping[str, Any],
        tell: Callable[[str], None],
    ) -> None:
        super().__init__(labels, settings=settings, tell=tell)
        opened = open_encoder(encoder)
        self.name = opened.name
        self._embedder = Embedder(opened, View())
        self.max_length = self._embedder.extractor.max_length
        centres = [self._centre(described(*one)) for one in self.described.items()]
        self._labels = np.stack(centres)  # [C, W]

    def _centre(self, texts: Sequence[str]) -> FloatArray:
        """[W] the middle of what describes a label."""
        vectors = unit_length(np.stack(self._embedder.vectors(self._embedder.encode(texts))))
        return unit_length(vectors.mean(axis=0))

    def compare(self, examples: Sequence[Any]) -> tuple[FloatArray, list[bool]]:
        encoded = self._embedder.encode([" ".join(one.texts) for one in examples])
        vectors = unit_length(np.stack(self._embedder.vectors(encoded)))  # [N, W]
        return vectors @ self._labels.T, [one.dropped > 0 for one in encoded]


class ByInference(ZeroShot):
    """The label whose hypothesis an NLI model finds most probably entailed by the text.

    Yin et al. 2019; the probability is that of each hypothesis for itself, so several, or none,
    may be probable.
    """

    measure = ("entailment", "entailments")

    def __init__(
        self,
        labels: str,
        predictor: Predictor,
        *,
        settings: Mapping[str, Any],
        tell: Callable[[str], None],
    ) -> None:
        super().__init__(labels, settings=settings, tell=tell)
        if predictor.task.name != "nli":
            what = (
                f"--labels asks an nli run, and {predictor.folder} is one of {predictor.task.name}"
            )
            raise BertftError(what, hint="leave out --labels, or --run")
        self._predictor = predictor
        self.name, self.max_length = str(predictor.folder), predictor.max_length
        self._hypotheses = [
            (number, text)
            for number, one in enumerate(self.described.items())
            for text in hypotheses(*one)
        ]
        tell(f"the hypothesis of '{self.task.labels[0]}': {self._hypotheses[0][1]}")

    def compare(self, examples: Sequence[Any]) -> tuple[FloatArray, list[bool]]:
        """A text is as many pairs as there are hypotheses: few texts are in memory at a time."""
        found = np.full((len(examples), len(self.described)), -np.inf)
        cut = [False] * len(examples)
        together = max(1, WINDOW // len(self._hypotheses))
        for start in range(0, len(examples), together):
            asked = [
                replace(example, text=" ".join(example.texts), pair=text)
                for example in examples[start : start + together]
                for _, text in self._hypotheses
            ]
            for place, answer in enumerate(self._predictor.answer(asked)):
                row, which = divmod(place, len(self._hypotheses))
                row, label = start + row, self._hypotheses[which][0]
                found[row, label] = max(found[row, label], answer["scores"][ENTAILED])
                cut[row] = cut[row] or answer["truncated"]
        return found, cut


def described(name: str, descriptions: Sequence[str]) -> list[str]:
    """What describes a label: its name, read as words, where nothing else does."""
    return [one or name.replace("_", " ") for one in descriptions]


def hypotheses(name: str, descriptions: Sequence[str]) -> list[str]:
    """What an NLI model is asked of a text: a description as it is, a bare name in a sentence."""
    words = name.replace("_", " ")
    sentence = KOREAN if HANGUL.search(words) else ENGLISH
    return [one or sentence.format(words) for one in descriptions]


def read_labels(given: str, *, tell: Callable[[str], None]) -> dict[str, list[str]]:
    """Label -> its descriptions: ``refund,delivery=where is my parcel``, or a file, one a line.

    A label may stand there more than once, with another description; "" is none.

    Raises:
        BertftError: the file cannot be read, or there are fewer than two labels.
    """
    parts = _lines(given, tell=tell) if is_input(given) else given.split(",")
    found: dict[str, list[str]] = {}
    for part in filter(str.strip, parts):
        name, _, description = (one.strip() for one in part.partition("="))
        found.setdefault(name, []).append(description)
    if len(found) < 2 or "" in found:
        hint = '--labels "refund,delivery=where is my parcel", or a file of one a line'
        raise BertftError("--labels needs two labels or more", hint=hint)
    return found


def _lines(path: str, *, tell: Callable[[str], None]) -> list[str]:
    """The lines of a file, in whatever encoding its bytes show."""
    resolve(path)
    source = Source(path, data=DataSettings())
    with open_text(source) as file:
        lines = [line for _, line in file]
    for note in left_out(source):
        tell(note)
    return lines
