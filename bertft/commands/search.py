"""search: files and a question in, the passages that answer it best out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bertft.contracts import Answer
from bertft.errors import BertftError
from bertft.prediction.predictor import load
from bertft.retrieval.index import Hit, Index, open_index
from bertft.retrieval.request import IndexRequest
from bertft.retrieval.reranking import READ, Relevant, Reranker
from bertft.runs.folder import find_run
from bertft.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What ``bertft search`` is asked for. ``rerank`` is a run of pairs, ``relevant`` its label."""

    index: IndexRequest
    top_k: int = 10
    rerank: str = ""
    relevant: str = ""


class Search:
    """An open index, and the run that puts its hits in order, if one is asked for.

    Raises:
        BertftError: the files, the encoder or the run is at fault.
    """

    def __init__(self, request: SearchRequest, *, watch: Watch) -> None:
        self._top_k = request.top_k
        self._reranker: Reranker | None = None
        if request.relevant and not request.rerank:
            raise BertftError("--relevant names a label of a run", hint="add --rerank RUN")
        if request.rerank:  # what is wrong with it is told before anything is embedded
            run, runtime = find_run(request.rerank), request.index.encoder
            predictor = load(run, device=runtime.device, precision=runtime.precision)
            self._reranker = Reranker(predictor, label=request.relevant, watch=watch)
        self.index: Index = open_index(request.index, watch=watch)

    def answers(self, query: str) -> Iterator[Answer]:
        """The best passages, best first: ``rank``, scores, where it stands, ``text``."""
        for rank, one in enumerate(self._found(query), start=1):
            yield {"rank": rank, **_answer(one)}

    def _found(self, query: str) -> list[Relevant]:
        if self._reranker is None:
            return [Relevant(hit) for hit in self.index.search(query, top_k=self._top_k)]
        hits: list[Hit] = self.index.search(query, top_k=max(READ, self._top_k))
        return self._reranker.reranked(query, hits, top_k=self._top_k)


def _answer(found: Relevant) -> Answer:
    hit = found.hit
    asked = {"question": hit.passage.question} if hit.passage.question else {}
    scores: Answer = {} if found.relevance is None else {"relevance": found.relevance}
    scores |= {"score": hit.score, "similarity": hit.similarity, "words": hit.words}
    return {**scores, **hit.place, **asked, "text": hit.passage.text}
