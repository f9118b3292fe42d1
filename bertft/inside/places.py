"""Where a model's tokens stand in the texts: windows of an example in, characters of tokens out.

Tasks tell the places of only those tokens that they answer for; whoever shows what a model looked
at needs all of them.

Shape legend: L tokens of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bertft.contracts import Encoded, OffsetArray
from bertft.encoder.pieces import Frame, TextPieces, cut_into_pieces, placed
from bertft.errors import ModelError
from bertft.inside.hidden import pieces_within
from bertft.spans import Composed, compose, words_of
from bertft.tasks.long_text import HEAD_SHARE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Window:
    """One window, and for each text by its name the characters [L, 2] of each token.

    ``offsets`` are in the composed text, and (0, 0) for special tokens and those of another text.
    """

    encoded: Encoded
    texts: Mapping[str, str]
    composed: Mapping[str, Composed]
    offsets: Mapping[str, OffsetArray]

    @property
    def special(self) -> BoolArray:
        """Which tokens [L] stand for no character."""
        empty = [one[:, 1] == one[:, 0] for one in self.offsets.values()]
        return np.asarray(np.stack(empty).all(axis=0))

    def places(self) -> list[list[Any] | None]:
        """[text's name, start, end] of each token, in the texts as they were given."""
        found: list[list[Any] | None] = [None] * len(self.encoded)
        for name, offsets in self.offsets.items():
            for token in np.flatnonzero(offsets[:, 1] > offsets[:, 0]):
                span = self.composed[name].original(*map(int, offsets[token]))
                found[int(token)] = [name, *span]
        return found

    def words(self) -> tuple[list[dict[str, Any]], list[list[int]]]:
        """The words of all texts that have tokens (``text``, ``part``, ``start``, ``end``), and
        the numbers of these tokens."""
        words, groups = [], []
        for name, composed in self.composed.items():
            for word in words_of(composed.text):
                if inside := pieces_within(self.offsets[name], word):
                    start, end = composed.original(*word)
                    text = self.texts[name][start:end]
                    words.append({"text": text, "part": name, "start": start, "end": end})
                    groups.append(inside)
        return words, groups


def locate(
    windows: Sequence[Encoded],
    texts: Mapping[str, str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    overlap: int,
) -> list[Window]:
    """The windows of one example with the places of all tokens; ``texts`` are one or two.

    Raises:
        ModelError: tokens are not those of the texts: the tokenizer cuts a text in another way when
            it stands alone.
    """
    composed = {name: compose(text) for name, text in texts.items()}
    pieces = cut_into_pieces([one.text for one in composed.values()], tokenizer)
    offsets = _offsets(windows, pieces, Frame.of(tokenizer), overlap=overlap)
    return [
        Window(one, texts, composed, dict(zip(texts, rows, strict=True)))
        for one, rows in zip(windows, offsets, strict=True)
    ]


def _offsets(
    windows: Sequence[Encoded], texts: Sequence[TextPieces], frame: Frame, *, overlap: int
) -> Iterator[list[OffsetArray]]:
    """For each window the characters [L, 2] of its tokens in each text."""
    room = 0
    for number, one in enumerate(windows):
        ids = list(one.input_ids)
        first = _first_length(ids, texts[0], frame) if len(texts) == 2 else 0
        specials = frame.pair_specials if len(texts) == 2 else frame.single_specials
        begin = len(frame.before) + (first + len(frame.between) if len(texts) == 2 else 0)
        body = ids[begin : begin + len(ids) - specials - first]
        room = room or len(body)
        kept = _kept(body, texts[-1], start=number * (room - overlap))
        offsets = [placed(texts[-1].offsets[kept], first=begin, length=len(ids))]
        if len(texts) == 2:
            head = texts[0].offsets[:first]
            offsets.insert(0, placed(head, first=len(frame.before), length=len(ids)))
        yield offsets


def _first_length(ids: list[int], text: TextPieces, frame: Frame) -> int:
    """How many tokens of the first of two texts were kept."""
    begin, between = len(frame.before), list(frame.between)
    for length in range(min(len(text), len(ids) - frame.pair_specials), -1, -1):
        end = begin + length
        if (
            ids[end : end + len(between)] == between
            and ids[begin:end] == text.ids[:length].tolist()
        ):
            return length
    raise _unknown()


def _kept(body: list[int], text: TextPieces, *, start: int) -> list[int]:
    """Numbers of the text's pieces that a window holds: a run of them, or head and tail."""
    missing = len(text) - len(body)
    start = max(0, min(start, missing))
    head = max(1, int(len(body) * HEAD_SHARE))
    run = list(range(start, start + len(body)))
    ends = [*range(head), *range(missing + head, len(text))]
    for kept in (run, ends):
        if missing >= 0 and [text.ids[i] for i in kept] == body:
            return kept
    raise _unknown()


def _unknown() -> ModelError:
    hint = "choose an encoder from 'bertft models list'"
    return ModelError("the places of this model's tokens in the text are not known", hint=hint)
