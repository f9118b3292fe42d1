"""Tokens with their place in the text: texts go in, piece ids, offsets and windows come out.

For tasks that answer with characters (NER, QA). Special tokens are put around the pieces here, so
that a passage is tokenised once however many windows and questions it has.

Shape legend: P pieces of a text, L tokens of a window.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bertft.contracts import Encoded, FloatArray, OffsetArray, Pieces
from bertft.errors import ModelError, RecipeError
from bertft.spans import Span

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHARACTERS = 2**20

# Whether a character is white space, by its code; the last entry stands for all beyond.
_IS_SPACE = np.array([chr(code).isspace() for code in range(0x3002)])


@dataclass(frozen=True, slots=True)
class TextPieces:
    """Pieces of one text: ``ids`` [P] and their characters ``offsets`` [P, 2], white space off.

    A piece that stands for white space only has an empty offset.
    """

    ids: array[int]
    offsets: OffsetArray

    def __len__(self) -> int:
        return len(self.ids)


def chunks(lengths: Sequence[int], *, most: int) -> Iterator[range]:
    """Ranges of at most ``most`` texts and CHARACTERS characters, one text at least: what a
    tokenizer is given at once, for it takes much memory for each character."""
    start = held = 0
    for index, length in enumerate(lengths):
        if index > start and (index - start == most or held + length > CHARACTERS):
            yield range(start, index)
            start, held = index, 0
        held += length
    if start < len(lengths):
        yield range(start, len(lengths))


def cut_into_pieces(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[TextPieces]:
    """Pieces of whole texts, without special tokens. Raises ModelError for slow tokenizers."""
    if not tokenizer.is_fast:
        hint = "save it with a tokenizer.json, or choose another model"
        raise ModelError("this tokenizer does not tell where its tokens are in the text", hint=hint)
    if not texts:
        return []
    found: Any = tokenizer(
        list(texts),
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    pairs = zip(found["input_ids"], found["offset_mapping"], texts, strict=True)
    return [TextPieces(array("i", ids), _trimmed(offsets, text)) for ids, offsets, text in pairs]


def _trimmed(offsets: Sequence[tuple[int, int]], text: str) -> OffsetArray:
    """Offsets [P, 2] without white space, which SentencePiece counts to the piece after it."""
    found = np.array(offsets, dtype=np.int32).reshape(-1, 2)
    if not len(text):
        return found
    characters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    space = _IS_SPACE[np.minimum(characters, len(_IS_SPACE) - 1)]
    while True:
        starts, ends = found.T
        filled = starts < ends
        leading = filled & space[np.minimum(starts, len(text) - 1)]
        trailing = filled & ~leading & space[np.maximum(ends - 1, 0)]
        if not (leading.any() or trailing.any()):
            return found
        found[leading, 0] += 1
        found[trailing, 1] -= 1


@dataclass(frozen=True, slots=True)
class Frame:
    """The special tokens around one text or two, with their token types; learned by a trial.

    ``types`` are those of (before, first, between, second, after) for pairs; empty where the model
    has none. ``end`` closes a single text.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    end: tuple[int, ...]
    types: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Frame:
        pair: Any = tokenizer(["a"], ["b"], return_token_type_ids=True)
        single: Any = tokenizer(["a"])
        ids, parts = pair["input_ids"][0], pair.sequence_ids(0)
        first, second = parts.index(0), parts.index(1)
        first_end = len(parts) - parts[::-1].index(0)
        second_end = len(parts) - parts[::-1].index(1)
        only = single.sequence_ids(0)
        has_types = "token_type_ids" in tokenizer.model_input_names
        kinds = pair["token_type_ids"][0]
        places = (0, first, first_end, second, second_end)
        return cls(
            before=tuple(ids[:first]),
            between=tuple(ids[first_end:second]),
            after=tuple(ids[second_end:]),
            end=tuple(single["input_ids"][0][len(only) - only[::-1].index(0) :]),
            types=tuple(kinds[i] for i in places) if has_types else (),
        )

    @property
    def single_specials(self) -> int:
        return len(self.before) + len(self.end)

    @property
    def pair_specials(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)

    def single(self, pieces: TextPieces, window: range) -> tuple[array[int], array[int], int]:
        """(input ids [L], token types [L], position of the first piece) of a window."""
        ids = array("i", self.before) + pieces.ids[window.start : window.stop]
        ids += array("i", self.end)
        kinds = array("i", [self.types[0]]) * len(ids) if self.types else array("i")
        return ids, kinds, len(self.before)

    def pair(
        self, first: array[int], second: TextPieces, window: range
    ) -> tuple[array[int], array[int], int]:
        """(input ids [L], token types [L], position of the second text's first piece)."""
        body = second.ids[window.start : window.stop]
        parts = [
            array("i", self.before),
            first,
            array("i", self.between),
            body,
            array("i", self.after),
        ]
        ids, kinds = array("i"), array("i")
        for number, part in enumerate(parts):
            ids += part
            if self.types:
                kinds += array("i", [self.types[number]]) * len(part)
        return ids, kinds, len(ids) - len(self.after) - len(body)


def windows_over(count: int, *, room: int, overlap: int) -> list[range]:
    """Ranges of at most ``room`` pieces that cover all ``count``; neighbours share ``overlap``.

    Raises:
        RecipeError: the overlap leaves no room to advance.
    """
    if overlap >= room:
        hint = f"--set task.window_overlap={max(0, room // 3)}, or a larger model.max_length"
        raise RecipeError(
            f"task.window_overlap {overlap} leaves no room in a window of {max(room, 0)} pieces",
            hint=hint,
        )
    if count <= room:
        return [range(count)]
    starts = range(0, count - overlap, room - overlap)
    return [range(start, min(start + room, count)) for start in starts]


def placed(offsets: OffsetArray, *, first: int, length: int) -> OffsetArray:
    """Offsets of a window's pieces [p, 2] at their positions among its ``length`` tokens [L, 2]."""
    rows = np.zeros((length, 2), dtype=np.int32)  # [L, 2]
    rows[first : first + len(offsets)] = offsets
    return rows


def words_without_pieces(words: Sequence[Span], offsets: OffsetArray) -> list[int]:
    """Positions of the words that no piece stands for."""
    _, there = first_pieces(np.array(words, dtype=np.int32).reshape(-1, 2), offsets)
    return [int(index) for index in np.flatnonzero(~there)]


def first_pieces(
    spans: OffsetArray, offsets: OffsetArray
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The first piece of each word [W], and whether there is one [W]."""
    first = np.searchsorted(offsets[:, 1], spans[:, 0], side="right")
    there = first < len(offsets)
    there[there] = offsets[first[there], 0] < spans[there, 1]
    return first, there


def passage_of(one: Encoded) -> tuple[int, int]:
    """First and last token of the passage in a window; (1, 0) when it holds none."""
    assert one.offsets is not None
    inside = np.flatnonzero(one.offsets[:, 1])
    return (int(inside[0]), int(inside[-1])) if len(inside) else (1, 0)


def pieces_of(count: int, encoded: Sequence[Encoded], logits: Sequence[FloatArray]) -> list[Pieces]:
    """All windows with their logits for each of ``count`` examples, in the examples' order."""
    pieces: list[list[tuple[Encoded, FloatArray]]] = [[] for _ in range(count)]
    for one, row in zip(encoded, logits, strict=True):
        pieces[one.example].append((one, row))
    return list(pieces)
