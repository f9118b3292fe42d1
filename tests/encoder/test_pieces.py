"""Pieces, frames and windows: what the tokenizer itself would give, with offsets in the text."""

from __future__ import annotations

from array import array
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import tiny_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from bertft.encoder.pieces import (
    CHARACTERS,
    Frame,
    _trimmed,
    chunks,
    cut_into_pieces,
    placed,
    windows_over,
)
from bertft.errors import ModelError, RecipeError

TEXTS = ["a good film", "영화가 좋다", "", "never, \t dull\r\n", " 👨\u200d👩 film\u00a0", "a"]


def byte_level_tokenizer() -> Any:
    """Like RoBERTa's: bytes as pieces, two separators between the texts of a pair, no types."""
    entries = ["<s>", "<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocabulary = {piece: index for index, piece in enumerate(entries)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        model_input_names=["input_ids", "attention_mask"],
    )


def metaspace_tokenizer() -> Any:
    """Like SentencePiece: each piece counts the space before it."""
    vocabulary = {"<unk>": 0, "<pad>": 1, "▁": 2, "▁good": 3, "▁film": 4, "▁a": 5, "<s>": 6}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B <s>", special_tokens=[("<s>", 6)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>")


TOKENIZERS = {
    "bert": tiny_tokenizer,
    "roberta": byte_level_tokenizer,
    "metaspace": metaspace_tokenizer,
}


@pytest.fixture(scope="module", params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return TOKENIZERS[request.param]()


class TestFrame:
    def test_like_bert(self):
        cls, sep = tiny_tokenizer().convert_tokens_to_ids(["[CLS]", "[SEP]"])
        found = Frame.of(tiny_tokenizer())
        assert found == Frame((cls,), (sep,), (sep,), (sep,), (0, 0, 0, 1, 1))
        assert (found.single_specials, found.pair_specials) == (2, 3)

    def test_like_roberta(self):
        found = Frame.of(byte_level_tokenizer())
        assert found == Frame((0,), (2, 2), (2,), (2,), ())
        assert (found.single_specials, found.pair_specials) == (2, 4)

    def test_whole_texts_are_as_the_tokenizer_gives_them(self, tokenizer):
        frame = Frame.of(tokenizer)
        found = cut_into_pieces(TEXTS, tokenizer)
        typed = "token_type_ids" in tokenizer.model_input_names
        for text, pieces in zip(TEXTS, found, strict=True):
            expected = tokenizer(text)
            ids, kinds, first = frame.single(pieces, range(len(pieces)))
            assert ids.tolist() == expected["input_ids"]
            assert kinds.tolist() == (expected["token_type_ids"] if typed else [])
            assert ids[first : first + len(pieces)] == pieces.ids
            for other, others in zip(TEXTS, found, strict=True):
                # In lists: without, an empty second text is taken for none.
                expected = {k: v[0] for k, v in tokenizer([text], [other]).items()}
                ids, kinds, first = frame.pair(pieces.ids, others, range(len(others)))
                assert ids.tolist() == expected["input_ids"]
                assert kinds.tolist() == (expected["token_type_ids"] if typed else [])
                assert ids[first : first + len(others)] == others.ids

    def test_parts_of_a_text(self):
        tokenizer = tiny_tokenizer()
        frame = Frame.of(tokenizer)
        one, two = cut_into_pieces(["good bad", "the film was dull"], tokenizer)
        ids, kinds, first = frame.pair(one.ids, two, range(1, 3))
        names = tokenizer.convert_ids_to_tokens(ids.tolist())
        assert names == ["[CLS]", "good", "bad", "[SEP]", "film", "was", "[SEP]"]
        assert (kinds.tolist(), first) == ([0, 0, 0, 0, 1, 1, 1], 4)
        ids, kinds, first = frame.single(two, range(2, 4))
        assert tokenizer.convert_ids_to_tokens(ids.tolist()) == ["[CLS]", "was", "dull", "[SEP]"]
        assert (kinds.tolist(), first) == ([0] * 4, 1)


class TestPieces:
    def test_offsets(self):
        (found,) = cut_into_pieces(["never, \t dulled\r\n"], tiny_tokenizer())
        assert found.offsets.tolist() == [[0, 5], [5, 6], [9, 13], [13, 15]]
        assert found.offsets.dtype == np.int32

    def test_offsets_never_begin_or_end_with_white_space(self, tokenizer):
        texts = [
            *TEXTS,
            "good\u3000 film",
            "  good \n\n film  ",
            "\t",
            " \u2028 a",
            "좋\u00a0다 ",
            "a\u2009good",
        ]
        for text, pieces in zip(texts, cut_into_pieces(texts, tokenizer), strict=True):
            assert len(pieces) == len(pieces.ids) == len(pieces.offsets)
            for start, end in pieces.offsets.tolist():
                assert 0 <= start <= end <= len(text)
                assert text[start:end] == text[start:end].strip()
            shown = {i for start, end in pieces.offsets.tolist() for i in range(start, end)}
            missing = {c for i, c in enumerate(text) if i not in shown}
            assert not any(c.isalnum() for c in missing)

    def test_white_space_is_what_python_takes_for_it(self):
        for code in (*range(0x3100), 0xD800, 0xFEFF, 0x1F600, 0x10FFFF):
            if chr(code).isspace():
                assert _trimmed([(0, 3)], f"{chr(code)}a{chr(code)}").tolist() == [[1, 2]]
            else:
                assert _trimmed([(0, 2)], f"a{chr(code)}").tolist() == [[0, 2]]

    def test_the_space_of_sentencepiece_is_taken_off(self):
        (found,) = cut_into_pieces(["a good  film"], metaspace_tokenizer())
        assert [tuple(one) for one in found.offsets.tolist() if one[0] < one[1]] == [
            (0, 1), (2, 6), (8, 12),
        ]  # fmt: skip

    def test_nothing(self):
        assert cut_into_pieces([], tiny_tokenizer()) == []
        (empty,) = cut_into_pieces([""], tiny_tokenizer())
        assert (empty.ids, empty.offsets.shape) == (array("i"), (0, 2))

    def test_slow_tokenizers_are_refused(self):
        slow: Any = SimpleNamespace(is_fast=False)
        with pytest.raises(
            ModelError, match=r"where its tokens are in the text; .*tokenizer\.json"
        ):
            cut_into_pieces(["a"], slow)


class TestWindows:
    @settings(deadline=None, max_examples=200)
    @given(st.integers(0, 300), st.integers(1, 80), st.data())
    def test_cover_everything_with_the_given_overlap(self, count, room, data):
        overlap = data.draw(st.integers(0, room - 1))
        found = windows_over(count, room=room, overlap=overlap)
        assert sorted({place for window in found for place in window}) == list(range(count))
        assert all(len(window) == room for window in found[:-1])
        assert len(found[-1]) <= room
        for one, other in pairwise(found):
            assert one.stop - other.start == overlap
            assert other.stop > one.stop  # none lies inside another

    @pytest.mark.parametrize(("room", "overlap"), [(8, 8), (8, 9), (0, 0), (-3, 0)])
    def test_an_overlap_without_room_to_advance(self, room, overlap):
        with pytest.raises(RecipeError) as caught:
            windows_over(3, room=room, overlap=overlap)
        said = f"task.window_overlap {overlap} leaves no room in a window of {max(room, 0)} pieces"
        assert caught.value.message == said
        assert "model.max_length" in caught.value.hint

    def test_placed(self):
        rows = placed(np.array([(3, 5), (6, 7)], np.int32), first=2, length=5)
        assert rows.tolist() == [[0, 0], [0, 0], [3, 5], [6, 7], [0, 0]]
        assert rows.dtype == np.int32


@given(st.lists(st.integers(0, 2**21), max_size=60), st.integers(1, 9))
def test_chunks_cover_all_and_hold_few_characters(lengths: list[int], most: int) -> None:
    found = list(chunks(lengths, most=most))
    assert [index for one in found for index in one] == list(range(len(lengths)))
    for one in found:
        assert 1 <= len(one) <= most
        assert len(one) == 1 or sum(lengths[i] for i in one) <= CHARACTERS
