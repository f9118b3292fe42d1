"""ask: a question and one's own files in, answers out, each with where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from bertft.contracts import Answer
from bertft.errors import BertftError
from bertft.prediction.certainty import Certainty
from bertft.prediction.predictor import load
from bertft.retrieval.answering import PASSAGES, Answerer, check_reader
from bertft.retrieval.calibrating import scale_for
from bertft.retrieval.index import open_index
from bertft.retrieval.request import IndexRequest
from bertft.runs.folder import find_run, newest_run
from bertft.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRequest:
    """What ``bertft ask`` is asked for. ``run`` answers questions, "" is the newest;
    ``passages`` are read for each of them."""

    index: IndexRequest
    run: str = ""
    top_k: int = 1
    passages: int = PASSAGES
    min_confidence: float | None = None


class Ask:
    """The open index of some files, and the run that reads them.

    Raises:
        BertftError: the run, the files or the encoder is at fault.
    """

    def __init__(self, request: AskRequest, *, watch: Watch) -> None:
        run = find_run(request.run) if request.run else newest_run(None)
        watch.note(f"run: {run.path}")
        encoder = request.index.encoder
        self._predictor = load(run, device=encoder.device, precision=encoder.precision)
        check_reader(self._predictor)
        Certainty(min_confidence=request.min_confidence).rule(
            self._predictor.task, self._predictor.folder, watch=watch
        )
        index = open_index(request.index, watch=watch)
        self._answerer = Answerer(
            self._predictor,
            index,
            passages=request.passages,
            scale=scale_for(run, self._predictor, index, passages=request.passages, watch=watch),
            least=request.min_confidence,
        )
        self._top_k, self._watch = request.top_k, watch

    def answers(self, question: str) -> list[Answer]:
        """The best answers, best first. Raises BertftError for a question without text."""
        if not question.strip():
            raise BertftError("the question holds no text", hint='bertft ask "Who ...?" FOLDER')
        found = self._answerer.answers(question, top_k=self._top_k)
        for said in self._predictor.foreign.take():
            self._watch.note(f"warning: {said}")
        return found
