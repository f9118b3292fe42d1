"""Searching: files in, an Index of their passages out; a question in, its Hits out, best first.

Two lists are made of all passages, by the cosine of vectors and by BM25 of words, and fused by
reciprocal rank (Cormack et al. 2009): score = sum over the lists of 1 / (60 + rank). Both are
exact, but for the vectors of very many passages (nearest.py).

Shape legend: N passages, W width of a vector.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bertft.bm25 import Words
from bertft.cache_folder import cache_folder
from bertft.contracts import Answer, FloatArray
from bertft.encoder.sentence import prompts_of
from bertft.errors import DataError
from bertft.evaluation.ranking import best
from bertft.inside.embedder import Embedder, View
from bertft.inside.encoders import Losses, OpenEncoder, open_encoder
from bertft.loaders.files import sha256
from bertft.retrieval.collection import File, Reading, find_files
from bertft.retrieval.nearest import Nearest, nearest_of
from bertft.retrieval.parts import Part, key_of, parts_of, table_of
from bertft.retrieval.passages import Passage
from bertft.retrieval.request import IndexRequest
from bertft.training.folders import MANIFEST
from bertft.watch import Watch
from bertft.words import counted

POOL = 100
"""Passages of each list that are fused."""
CONSTANT = 60


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found: cosine ``similarity``, BM25 of its ``words``, fused ``score``."""

    file: str
    passage: Passage
    score: float
    similarity: float
    words: float

    @property
    def place(self) -> Answer:
        """``file``, then ``line``, ``page`` or ``paragraph``, and the ``id`` of a row."""
        passage = self.passage
        own = {"id": passage.id} if passage.id else {}
        return {"file": self.file, passage.unit: passage.number, **own}


@dataclass(slots=True)
class Index:
    """All passages of some files with their vectors [N, W] and words; how questions are read."""

    parts: Sequence[tuple[str, Part]]
    vectors: FloatArray
    words: Words
    embedder: Embedder
    prompt: str
    facts: Mapping[str, object] = field(default_factory=dict)
    """What vectors follow from, apart from their texts."""
    nearest: Nearest | None = None
    starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.starts = [0, *np.cumsum([len(part) for _, part in self.parts]).tolist()]

    def __len__(self) -> int:
        return self.starts[-1]

    def search(self, query: str, *, top_k: int) -> list[Hit]:
        """The best passages."""
        vectors = _vectors(self.embedder, [query], prompt=self.prompt)
        return self.ranked(vectors[0], query, top_k=top_k)

    def ranked(self, vector: FloatArray, query: str, *, top_k: int) -> list[Hit]:
        """The same for a query whose vector [W] is known."""
        words = self.words.scores(query)  # [N]
        similarity = self._similarity(vector, words, count=max(POOL, top_k))  # [N]
        places, scores = fuse(similarity, words, count=top_k)
        return [
            self._hit(place, score, float(similarity[place]), float(words[place]))
            for place, score in zip(places, scores, strict=True)
        ]

    def _similarity(self, vector: FloatArray, words: FloatArray, *, count: int) -> FloatArray:
        """[N] cosines; of those that are not looked at -inf."""
        if self.nearest is None:
            return self.vectors @ vector
        by_words = best(words, count=count)
        by_words = by_words[words[by_words] > 0]
        seen = np.union1d(self.nearest.places(vector, count=count), by_words)
        similarity = np.full(len(self), -np.inf, dtype=np.float32)
        similarity[seen] = self.vectors[seen] @ vector
        return similarity

    def over(self, texts: Sequence[str]) -> Index:
        """An index of other texts, by the same encoder, in memory."""
        vectors = _vectors(self.embedder, texts)
        passages = [Passage(text, "line", line) for line, text in enumerate(texts, start=1)]
        part = Part(Path(), table_of(passages, vectors))
        words = Words.of(part.texts())
        return Index([("", part)], vectors, words, self.embedder, self.prompt, self.facts)

    def _hit(self, place: int, score: float, similarity: float, words: float) -> Hit:
        number = int(np.searchsorted(self.starts, place, side="right")) - 1
        file, part = self.parts[number]
        passage = part.passage(place - self.starts[number])
        return Hit(file, passage, score, similarity, words)


def fuse(similarity: FloatArray, words: FloatArray, *, count: int) -> tuple[list[int], list[float]]:
    """The best places by reciprocal rank in both lists [N], with their scores.

    A passage without any word of the query is in no place of that list, nor one of similarity -inf
    in the other.
    """
    pool = max(POOL, count)
    by_words, by_vectors = best(words, count=pool), best(similarity, count=pool)
    scores: dict[int, float] = {}
    for order in (by_vectors[similarity[by_vectors] > -np.inf], by_words[words[by_words] > 0]):
        for rank, place in enumerate(order.tolist(), start=1):
            scores[place] = scores.get(place, 0.0) + 1 / (CONSTANT + rank)
    places = sorted(scores, key=lambda place: (-scores[place], -similarity[place], place))[:count]
    return places, [scores[place] for place in places]


def open_index(request: IndexRequest, *, watch: Watch) -> Index:
    """Read, embed (or find in the cache) and index all files.

    Raises:
        BertftError: a file that was named, the encoder or the cache is at fault, or no file holds
            any text.
    """
    reading = Reading.of(request.overrides, on_bad_row=request.on_bad_row)
    files = find_files(request.files, watch=watch)
    encoder = open_encoder(request.encoder)
    embedder, prompt = _embedder(encoder, request, watch=watch)
    facts = _facts(encoder, embedder)
    work = _Work(encoder, embedder, facts, reading, watch)
    parts = [(file.path, part) for file in files for part in work.parts(file)]
    work.tell()
    if not sum(len(part) for _, part in parts):
        raise DataError("no text to search", path=", ".join(request.files[:3]))
    vectors = np.concatenate([part.vectors for _, part in parts if len(part)])
    key = key_of([part for _, part in parts])[:32]
    nearest = nearest_of(vectors, key=key, watch=watch)
    words = _words([part for _, part in parts], key=key)
    return Index(parts, vectors, words, embedder, prompt, facts, nearest)


class _Work:
    """Makes the parts of files, and counts."""

    def __init__(
        self,
        encoder: OpenEncoder,
        embedder: Embedder,
        facts: Mapping[str, object],
        reading: Reading,
        watch: Watch,
    ) -> None:
        self._embedder, self._reading, self._watch = embedder, reading, watch
        self._losses = Losses(encoder, watch=watch)
        read = [reading.data.model_dump(mode="json"), reading.columns.model_dump()]
        self._facts = {**facts, "reading": read}
        self._files = self._passages = self._new = 0

    def parts(self, file: File) -> Iterator[Part]:
        """Those of one file. One of a folder that cannot be read is said, and left out."""
        path, reading, watch = file.path, self._reading, self._watch
        try:
            facts = {**self._facts, "file": sha256(path), "suffix": path.rpartition(".")[2].lower()}
            for part in parts_of(
                path,
                facts,
                passages=lambda notes: reading.passages(path, notes=notes),
                embed=self._embed,
            ):
                self._passages += len(part)
                for note in part.notes(path):
                    watch.note(note)
                yield part
        except DataError as error:
            if file.named:
                raise
            watch.note(f"warning: left out: {error}")
            return
        self._files += 1

    def tell(self) -> None:
        """Say what there is to search, how much of it was embedded now, and what was cut."""
        self._losses.tell(self._embedder.extractor.max_length)
        if not self._passages:
            return
        new = f"{self._new:,} embedded now" if self._new else "all embedded before"
        said = f"{counted(self._passages, 'passage')} of {counted(self._files, 'file')}: {new}"
        self._watch.note(said)

    def _embed(self, texts: Sequence[str]) -> FloatArray:
        self._watch.advance(self._new, None, what="embedded")
        vectors = _vectors(self._embedder, texts, losses=self._losses)
        self._new += len(texts)
        return vectors


def _vectors(
    embedder: Embedder,
    texts: Sequence[str],
    *,
    prompt: str | None = None,
    losses: Losses | None = None,
) -> FloatArray:
    """Unit vectors [N, W]."""
    encoded = embedder.encode(texts, prompt=prompt)
    if losses is not None:
        losses.see(texts, encoded)
    rows = embedder.vectors(encoded)
    return np.stack(rows) if rows else np.zeros((0, *embedder.layout.shape), dtype=np.float32)


def _embedder(encoder: OpenEncoder, request: IndexRequest, *, watch: Watch) -> tuple[Embedder, str]:
    """What reads passages, and the prompt before a question."""
    embedder = Embedder(encoder, View(normalize=True, prompt=request.passage_prompt))
    query, passage = prompts_of(encoder.name, embedder.rule)
    query = query if request.prompt is None else request.prompt
    if request.passage_prompt is None:
        embedder.prompt = passage
    prompts = f"; prompts '{query}' and '{embedder.prompt}'" if query or embedder.prompt else ""
    watch.note(f"model: {encoder.name}; {embedder.description}{prompts}")
    return embedder, query


def _facts(encoder: OpenEncoder, embedder: Embedder) -> dict[str, object]:
    """All that vectors follow from, apart from their texts."""
    files = sorted(one for one in encoder.folder.iterdir() if one.is_file())
    return {
        "model": {one.name: sha256(str(one)) for one in files if one.name != MANIFEST},
        "prompt": embedder.prompt,
        "pooling": embedder.description,
        "max_length": embedder.extractor.max_length,
        "precision": embedder.extractor.runtime.precision,
    }


def _words(parts: Sequence[Part], *, key: str) -> Words:
    """The index of words, from the cache or made now."""
    count = sum(map(len, parts))
    folder = cache_folder() / f"{key}.words"
    found = Words.read(folder, count=count)
    if found is None:
        found = Words.of(text for part in parts for text in part.texts())
        found.write(folder)
    return found
