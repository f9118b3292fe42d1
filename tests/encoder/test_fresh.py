"""Untrained encoders: their vocabulary, their shape, and that they are reproducible."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForPreTraining

from bertft.encoder.fresh import SIZES, SPECIAL, Shape, make_encoder, train_tokenizer
from bertft.encoder.load import decomposes_hangul
from bertft.encoder.neighbours import ROOM
from bertft.errors import DataError
from bertft.jobs.pretraining import RATES

SENTENCES = ["The film is good, the films are better.", "영화가 정말 좋다. 영화는 좋았다."] * 40


def test_pieces_are_those_of_the_sentences() -> None:
    tokenizer = train_tokenizer(SENTENCES, shape=Shape("tiny", 120))
    vocabulary = tokenizer.get_vocab()
    assert [piece for piece, _ in sorted(vocabulary.items(), key=lambda one: one[1])][:5] == SPECIAL
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert len(vocabulary) <= 120
    assert not decomposes_hangul(tokenizer)
    assert {"영화", "film", "The", "the"} <= set(vocabulary)
    assert tokenizer.all_special_tokens == sorted(SPECIAL, key=tokenizer.all_special_tokens.index)
    for text in ("the film is good", "영화는 정말 좋다"):
        assert tokenizer.unk_token not in tokenizer.tokenize(text)
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
    assert tokenizer.tokenize("ζ") == ["[UNK]"]
    lower = train_tokenizer(SENTENCES, shape=Shape("tiny", 120, lower_case=True))
    assert "The" not in lower.get_vocab()
    assert lower.tokenize("THE FILM") == ["the", "film"]


def test_rare_characters_go_first() -> None:
    rare = [chr(0xAC00 + number) for number in range(300)]
    tokenizer = train_tokenizer([*SENTENCES, " ".join(rare)], shape=Shape("tiny", 120))
    assert len(tokenizer) <= 120
    assert "영화" in tokenizer.get_vocab()


def test_another_process_makes_the_same(tmp_path: Path) -> None:
    """The trainer's hash tables are other ones in each process."""
    code = f"""if True:
        from pathlib import Path
        from bertft.encoder.fresh import Shape, make_encoder
        sentences = {SENTENCES!r}
        make_encoder(Path("x"), sentences, shape=Shape("tiny", 90), seed=3, max_length=64)
    """
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    make_encoder(tmp_path / "y", SENTENCES, shape=Shape("tiny", 90), seed=3, max_length=64)
    for file in ("tokenizer.json", "model.safetensors", "config.json"):
        one, other = (tmp_path / name / file for name in ("x", "y"))
        assert one.read_bytes() == other.read_bytes(), file
    assert AutoTokenizer.from_pretrained(tmp_path / "x").mask_token == "[MASK]"


def test_sizes_are_those_of_google(tmp_path: Path) -> None:
    expected = {"tiny": (2, 128), "mini": (4, 256), "small": (4, 512), "medium": (8, 512)}
    assert set(RATES) == set(SIZES) == {*expected, "base"}
    for size, (layers, hidden) in list(expected.items())[:2]:
        folder = tmp_path / size
        make_encoder(folder, SENTENCES, shape=Shape(size, 90), seed=0, max_length=600)
        config = BertConfig.from_pretrained(folder)
        assert (config.num_hidden_layers, config.hidden_size) == (layers, hidden)
        assert config.hidden_size // config.num_attention_heads == 64
        assert config.intermediate_size == 4 * hidden
        assert config.max_position_embeddings == 600


def test_hardly_any_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="hardly any text"):
        make_encoder(tmp_path, ["a b"], shape=Shape("tiny", 100), seed=0, max_length=64)


def test_words_among_the_same_words_start_alike(tmp_path: Path) -> None:
    """Two topics: the words of one are nearer to one another than to those of the other."""
    topics = [[f"{letter}{number}" for number in range(150)] for letter in ("sea", "tax")]
    draw = random.Random(1)
    texts = [" ".join(draw.choices(topics[number % 2], k=20)) for number in range(600)]
    spreads = {}
    for counted in (True, False):
        folder = tmp_path / str(counted)
        shape = Shape("tiny", 900, counted=counted)
        made = make_encoder(folder, texts, shape=shape, seed=3, max_length=64)
        assert made.counted == counted
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = BertForPreTraining.from_pretrained(folder)
        words = model.bert.embeddings.word_embeddings.weight.detach()
        sea, tax = (words[tokenizer.convert_tokens_to_ids(topic)] for topic in topics)
        likeness = torch.nn.functional.cosine_similarity
        within = likeness(sea[:75], sea[75:]).mean()
        across = likeness(sea, tax).mean()
        assert (within > across + 0.1) == counted
        places = model.bert.embeddings.position_embeddings.weight
        assert (places[:, :-ROOM].count_nonzero() == 0) == counted
        spreads[counted] = words[:, :-ROOM].std()
        assert (words[: len(SPECIAL)].abs().sum(dim=1) > 0)[1:].all()
    # The width is a sixth of BERT-base's, so the spread is the root of six times as large.
    assert spreads[True] == pytest.approx(0.02 * 6**0.5, rel=0.1)
    assert spreads[False] == pytest.approx(0.02 * 6**0.5, rel=0.1)
