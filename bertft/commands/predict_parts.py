"""predict --out FOLDER/: answers in parts, which can be gone on with and shared out.

Read order: predict_parts; what a folder of answers is, prediction/parts.py says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from bertft.errors import BertftError
from bertft.loaders.named import is_input
from bertft.prediction.asked import Asked, AskedRow, answered, rows_of
from bertft.prediction.certainty import Rule
from bertft.prediction.formats import Format
from bertft.prediction.output import answers_output
from bertft.prediction.parts import AnswerFolder, Shard, answer_in_parts, fingerprint
from bertft.prediction.predicted import Predicted
from bertft.prediction.predictor import Predictor
from bertft.prediction.unanswered import AnswerCount
from bertft.watch import Watch

SUFFIXES = {"doccano": ".jsonl", "label-studio": ".json"}
"""Of parts; other formats have their own names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Into:
    """A folder of answers; ``options`` are what they depend on beside files and model."""

    out: str
    form: str
    formats: Mapping[str, Format]
    options: dict[str, Any]
    shard: Shard
    rows: int
    overwrite: bool


def predict_parts(
    predictor: Predictor,
    asked: Asked,
    into: Into,
    *,
    rule: Rule | None,
    count: AnswerCount,
    watch: Watch,
) -> None:
    """Answer the parts of a shard that are not there yet; ``count`` is told of each answer.

    Raises:
        BertftError: it cannot be done in parts, or the folder holds answers to something else.
        DataError: a file cannot be read, or the folder not be written.
    """
    if asked.question or into.form == "html" or not all(map(is_input, asked.arguments)):
        what = "answers in parts are those of files, without --question, in any format but html"
        raise BertftError(what, hint="give --out a file")
    precision = predictor.engine.precision
    options = into.options | {"format": into.form, "rows": into.rows, "precision": precision}
    folder = AnswerFolder(
        Path(into.out),
        into.shard,
        suffix=SUFFIXES.get(into.form, f".{into.form}"),
        asked=fingerprint(asked.arguments, predictor.folder) | {"options": options},
        rows=into.rows,
    )

    @contextmanager
    def write(path: Path) -> Iterator[Callable[[Predicted], bool]]:
        with answers_output(
            str(path), into.form, into.formats, overwrite=True, tell=watch.note
        ) as line:

            def put(one: Predicted) -> bool:
                count.see(one.answer)
                line(one)
                return "error" in one.answer

            yield put

    def answer(part: Iterator[AskedRow]) -> Iterator[Predicted]:
        return answered(predictor, part, asked, rule=rule)

    with folder.opened(overwrite=into.overwrite, watch=watch):
        if folder.total is not None:
            watch.note("all parts are there")
            return
        rows = chain.from_iterable(rows_of(predictor.task, asked, watch=watch))
        answer_in_parts(folder, rows, answer, write=write)
