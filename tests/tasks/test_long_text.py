"""Texts over max_length: what each rule keeps, counted token by token."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.contracts import Encoded
from bertft.encoder.load import load_tokenizer
from bertft.encoder.word_cache import WordCache
from bertft.errors import RecipeError
from bertft.tasks import long_text
from bertft.tasks.long_text import LongText

LENGTH = st.integers(8, 40)
ANY = st.text(max_size=60)
TRUNCATE = LongText("truncate")
HEAD_TAIL = LongText("head_tail")


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Any:
    return load_tokenizer(tiny)


@pytest.fixture(scope="module")
def words(tokenizer: Any) -> list[str]:
    """All words of one token each: in a text that repeats none, a token tells its position."""
    found = sorted(word for word in tokenizer.get_vocab() if word.isalpha())
    assert len(found) > 80
    return found


@st.composite
def texts(draw: st.DrawFn) -> list[tuple[int, int]]:
    """(first word, number of words) of several texts."""
    return draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 60)), min_size=1, max_size=5))


def spelt(words: list[str], drawn: list[tuple[int, int]]) -> list[str]:
    return [" ".join(words[first : first + size]) for first, size in drawn]


def encode_texts(*given: Any, **more: Any) -> list[Encoded]:
    return list(long_text.encode_texts(*given, **more))


def encode(
    tokenizer: Any, texts: list[str], *, max_length: int, rule: LongText, pairs: Any = None
) -> list[list[Encoded]]:
    """The windows of each text."""
    encoded = encode_texts(texts, pairs, tokenizer, max_length=max_length, rule=rule)
    assert [one.example for one in encoded] == sorted(one.example for one in encoded)
    return [[one for one in encoded if one.example == i] for i in range(len(texts))]


def inner(tokenizer: Any, one: Encoded) -> list[int]:
    """The tokens between [CLS] and [SEP], which are there once, at the ends."""
    ids = one.input_ids
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    assert list(one.token_type_ids) == [0] * len(ids)
    return list(ids[1:-1])


def tokens(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@settings(deadline=None)
@given(drawn=texts(), max_length=LENGTH)
def test_truncate_is_the_tokenizers_own(
    tokenizer: Any, words: list[str], drawn: list[tuple[int, int]], max_length: int
) -> None:
    given_texts = spelt(words, drawn)
    expected = tokenizer(given_texts, truncation=True, max_length=max_length)
    found = encode(tokenizer, given_texts, max_length=max_length, rule=TRUNCATE)
    for index, (one,) in enumerate(found):
        assert list(one.input_ids) == expected["input_ids"][index]
        assert list(one.token_type_ids) == expected["token_type_ids"][index]
        assert one.dropped == max(0, drawn[index][1] + 2 - max_length)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(ANY, ANY.filter(bool)), min_size=1, max_size=4),
    max_length=LENGTH,
)
def test_any_text_is_truncated_as_by_the_tokenizer(
    tokenizer: Any, rows: list[tuple[str, str]], max_length: int
) -> None:
    """Whatever the characters, alone and as pairs, which lose tokens of the longer text first."""
    firsts, seconds = ([row[side] for row in rows] for side in (0, 1))
    for pairs in (None, seconds):
        full = tokenizer(firsts, pairs)["input_ids"]
        expected = tokenizer(firsts, pairs, truncation="longest_first", max_length=max_length)
        found = encode(tokenizer, firsts, max_length=max_length, rule=TRUNCATE, pairs=pairs)
        for index, (one,) in enumerate(found):
            assert list(one.input_ids) == expected["input_ids"][index]
            assert list(one.token_type_ids) == expected["token_type_ids"][index]
            assert one.dropped == len(full[index]) - len(one.input_ids)


def test_a_long_text_with_an_empty_second_keeps_both_separators(tokenizer: Any) -> None:
    text = "very " * 20
    ((one,),) = encode(tokenizer, [text], max_length=8, rule=TRUNCATE, pairs=[""])
    (expected,) = tokenizer([text], [""], truncation=True, max_length=8)["input_ids"]
    assert list(one.input_ids) == expected
    assert one.dropped == 15


@settings(deadline=None)
@given(drawn=texts(), max_length=LENGTH)
def test_head_tail_keeps_both_ends(
    tokenizer: Any, words: list[str], drawn: list[tuple[int, int]], max_length: int
) -> None:
    """A quarter of the room from the start, the rest from the end, nothing twice."""
    given_texts = spelt(words, drawn)
    found = encode(tokenizer, given_texts, max_length=max_length, rule=HEAD_TAIL)
    for text, (one,) in zip(given_texts, found, strict=True):
        everything, kept, room = tokens(tokenizer, text), inner(tokenizer, one), max_length - 2
        assert one.dropped == len(everything) - len(kept)
        if len(everything) <= room:
            assert kept == everything
        else:
            head = max(1, room // 4)
            assert len(kept) == room
            assert kept == everything[:head] + everything[-(room - head) :]


@settings(deadline=None)
@given(drawn=texts(), max_length=LENGTH, data=st.data())
def test_windows_cover_every_token(
    tokenizer: Any,
    words: list[str],
    drawn: list[tuple[int, int]],
    max_length: int,
    data: st.DataObject,
) -> None:
    """Full windows that share ``overlap`` tokens, the last two perhaps more; as few as can be."""
    room = max_length - 2
    overlap = data.draw(st.integers(0, room - 1), label="overlap")
    given_texts = spelt(words, drawn)
    rule = LongText("windows", overlap)
    found = encode(tokenizer, given_texts, max_length=max_length, rule=rule)
    for text, windows in zip(given_texts, found, strict=True):
        everything = tokens(tokenizer, text)
        parts = [inner(tokenizer, one) for one in windows]
        assert not any(one.dropped for one in windows)
        if len(everything) <= room:
            assert parts == [everything]
            continue
        starts = [everything.index(part[0]) for part in parts]
        assert parts == [everything[start : start + room] for start in starts]
        assert {len(part) for part in parts} == {room}
        assert (starts[0], starts[-1]) == (0, len(everything) - room)
        shared = [one + room - other for one, other in pairwise(starts)]
        assert shared[:-1] == [overlap] * (len(shared) - 1)
        assert overlap <= shared[-1] < room
        assert len(parts) == 1 + -(-(len(everything) - room) // (room - overlap))


@pytest.mark.parametrize("overlap", [30, 31, 1000])
def test_an_overlap_that_leaves_no_room_is_refused(
    tokenizer: Any, words: list[str], overlap: int
) -> None:
    rule = LongText("windows", overlap)
    with pytest.raises(RecipeError, match=f"window_overlap {overlap}") as caught:
        encode(tokenizer, [" ".join(words[:60])], max_length=32, rule=rule)
    assert caught.value.hint == "--set task.window_overlap=7"


@pytest.mark.parametrize("how", ["truncate", "head_tail", "windows"])
def test_a_text_that_just_fits_is_left_whole(tokenizer: Any, words: list[str], how: str) -> None:
    text = " ".join(words[:30])
    ((one,),) = encode(tokenizer, [text], max_length=32, rule=LongText(how, 8))
    assert inner(tokenizer, one) == tokens(tokenizer, text)
    assert one.dropped == 0


@pytest.mark.parametrize("how", ["truncate", "head_tail", "windows"])
def test_an_empty_text_is_one_window_of_specials(tokenizer: Any, how: str) -> None:
    for text in ("", "  ", "\t\n"):
        ((one,),) = encode(tokenizer, [text], max_length=8, rule=LongText(how, 1))
        assert inner(tokenizer, one) == []


def test_no_text_gives_nothing(tokenizer: Any) -> None:
    assert encode_texts([], None, tokenizer, max_length=8, rule=TRUNCATE) == []


@pytest.mark.parametrize("pairs", [False, True])
def test_chunks_leave_no_trace(
    tokenizer: Any, words: list[str], monkeypatch: pytest.MonkeyPatch, pairs: bool
) -> None:
    """Texts are tokenized some thousands at a time; where one chunk ends does not show."""
    given_texts = [" ".join(words[i : i + 5 * i]) for i in range(7)]
    second = given_texts[::-1] if pairs else None
    rule = TRUNCATE if pairs else LongText("windows", 3)
    whole = encode_texts(given_texts, second, tokenizer, max_length=16, rule=rule)
    assert len({one.example for one in whole}) == 7
    for size in (1, 2, 3, 7):
        monkeypatch.setattr(long_text, "CHUNK", size)
        assert encode_texts(given_texts, second, tokenizer, max_length=16, rule=rule) == whole


@pytest.mark.parametrize("how", ["truncate", "head_tail", "windows"])
def test_remembered_words_leave_no_trace(
    tokenizer: Any, words: list[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Words of many texts are remembered as long as most of them come again."""
    asked: list[int] = []
    ids = WordCache.ids

    def counted(self: WordCache, texts: Any) -> Any:
        asked.append(len(texts))
        return ids(self, texts)

    monkeypatch.setattr(WordCache, "ids", counted)
    monkeypatch.setattr(long_text, "CHUNK", 3)
    again = [" ".join(words[: 2 + i % 9]) for i in range(12)]
    other = [f"{word}{number}" for number, word in enumerate(words[:6])]
    rule = LongText(how, 3)
    for texts, used in ((again, 4), (again[:6] + other, 3), (other + again, 1)):
        monkeypatch.setattr(long_text, "MANY", 10**6)
        plain = encode_texts(texts, None, tokenizer, max_length=8, rule=rule)
        assert asked == []
        monkeypatch.setattr(long_text, "MANY", 1)
        monkeypatch.setattr(long_text, "MOST_NEW", 0.99)
        assert encode_texts(texts, None, tokenizer, max_length=8, rule=rule) == plain
        assert len(asked) == used
        asked.clear()
