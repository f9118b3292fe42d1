"""An untrained BERT: texts go in, a folder with a WordPiece vocabulary and first weights comes out.

The sizes are those of Google's small BERTs (Turc et al. 2019, Well-Read Students Learn Better).
Weights are random, as BERT's were; or word embeddings come from counts (counted.py), and positions
are such that heads look at neighbours (neighbours.py).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate.utils import set_seed
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import WordPieceTrainer
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from bertft.encoder.counted import counted_vectors
from bertft.encoder.neighbours import ROOM, look_at_neighbours
from bertft.encoder.zoo import ZOO
from bertft.errors import DataError

SIZES = {
    "tiny": "bert-l2-h128",
    "mini": "bert-l4-h256",
    "small": "bert-l4-h512",
    "medium": "bert-l8-h512",
    "base": "bert-l12-h768",
}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
POSITIONS = 512
CHARACTERS = 12_000
"""Most characters that a vocabulary holds: all Hangul syllables (11,172) and more."""
BASE_SPREAD, BASE_WIDTH = 0.02, 768
"""Standard deviation of BERT-base's random weights; in proportion to 1 / sqrt(width) at other ones,
so that what a layer adds to its input is no smaller than there."""
COUNTED = 10_000_000
"""Characters of text that are counted; of a larger corpus every n-th text."""
ENOUGH = 20
"""Fewer entries than this, special ones included, are no vocabulary."""


@dataclass(frozen=True, slots=True)
class Shape:
    """``size`` is a key of SIZES; with ``pairs`` there is a head for next sentences."""

    size: str
    vocabulary: int
    lower_case: bool = False
    pairs: bool = True
    counted: bool = True
    """Word embeddings from counts and heads that look at neighbours, not all weights random."""


@dataclass(frozen=True, slots=True)
class Made:
    """The size of the vocabulary, smaller than asked for where the text gives no more; whether word
    embeddings come from counts, for which a few words are not enough."""

    vocabulary: int
    counted: bool


def make_encoder(
    folder: Path, texts: Sequence[str], *, shape: Shape, seed: int, max_length: int
) -> Made:
    """Fill ``folder``: a tokenizer learned from ``texts``, weights drawn from ``seed``.

    Raises:
        DataError: hardly any text.
    """
    entry = ZOO[SIZES[shape.size]]
    tokenizer = train_tokenizer(texts, shape=shape)
    if len(tokenizer) < ENOUGH:
        raise DataError(f"a vocabulary of {len(tokenizer)}: hardly any text", hint="give more")
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=entry.hidden,
        num_hidden_layers=entry.layers,
        num_attention_heads=entry.heads,
        intermediate_size=4 * entry.hidden,
        max_position_embeddings=max(POSITIONS, max_length),
        initializer_range=BASE_SPREAD * (BASE_WIDTH / entry.hidden) ** 0.5,
        pad_token_id=0,
    )
    tokenizer.save_pretrained(folder)
    set_seed(seed)
    model = (BertForPreTraining if shape.pairs else BertForMaskedLM)(config)
    if shape.counted:
        look_at_neighbours(model)
    counted = shape.counted and _count_words(model, texts, tokenizer, seed=seed)
    model.save_pretrained(folder)
    return Made(len(tokenizer), counted=counted)


def _count_words(
    model: PreTrainedModel, texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, *, seed: int
) -> bool:
    """Set word embeddings to what counts tell, if they tell enough.

    Those of special and unseen tokens stay random.
    """
    step = 1 + sum(map(len, texts)) // COUNTED
    some = [unicodedata.normalize("NFC", text) for text in texts[::step]]
    rows = tokenizer(some, add_special_tokens=False, verbose=False)["input_ids"]
    words = model.base_model.get_parameter("embeddings.word_embeddings.weight")
    width = model.config.hidden_size - ROOM
    vectors = counted_vectors(rows, vocabulary=len(words), width=width, seed=seed)
    if vectors is None:
        return False
    counted = vectors.abs().sum(dim=1) > 0
    counted[tokenizer.all_special_ids] = False
    with torch.no_grad():
        words[counted, :width] = vectors[counted] * model.config.initializer_range
    return True


def train_tokenizer(texts: Sequence[str], *, shape: Shape) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer as BERT's, but that accents stay and Hangul is never taken apart.

    The same texts give the same vocabulary.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    # Accents are stripped by way of NFD, which would take Hangul syllables apart.
    bert = normalizers.BertNormalizer(lowercase=shape.lower_case, strip_accents=False)
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), bert])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    starts, goes_on = _characters(texts, tokenizer, most=min(CHARACTERS, shape.vocabulary // 3))
    # tokenizers 0.23 numbers pieces in the order of a hash table that is another one in each
    # process, and breaks ties by number: here they are numbered beforehand.
    trainer = WordPieceTrainer(
        vocab_size=shape.vocabulary,
        min_frequency=2,
        initial_alphabet=sorted({*starts, *goes_on}),
        limit_alphabet=len({*starts, *goes_on}),
        special_tokens=[*SPECIAL, *(f"##{one}" for one in goes_on)],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    vocabulary = tokenizer.get_vocab()
    pieces = SPECIAL + sorted(vocabulary.keys() - set(SPECIAL), key=vocabulary.__getitem__)
    tokenizer = _with_model(tokenizer, {piece: number for number, piece in enumerate(pieces)})
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        model_max_length=POSITIONS,
    )


def _characters(
    texts: Sequence[str], tokenizer: Tokenizer, *, most: int
) -> tuple[list[str], list[str]]:
    """The most frequent characters that start words, and those that go on with them; in order."""
    words: Counter[str] = Counter()
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text)
        words.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    known = set(sorted(counts, key=lambda one: (-counts[one], one))[:most])
    starts = {word[0] for word in words} & known
    goes_on = {character for word in words for character in word[1:]} & known
    return sorted(starts), sorted(goes_on)


def _with_model(trained: Tokenizer, vocabulary: dict[str, int]) -> Tokenizer:
    """The same tokenizer with this vocabulary, and no piece that is special beside SPECIAL."""
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = trained.normalizer, trained.pre_tokenizer
    tokenizer.decoder = trained.decoder
    tokenizer.add_special_tokens(SPECIAL)
    ids = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ids
    )
    return tokenizer
