"""summarise: files in, of each text the sentences that say most of it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bertft.contracts import Answer
from bertft.errors import BertftError
from bertft.inside.embedder import Embedder, View
from bertft.inside.encoders import Losses, open_encoder
from bertft.retrieval.collection import Reading, find_files
from bertft.retrieval.request import IndexRequest
from bertft.retrieval.summary import Sentence, Taken, sentences_of, summary
from bertft.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class SummariseRequest:
    """What ``bertft summarise`` is asked for: the files of ``index``, and which encoder."""

    index: IndexRequest
    sentences: int = 3
    query: str = ""


def summarise(request: SummariseRequest, *, watch: Watch) -> Iterator[Answer]:
    """A summary of each document, and of each row of a table, in order.

    Raises:
        BertftError: the files or the encoder are at fault.
    """
    asked = request.index
    reading = Reading.of(asked.overrides, on_bad_row=asked.on_bad_row)
    files = find_files(asked.files, watch=watch)
    encoder = open_encoder(asked.encoder)
    embedder = Embedder(encoder, View(normalize=True, prompt=asked.prompt))
    watch.note(f"model: {encoder.name}; {embedder.description}")
    losses = Losses(encoder, watch=watch)
    query = None
    if request.query:
        if not request.query.strip():
            raise BertftError("--query holds no text")
        (query,) = embedder.vectors(embedder.encode([request.query]))
    for file in files:
        for name, blocks in reading.texts(file, watch=watch):
            sentences = list(sentences_of(blocks))
            texts = [one.text for one in sentences]
            encoded = embedder.encode(texts)
            losses.see(texts, encoded)
            vectors = embedder.vectors(encoded)
            taken = []
            if vectors:
                taken = summary(sentences, np.stack(vectors), count=request.sentences, query=query)
            yield _answer(file.path, name, sentences, taken)
    losses.tell(embedder.extractor.max_length)


def _answer(file: str, name: str, sentences: list[Sentence], taken: list[Taken]) -> Answer:
    own = {"id": name} if name else {}
    found = []
    for one in taken:
        near = {} if one.similarity is None else {"similarity": one.similarity}
        place = {"number": one.sentence.number, one.sentence.unit: one.sentence.place}
        found.append({**place, "text": one.sentence.text, "centrality": one.centrality, **near})
    return {
        "file": file,
        **own,
        "summary": " ".join(one.sentence.text for one in taken),
        "sentences": found,
        "of": len(sentences),
    }
