"""Pre-training data: which tokens are masked and how, which texts are paired, what is counted."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from conftest import WORDS, tiny_tokenizer
from hypothesis import given
from hypothesis import strategies as st

from bertft import rows
from bertft.contracts import Encoded, SelfSupervised
from bertft.encoder import encoded_rows
from bertft.errors import DataError
from bertft.loaders.documents import Document
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.tasks.masks import make_masker, unmasked
from bertft.tasks.pretraining import Pretraining, from_options
from bertft.tasks.segments import (
    FOLLOWS,
    RANDOM,
    Corpus,
    Segments,
    cut_sentences,
    single_segments,
)

TOKENIZER = tiny_tokenizer()
SPECIAL = set(TOKENIZER.all_special_ids) - {TOKENIZER.unk_token_id}
MASK = TOKENIZER.mask_token_id
PIECES = [i for i in TOKENIZER.get_vocab().values() if i not in SPECIAL]


def sequence(words: str) -> Encoded:
    ids = TOKENIZER(words)["input_ids"]
    return Encoded(ids, [0] * len(ids), 0)


def task(**options: object) -> Pretraining:
    return from_options({"name": "pretraining"} | options)


# --- masks ------------------------------------------------------------------------------------


def test_fifteen_percent_of_the_tokens_eighty_ten_ten() -> None:
    masker = make_masker(TOKENIZER, share=0.15, whole_words=False)
    one = sequence(" ".join(WORDS * 2))
    tokens = len(one) - 2
    kinds, places = np.zeros(3), np.zeros(len(one))
    for epoch in range(600):
        shown = masker(one, (1, epoch, 0))
        assert shown.masked is not None
        assert len(shown.masked.places) == round(0.15 * tokens)
        places[list(shown.masked.places)] += 1
        for place, token in zip(shown.masked.places, shown.masked.tokens, strict=True):
            now = shown.input_ids[place]
            kinds[0 if now == MASK else 2 if now == token else 1] += 1
    # A random token is now and then the one that stood there; 6,000 draws: 4 sigma is 0.02.
    assert kinds / kinds.sum() == pytest.approx([0.8, 0.1, 0.1], abs=0.02)
    share = places[1:-1] / 600
    assert share == pytest.approx(0.15, abs=0.06)  # no place is preferred: 4 sigma


@given(
    ids=st.lists(st.sampled_from(PIECES), min_size=1, max_size=60),
    pair=st.lists(st.sampled_from(PIECES), max_size=20),
    share=st.floats(0.05, 0.6),
    whole_words=st.booleans(),
    key=st.integers(0, 2**32),
)
def test_the_law_of_masks(
    ids: list[int], pair: list[int], share: float, whole_words: bool, key: int
) -> None:
    start, end = TOKENIZER.cls_token_id, TOKENIZER.sep_token_id
    whole = [start, *ids, end, *pair, end]
    one = Encoded(whole, [0] * len(whole), 0)
    masker = make_masker(TOKENIZER, share=share, whole_words=whole_words)
    shown = masker(one, (key,))
    assert shown.masked is not None
    places = list(shown.masked.places)
    wanted = max(1, round(share * (len(ids) + len(pair))))
    assert unmasked(shown).tolist() == whole
    assert places == sorted(set(places))
    assert [whole[place] for place in places] == list(shown.masked.tokens)
    assert not {whole[place] for place in places} & SPECIAL
    changed = [at for at, token in enumerate(shown.input_ids) if token != whole[at]]
    assert set(changed) <= set(places)
    assert all(shown.input_ids[at] == MASK or shown.input_ids[at] in PIECES for at in changed)
    if not whole_words:
        assert len(places) == wanted
        return
    goes_on = [piece.startswith("##") for piece in TOKENIZER.convert_ids_to_tokens(whole)]
    for at in range(1, len(whole)):
        if goes_on[at] and whole[at - 1] not in SPECIAL:
            assert (at in places) == (at - 1 in places)
    words = len(places) - sum(goes_on[at] and at - 1 in places for at in places)
    assert 0 < len(places) <= wanted or words == 1


def test_masks_are_a_function_of_seed_epoch_and_example() -> None:
    one, other = (task().vary([], TOKENIZER, max_length=32, seed=seed) for seed in (1, 2))
    text = sequence(" ".join(WORDS))
    first = one(text, 3, 7)
    assert one(one(text, 9, 9), 3, 7) == first  # whatever was hidden before
    assert all(
        varied.masked != first.masked
        for varied in (one(text, 4, 7), one(text, 3, 8), other(text, 3, 7))
    )


# --- pairs ------------------------------------------------------------------------------------


def numbered(lengths: list[list[int]]) -> list[list[array[int]]]:
    """Documents whose tokens tell document, sentence and place: 1,000,000 d + 1,000 s + t."""
    return [
        [
            array("i", [d * 1_000_000 + s * 1_000 + t for t in range(n)])
            for s, n in enumerate(sentences)
        ]
        for d, sentences in enumerate(lengths)
    ]


def paired(
    texts: list[list[array[int]]], *, room: int, seed: int
) -> Iterator[tuple[int, Segments]]:
    draw, partners = random.Random(seed), range(len(texts))
    corpus = Corpus(texts, partners, room)
    for index in partners:
        for _, one in corpus.pairs(index, draw):
            yield index, one


@pytest.mark.parametrize("longest", [3, 12, 30, 200])
def test_half_of_the_pairs_are_random_whatever_the_sentences(longest: int) -> None:
    """Long lines, short documents: nothing but the coin tells the class."""
    draw = random.Random(longest)
    lengths = [[draw.randint(1, longest) for _ in range(draw.randint(2, 9))] for _ in range(700)]
    texts = [cut_sentences(one, longest=15) for one in numbered(lengths)]
    kinds, firsts = [], {FOLLOWS: list[int](), RANDOM: list[int]()}
    for _, one in paired(texts, room=30, seed=0):
        if one.kind is not None:
            kinds.append(one.kind)
            firsts[one.kind].append(len(one.first))
    sigma = 0.5 / len(kinds) ** 0.5
    assert kinds.count(RANDOM) / len(kinds) == pytest.approx(0.5, abs=4 * sigma)
    means = [float(np.mean(firsts[kind])) for kind in (FOLLOWS, RANDOM)]
    spread = float(np.std(firsts[FOLLOWS])) * 2 * 2**0.5 / len(kinds) ** 0.5
    assert means[0] == pytest.approx(means[1], abs=4 * max(spread, 0.01) + 0.5)


@given(
    lengths=st.lists(st.lists(st.integers(1, 40), min_size=2, max_size=6), min_size=2, max_size=6),
    room=st.integers(5, 40),
    seed=st.integers(0, 99),
)
def test_a_random_text_is_of_another_document(
    lengths: list[list[int]], room: int, seed: int
) -> None:
    texts = [cut_sentences(one, longest=room // 2) for one in numbered(lengths)]
    whole = [[token for sentence in one for token in sentence] for one in texts]
    for index, one in paired(texts, room=room, seed=seed):
        second = one.second or array("i")
        assert 0 < len(one.first) + len(second) <= room
        assert {token // 1_000_000 for token in one.first} == {index}
        assert (one.second is None) == (one.kind is None)
        if one.second is None:
            assert one.first == texts[index][-1]  # nothing follows
            continue
        assert {token // 1_000_000 for token in second} == {one.source}
        assert (one.source == index) == (one.kind == FOLLOWS)
        if one.kind == FOLLOWS and not one.dropped:
            start = whole[index].index(one.first[0])
            assert whole[index][start : start + len(one.first) + len(second)] == [
                *one.first,
                *second,
            ]
        if one.kind == RANDOM:
            assert second[0] != texts[one.source][0][0]  # as what follows, no opening


def test_pairs_are_drawn_anew_from_the_second_epoch_on() -> None:
    """Each begins where it began; its cut, its class and its random text are other ones."""
    docs = documents()
    one = task().learn_labels(docs, path="")
    encoded = one.encode(docs, TOKENIZER, max_length=32)
    varied = one.vary(docs, TOKENIZER, max_length=32, seed=1)
    again = one.vary(docs, TOKENIZER, max_length=32, seed=1)
    kinds, seconds = [], set[tuple[int, ...]]()
    for index, row in enumerate(encoded):
        assert unmasked(varied(row, 0, index)).tolist() == unmasked(row).tolist()
        for epoch in range(1, 9):
            shown = varied(row, epoch, index)
            assert shown == again(varied(row, 3, index), epoch, index)  # whatever it was before
            assert shown.example == row.example
            assert len(shown) <= 32
            assert (shown.target is None) == (row.target is None)
            if row.target is None:
                assert unmasked(shown).tolist() == unmasked(row).tolist()
                continue
            kinds.append(shown.target)
            ids, end = unmasked(shown).tolist(), TOKENIZER.sep_token_id
            seconds.add((index, *ids[ids.index(end) :]))
    sigma = 0.5 / len(kinds) ** 0.5
    assert kinds.count(RANDOM) / len(kinds) == pytest.approx(0.5, abs=4 * sigma)
    assert len(seconds) > 0.8 * len(kinds)


@given(st.lists(st.integers(1, 40), max_size=9), st.integers(1, 20))
def test_single_segments_lose_nothing(lengths: list[int], room: int) -> None:
    (document,) = numbered([lengths])
    parts = [one.first for one in single_segments(document, room=room)]
    assert [t for part in parts for t in part] == [t for one in document for t in one]
    assert all(0 < len(part) <= room for part in parts)
    cut = cut_sentences(document, longest=room)
    assert [t for part in cut for t in part] == [t for one in document for t in one]
    assert all(0 < len(part) <= room for part in cut)


# --- the task ---------------------------------------------------------------------------------


def documents(count: int = 30, *, sentences: int = 12, whole: bool = True) -> list[Document]:
    draw = random.Random(5)
    return [
        Document(
            str(n), n, tuple(" ".join(draw.choices(WORDS, k=5)) for _ in range(sentences)), whole
        )
        for n in range(count)
    ]


def test_encoding_is_reproducible_and_fits() -> None:
    docs = documents()
    one = task().learn_labels(docs, path="")
    assert isinstance(one, SelfSupervised)
    encoded = one.encode(docs, TOKENIZER, max_length=32)
    assert encoded == one.encode(docs, TOKENIZER, max_length=32)
    assert all(len(row) <= 32 and row.input_ids[0] == TOKENIZER.cls_token_id for row in encoded)
    assert {row.target for row in encoded} >= {FOLLOWS, RANDOM}
    for row in encoded:
        assert list(row.input_ids).count(TOKENIZER.sep_token_id) == 1 + (row.target is not None)
        assert sum(row.token_type_ids) > 0 or row.target is None


def test_many_sequences_are_the_same_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    docs = documents()
    one = task().learn_labels(docs, path="")

    def learned() -> tuple[Sequence[Encoded], list[Encoded]]:
        encoded = one.encode(docs, TOKENIZER, max_length=32)
        vary = one.vary(docs, TOKENIZER, max_length=32, seed=3)
        return encoded, [vary(row, epoch, i) for epoch in (0, 2) for i, row in enumerate(encoded)]

    few, few_varied = learned()
    monkeypatch.setattr(rows, "MANY", 2)
    monkeypatch.setattr(rows, "IN_MEMORY", 40)
    monkeypatch.setattr(encoded_rows, "MANY", 2)
    docs = rows.stored(docs)
    many, many_varied = learned()
    assert isinstance(many, encoded_rows.EncodedRows)
    assert list(many) == few
    assert many_varied == few_varied


@pytest.mark.parametrize(
    "docs",
    [
        documents(sentences=1),
        documents(1),
        documents(whole=False),
        [Document("1", 1, ("\x01", "\x02")), Document("2", 2, ("a film", "\x01"))],
        [Document("1", 1, ("a film", "is good")), Document("2", 2, ("\x01", "\x02"))],
    ],
    ids=["one sentence each", "one document", "no documents", "no tokens", "one with tokens"],
)
def test_where_nothing_follows_masks_alone_are_learned(docs: list[Document]) -> None:
    one = task().learn_labels(docs, path="")
    encoded = one.encode(docs, TOKENIZER, max_length=32)
    assert encoded
    assert {row.target for row in encoded} == {None}
    assert any("masked tokens alone" in remark for remark in one.remarks(docs, encoded))


def test_sentence_lists_beside_documents_give_no_pairs() -> None:
    docs = documents(10) + documents(10, whole=False)
    one = task().learn_labels(docs, path="")
    encoded = one.encode(docs, TOKENIZER, max_length=32)
    assert {row.target for row in encoded if row.example >= 10} == {None}
    assert {row.target for row in encoded if row.example < 10} >= {FOLLOWS, RANDOM}
    assert task(next_sentence=False).learn_labels(docs, path="").pairs is False


def test_unigrams_count_what_stood_there() -> None:
    docs = documents(3, sentences=4)
    one = task(next_sentence=False)
    encoded = one.encode(docs, TOKENIZER, max_length=64)
    counts = one.learn_inputs(encoded, TOKENIZER).unigrams
    text = " ".join(sentence for doc in docs for sentence in doc.sentences).split()
    assert counts[TOKENIZER.convert_tokens_to_ids("film")] == text.count("film") + 1
    assert sum(counts) == len(text) + len(PIECES)
    assert all(counts[i] == 0 for i in SPECIAL)


def test_texts_are_not_answered() -> None:
    with pytest.raises(DataError, match="answers no texts"):
        list(task().read(Source("x", data=DataSettings(), gold=False)))
    assert make_task({"name": "pretraining"}).name == "pretraining"
