"""Texts to Encoded: what happens to texts longer than ``max_length`` tokens is decided here.

truncate    the first max_length tokens (pairs: the longer text is cut first)
head_tail   a quarter of the room from the start, the rest from the end (Sun et al. 2019 keep 128 of
            510 tokens from the head and 382 from the tail)
windows     several overlapping windows; the task pools their logits
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Any

from bertft.contracts import Encoded
from bertft.encoder.pieces import chunks
from bertft.encoder.word_cache import OneByOne, WordCache
from bertft.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 2048
HEAD_SHARE = 0.25
MANY = 4 * CHUNK
"""Texts from which remembering their words is worth a try."""
MOST_NEW = 0.3
"""Share of new words above which it is not."""


@dataclass(frozen=True, slots=True)
class LongText:
    """The rule for long texts: its name, and the overlap of windows in tokens."""

    how: str
    overlap: int = 0


def encode_texts(
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    rule: LongText,
) -> Iterator[Encoded]:
    """Encoded windows of all texts in order; ``dropped`` counts the tokens that were cut off."""
    words = _word_cache(tokenizer, texts, pairs)
    for start in range(0, len(texts), CHUNK):
        part = texts[start : start + CHUNK]
        second = None if pairs is None else pairs[start : start + CHUNK]
        lengths = [len(text) for text in part]
        if second is not None:
            lengths = [one + len(pair) for one, pair in zip(lengths, second, strict=True)]
        for some in chunks(lengths, most=CHUNK):
            own = part[some.start : some.stop]
            other = None if second is None else second[some.start : some.stop]
            first = start + some.start
            yield from _encode_chunk(own, other, tokenizer, max_length, rule, first, words)
            if words is not None and words.new_share > MOST_NEW:
                words = None


def _word_cache(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], pairs: Sequence[str] | None
) -> WordCache | None:
    """What remembers words: the tokenizer's own, or one for many texts; None where none can."""
    own: WordCache | None = getattr(tokenizer, "words", None)
    if own is not None or pairs is not None or not tokenizer.is_fast or len(texts) < MANY:
        return own
    return WordCache.of(tokenizer.backend_tokenizer)


def _encode_chunk(
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    rule: LongText,
    start: int,
    words: WordCache | None,
) -> Iterator[Encoded]:
    columns, encodings = _tokenize(tokenizer, texts, pairs, words)
    for index, (ids, kinds) in enumerate(columns):
        number = start + index
        if len(ids) <= max_length:
            yield _compact(ids, kinds, number)
        elif pairs is not None:
            yield _truncate_pair(
                tokenizer, texts[index], pairs[index], max_length, number, len(ids)
            )
        else:
            special = encodings[index].special_tokens_mask  # dear to ask of every text
            yield from _cut(ids, kinds, special, max_length, rule, number)


def _tokenize(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    words: WordCache | None,
) -> tuple[Iterator[tuple[list[int], Sequence[int]]], Any]:
    """(ids, token types) of each text, uncut; and what the tokenizer's library says of them.

    That library is asked itself, where it can be: without offsets it is 1.4 times as fast as by way
    of transformers.
    """
    found: Any
    if not tokenizer.is_fast:
        second = None if pairs is None else list(pairs)
        found = tokenizer(list(texts), second, truncation=False, verbose=False)
        types = found.get("token_type_ids") or repeat([])
        return zip(found["input_ids"], types, strict=False), found.encodings
    has_types = "token_type_ids" in tokenizer.model_input_names
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    if words is not None and pairs is None:
        types = (lambda ids: bytes(len(ids))) if has_types else (lambda ids: b"")
        return ((ids, types(ids)) for ids in words.ids(texts)), OneByOne(backend, texts)
    asked = list(texts) if pairs is None else list(zip(texts, pairs, strict=True))
    found = backend.encode_batch_fast(asked)
    return ((one.ids, one.type_ids if has_types else []) for one in found), found


def _truncate_pair(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    pair: str,
    max_length: int,
    number: int,
    full_length: int,
) -> Encoded:
    # As lists: transformers 5.23 takes one empty second text for none.
    cut: Any = tokenizer([text], [pair], truncation="longest_first", max_length=max_length)
    (ids,) = cut["input_ids"]
    (types,) = cut.get("token_type_ids", [[]])
    return _compact(ids, types, number, dropped=full_length - len(ids))


def _cut(
    ids: list[int],
    types: Sequence[int],
    special: list[int],
    max_length: int,
    rule: LongText,
    number: int,
) -> Iterator[Encoded]:
    """Windows of one long text; special tokens at both ends are kept in each."""
    before = special.index(0)
    after = special[::-1].index(0)
    room = max_length - before - after
    words = range(before, len(ids) - after)
    for keep in _kept(words, room, rule):
        positions = [*range(before), *keep, *range(len(ids) - after, len(ids))]
        chosen = [ids[i] for i in positions]
        kinds = [types[i] for i in positions] if types else []
        dropped = 0 if rule.how == "windows" else len(words) - len(keep)
        yield _compact(chosen, kinds, number, dropped=dropped)


def _compact(ids: list[int], types: Sequence[int], number: int, *, dropped: int = 0) -> Encoded:
    """In four bytes for each id: a list of Python's numbers takes nine times that."""
    kinds = array("b", types) if any(types) else _zeros(len(types))
    return Encoded(array("i", ids), kinds, number, dropped=dropped)


@cache
def _zeros(length: int) -> array[int]:
    """Token types of a single text: one object for all of a length."""
    return array("b", bytes(length))


def _kept(words: range, room: int, rule: LongText) -> Iterator[Sequence[int]]:
    """Positions that each window keeps."""
    if rule.how == "truncate":
        yield words[:room]
    elif rule.how == "head_tail":
        head = max(1, int(room * HEAD_SHARE))
        yield [*words[:head], *words[len(words) - (room - head) :]]
    else:
        if rule.overlap >= room:
            hint = f"--set task.window_overlap={room // 4}"
            raise RecipeError(
                f"task.window_overlap {rule.overlap} leaves no room in a window", hint=hint
            )
        starts = range(0, len(words) - rule.overlap, room - rule.overlap)
        for start in starts:
            # The last window is moved back so that it is full: more context, same count.
            first = min(start, len(words) - room)
            yield words[first : first + room]
