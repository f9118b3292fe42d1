"""Remembered words: their ids in a text are those of the whole text, whatever stands in it."""

from __future__ import annotations

import pytest
from conftest import tiny_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from bertft.encoder import word_cache
from bertft.encoder.bare import BareTokenizer
from bertft.encoder.word_cache import WordCache
from bertft.tasks.long_text import LongText, encode_texts

BACKEND = tiny_tokenizer().backend_tokenizer
CACHE = WordCache.of(BACKEND)
texts = st.text(st.sampled_from("aby .,'[]MASKé\u0301영화漢\x1c\t\n\u3000\u200b\x00 "), max_size=20)


@given(st.lists(st.one_of(texts, st.text(max_size=20)), max_size=4))
def test_ids_are_those_of_the_tokenizer(some):
    assert CACHE is not None
    some = [*some, "the [MASK]ed film", ""]
    assert list(CACHE.ids(some)) == [BACKEND.encode(one).ids for one in some]


def test_words_are_forgotten_when_there_are_too_many(monkeypatch):
    cache = WordCache.of(BACKEND)
    assert cache is not None
    monkeypatch.setattr(word_cache, "MOST", 2)
    for some in (["the film is good"], ["a film"]):
        assert list(cache.ids(some)) == [BACKEND.encode(one).ids for one in some]
    assert len(cache._known) == 2


def test_other_tokenizers_are_left_alone():
    other = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    other.pre_tokenizer = pre_tokenizers.Whitespace()
    assert WordCache.of(other) is None


@pytest.mark.parametrize("how", ["truncate", "head_tail", "windows"])
def test_long_texts_are_cut_alike(how):
    some, rule = ["a film", "the film is good " * 5], LongText(how, 2)

    def encoded(words):
        bare = BareTokenizer(BACKEND, ("input_ids",), 0, 0, 1, words=words)
        return list(encode_texts(some, None, bare, max_length=9, rule=rule))

    assert encoded(CACHE) == encoded(None)
