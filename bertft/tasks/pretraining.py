"""Pre-training: documents go in; masked tokens and next sentences are learned from them alone.

After Devlin et al. (2019, BERT, NAACL) and google-research/bert create_pretraining_data.py, but
that each epoch has other pairs of texts (segments.py) and other masks (masks.py); those of dev and
test are made once and for all. The model that is saved answers no texts by itself: it is an encoder
for ``bertft train RECIPE --model``, and for fill-mask.

A corpus is held in memory: ten bytes for each of its text, and twenty while its vocabulary is made.

Shape legend: L tokens of a sequence, V vocabulary, N documents.
"""

from __future__ import annotations

import random
import unicodedata
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from bertft.checks.finding import Finding, Reading, Split
from bertft.contracts import Answer, Encoded, Head, Learned, Pieces, Vary
from bertft.encoder.encoded_rows import gathered
from bertft.encoder.pieces import chunks
from bertft.errors import DataError, ModelError
from bertft.evaluation.statistic import Scores
from bertft.loaders.documents import Document, document_of, read_documents
from bertft.loaders.rows import is_plain_text
from bertft.loaders.source import Source
from bertft.recipe import parse_options
from bertft.rows import mapped
from bertft.settings import Section
from bertft.tasks.masks import make_masker, unmasked
from bertft.tasks.segments import (
    Corpus,
    Place,
    Segments,
    TokenRows,
    Tokens,
    cut_sentences,
    single_segments,
)
from bertft.tasks.text_rows import TextRows, numbers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from bertft.evaluation.calibration import Scaling

CHUNK = 4096
"""Sentences that the tokenizer is given at once."""


class PretrainingOptions(Section):
    """``[task]`` of a recipe with ``name = "pretraining"``."""

    next_sentence: bool = True
    """Learn next sentences too, of documents that have several; of all other text masks alone."""
    text_column: str = ""
    """The column of a table that holds a document in each row; "" looks for the usual names."""
    mask_share: float = Field(default=0.15, gt=0, lt=1)
    whole_words: bool = False
    """Hide all pieces of a word, or none."""
    seed: int = Field(default=12345, ge=0, lt=2**32)
    """Of pairs and of the masks of dev and test, so that runs with other seeds compare."""


def from_options(settings: Mapping[str, Any]) -> Pretraining:
    """The task of a ``[task]`` table. Raises RecipeError."""
    return Pretraining(parse_options(PretrainingOptions, settings))


@dataclass(frozen=True, slots=True)
class Pretraining:
    """The task. ``unigrams`` are how often each token stands in the training text, plus one."""

    options: PretrainingOptions
    pairs: bool = False
    unigrams: tuple[int, ...] = ()
    name: str = "pretraining"
    metric: str = "mlm_accuracy"
    labels: tuple[str, ...] = ()

    @property
    def scaling(self) -> Scaling:
        return ()

    @property
    def learned(self) -> Learned:
        return {"next_sentence": self.pairs, "unigrams": list(self.unigrams)}

    def read(self, source: Source) -> Iterator[Document]:
        """Documents, of a table its rows. Raises DataError, also where texts are to be answered."""
        if not source.gold:
            raise _answers_nothing()
        if is_plain_text(source):
            yield from read_documents(source)
            return
        # There is no gold to be read.
        rows = TextRows(numbers, self.options.text_column, may_be_empty=True)
        for row in rows.read(replace(source, gold=False)):
            if row.text.strip():
                yield document_of([row.text], line=row.line, id=row.id)
            else:
                source.meter.counts["rows without text are left out"] += 1

    def example(self, record: str | Mapping[str, Any], *, id: str) -> Document:
        raise _answers_nothing()

    def bind(self, labels: Sequence[str], learned: Mapping[str, Any]) -> Pretraining:
        return replace(self, pairs=learned["next_sentence"], unigrams=tuple(learned["unigrams"]))

    def learn_labels(self, examples: Sequence[Document], *, path: str) -> Pretraining:
        """With next sentences where they are asked for and there are documents for them."""
        documents = sum(one.whole and len(one.sentences) > 1 for one in examples)
        return replace(self, pairs=self.options.next_sentence and documents > 1)

    def check(self, examples: Sequence[Document], *, path: str) -> list[str]:
        """Any text will do."""
        return []

    def fit(self, examples: Sequence[Document], pieces: Sequence[Pieces]) -> Pretraining:
        return self

    def head(self, examples: Sequence[Document]) -> Head:
        from bertft.heads.masking import PretrainingHead

        return PretrainingHead(pairs=self.pairs)

    def new_parts(self, folder: Path) -> list[str]:
        from bertft.heads.masking import new_parts

        return new_parts(folder, pairs=self.pairs)

    def vary(
        self,
        examples: Sequence[Document],
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_length: int,
        seed: int,
    ) -> Vary:
        """Other masks in each epoch, and from the second on other pairs."""
        o = self.options
        masker = make_masker(tokenizer, share=o.mask_share, whole_words=o.whole_words)

        def masked(one: Encoded, epoch: int, index: int) -> Encoded:
            return masker(one, (seed, epoch, index))

        if not self.pairs:
            return masked
        corpus = self._corpus(examples, tokenizer, max_length=max_length)
        places = [place for _, place, _ in self._segments(corpus)]

        def varied(one: Encoded, epoch: int, index: int) -> Encoded:
            place = places[index]
            if epoch and place is not None:
                draw = random.Random(f"{seed} {epoch} {index}")
                segments, _ = corpus.pair_at(place, draw)
                one = _encoded(segments, place.document, tokenizer)
            return masked(one, epoch, index)

        return varied

    def learn_inputs(
        self, encoded: Sequence[Encoded], tokenizer: PreTrainedTokenizerBase
    ) -> Pretraining:
        """With the unigrams of the training text, each counted once more (Laplace)."""
        size = max(tokenizer.get_vocab().values()) + 1
        counts = np.ones(size, dtype=np.int64)  # [V]
        for one in encoded:
            np.add.at(counts, unmasked(one), 1)
        counts[[i for i in tokenizer.all_special_ids if i != tokenizer.unk_token_id]] = 0
        return replace(self, unigrams=tuple(counts.tolist()))

    def encode(
        self, examples: Sequence[Document], tokenizer: PreTrainedTokenizerBase, *, max_length: int
    ) -> Sequence[Encoded]:
        """Sequences of all documents, masked for the first time; ``vary`` masks them anew."""
        o = self.options
        masker = make_masker(tokenizer, share=o.mask_share, whole_words=o.whole_words)
        corpus = self._corpus(examples, tokenizer, max_length=max_length)
        encoded = (
            _encoded(segments, index, tokenizer) for index, _, segments in self._segments(corpus)
        )
        return gathered(masker(one, (o.seed, 0, number)) for number, one in enumerate(encoded))

    def _corpus(
        self, examples: Sequence[Document], tokenizer: PreTrainedTokenizerBase, *, max_length: int
    ) -> Corpus:
        room = max_length - 3  # [CLS] and two [SEP]
        partners: list[int] = []

        def documents() -> Iterator[Sequence[Tokens]]:
            ids = _token_ids(examples, tokenizer)
            for index, (one, sentences) in enumerate(zip(examples, ids, strict=True)):
                if self.pairs and one.whole and len(one.sentences) > 1:
                    # Two sentences fit, so that little is lost where they are fitted.
                    sentences = cut_sentences(sentences, longest=room // 2)
                    partners.extend([index] * (len(sentences) > 1))
                yield sentences

        found = TokenRows(documents())
        return Corpus(found, partners if len(partners) > 1 else [], room)

    def _segments(self, corpus: Corpus) -> Iterator[tuple[int, Place | None, Segments]]:
        """(index of the document, where a pair begins, segments), in order."""
        known = frozenset(corpus.partners)
        draw = random.Random(self.options.seed)
        for index, document in enumerate(corpus.documents):
            if index in known:
                yield from ((index, place, one) for place, one in corpus.pairs(index, draw))
            else:
                singles = single_segments(document, room=corpus.room + 1)
                yield from ((index, None, one) for one in singles)

    def remarks(self, examples: Sequence[Document], encoded: Sequence[Encoded]) -> list[str]:
        """Sequences that teach masks alone, and tokens that were cut off."""
        found = []
        single = sum(one.target is None for one in encoded)
        if self.options.next_sentence and single == len(encoded):
            what = "masked tokens alone: there are no two documents of several sentences"
            found.append(f"{what} (blank lines part documents)")
        elif self.options.next_sentence and single:
            what = f"{single:,} of {len(encoded):,} sequences have no next sentence"
            found.append(f"{what}: they are for masked tokens alone")
        if cut := sum(one.dropped for one in encoded):
            share = cut / (cut + sum(map(len, encoded)))
            found.append(f"{cut:,} tokens ({share:.1%}) are cut off where pairs are fitted")
        return found

    def readings(self, examples: Sequence[Document]) -> Sequence[Reading]:
        return mapped(lambda one: Reading((one.text,), (), None), examples)

    def findings(
        self, split: Split, tokenizer: PreTrainedTokenizerBase | None, *, max_length: int
    ) -> list[Finding]:
        return []

    def decode(self, example: Document, pieces: Pieces, *, top_k: int | None = None) -> Answer:
        """``tokens`` that were masked, with ``log_likelihoods`` and whether each was ``right``;
        of ``pairs`` the class, and in ``pairs_given`` the more probable one."""
        answer: Answer = {"id": example.id, "tokens": [], "log_likelihoods": [], "right": []}
        pairs = [(one.target, int(row[0].argmax())) for one, row in pieces]
        for one, row in pieces:
            if one.masked is not None:
                places = np.asarray(one.masked.places, dtype=np.int64)
                answer["tokens"] += one.masked.tokens
                answer["log_likelihoods"] += row[places, 0].tolist()
                answer["right"] += row[places, 1].astype(int).tolist()
        answer["pairs"] = [kind for kind, _ in pairs if kind is not None]
        answer["pairs_given"] = [given for kind, given in pairs if kind is not None]
        return answer

    def gold(self, example: Document, answer: Answer, pieces: Pieces) -> dict[str, Any]:
        """The mean loss of the document's masked tokens."""
        losses = answer["log_likelihoods"]
        return {"loss": -float(np.mean(losses)) if losses else 0.0}

    def evidence(self, answers: Sequence[Answer], golds: Sequence[Mapping[str, Any]]) -> None:
        """There is no probability to be calibrated."""

    def regain(self, record: Mapping[str, Any]) -> Document:
        return Document(record["id"], 0, ())

    def score(self, examples: Sequence[Document], answers: Sequence[Answer]) -> Scores:
        from bertft.evaluation.masked import masked_scores

        return masked_scores(answers, unigrams=self.unigrams)


def _token_ids(
    examples: Sequence[Document], tokenizer: PreTrainedTokenizerBase
) -> Iterator[list[Tokens]]:
    """Token ids of each (composed) sentence; sentences of no token are left out."""
    for first in range(0, len(examples), CHUNK):
        some = examples[first : first + CHUNK]
        owners = [(index, text) for index, one in enumerate(some) for text in one.sentences]
        found: list[list[Tokens]] = [[] for _ in some]
        for part in chunks([len(text) for _, text in owners], most=CHUNK):
            own = owners[part.start : part.stop]
            texts = [unicodedata.normalize("NFC", text) for _, text in own]
            rows = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
            for (index, _), ids in zip(own, rows, strict=True):
                if ids:
                    found[index].append(array("i", ids))
        yield from found


def _encoded(segments: Segments, index: int, tokenizer: PreTrainedTokenizerBase) -> Encoded:
    """With special tokens: [CLS] first [SEP], or [CLS] first [SEP] second [SEP].

    Raises:
        ModelError: the tokenizer has no such tokens.
    """
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    if not isinstance(start, int) or not isinstance(end, int):
        raise ModelError("the tokenizer has no [CLS] and [SEP]", hint="choose a BERT with --model")
    ids = array("i", [start, *segments.first, end])
    types = array("b", bytes(len(ids)))
    if segments.second is not None:
        ids.extend([*segments.second, end])
        types.extend([1] * (len(segments.second) + 1))
    if "token_type_ids" not in tokenizer.model_input_names:
        types = array("b")
    return Encoded(ids, types, index, target=segments.kind, dropped=segments.dropped)


def _answers_nothing() -> DataError:
    hint = "fine-tune it: bertft train RECIPE --model RUN; or bertft fill-mask ... --model RUN"
    return DataError("a pre-trained model answers no texts by itself", hint=hint)
