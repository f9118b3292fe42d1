"""Answers that a person put right: one at a time in, a JSONL that ``train`` takes out.

The columns are those of the run's own training data, so that
``--set data.further=corrections/NAME.jsonl`` takes them. Each is read as training will read it
before it is kept.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertft.errors import BertftError
from bertft.loaders.source import Source
from bertft.runs.writing import new_file
from bertft.serving.models import Model
from bertft.serving.refused import Refused
from bertft.settings import DataSettings


@dataclass(slots=True)
class Corrections:
    """Files of corrections in a folder, one for each model; none grows beyond ``most`` bytes."""

    folder: Path
    most: int
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def path(self, model: Model) -> Path:
        return self.folder / f"{model.name}.jsonl"

    def add(self, model: Model, texts: tuple[str, ...], gold: Any) -> Path:
        """Keep one. Raises Refused: training could not read it, or the file is full."""
        line = _line(model, texts, gold)
        _check(model, line)
        path = self.path(model)
        with self._writing:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                size = path.stat().st_size if path.exists() else 0
                if size + len(line.encode()) > self.most:
                    raise Refused(507, "the file of corrections is full", "Overloaded")
                with path.open("a", encoding="utf-8") as file:
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise Refused(507, f"not written ({error.strerror})", "Backend") from None
        return path

    def remove(self, model: Model, texts: tuple[str, ...], gold: Any) -> Path:
        """Take the last one that is equal out of the file. Raises Refused where there is none."""
        line = _line(model, texts, gold)
        path = self.path(model)
        with self._writing:
            try:
                content = path.read_text(encoding="utf-8")
                before, found, after = content.rpartition("\n" + line)
                if found:
                    content = before + "\n" + after
                elif content.startswith(line):
                    content = content.removeprefix(line)
                else:
                    raise FileNotFoundError
                with new_file(path) as file:
                    file.write(content)
            except FileNotFoundError:
                raise Refused(404, "no such correction is kept") from None
            except OSError as error:
                raise Refused(507, f"not written ({error.strerror})", "Backend") from None
        return path


def _line(model: Model, texts: tuple[str, ...], gold: Any) -> str:
    return json.dumps(correction(model, texts, gold), ensure_ascii=False) + "\n"


def correction(model: Model, texts: tuple[str, ...], gold: Any) -> dict[str, Any]:
    """A row of training data. Raises Refused where the gold is none of this task."""
    if model.filler is not None:
        raise Refused(422, "this model learns from texts alone: bertft pretrain --model")
    if len(texts) != len(model.reads):
        raise Refused(422, f"texts: this model reads {' and '.join(model.reads)}")
    task = model.task
    if task.name == "qa":
        found = _answers(gold)
        return {"question": texts[0], "context": texts[1], "answers": found}
    if task.name == "ner":
        return {"text": texts[0], "entities": gold}
    options = task.options
    own = (options.text_column, options.pair_column)
    names = [given or name for given, name in zip(own, model.reads, strict=False)]
    label = options.label_column
    if isinstance(label, list):  # a column of zeros and ones for each label
        chosen = _known(task, gold)
        columns = dict(zip(label, (int(one in chosen) for one in task.labels), strict=False))
        return dict(zip(names, texts, strict=True)) | columns
    is_several = bool(getattr(options, "multi_label", False))
    if task.labels:
        chosen = _known(task, gold if is_several else [gold])
        gold = chosen if is_several else chosen[0]
    return dict(zip(names, texts, strict=True)) | {label or "label": gold}


def _known(task: Any, gold: Any) -> list[str]:
    names = gold if isinstance(gold, list) else []
    if not isinstance(gold, list) or any(one not in task.labels for one in names):
        raise Refused(422, "gold: none of the model's labels")
    return names


def _answers(gold: Any) -> dict[str, list[Any]]:
    if gold is None:
        return {"text": [], "answer_start": []}
    if not isinstance(gold, Mapping) or not {"text", "start"} <= gold.keys():
        raise Refused(422, 'gold: {"text": ..., "start": ...}, or null where there is no answer')
    return {"text": [gold["text"]], "answer_start": [gold["start"]]}


def _check(model: Model, line: str) -> None:
    """Read it as training will."""
    with tempfile.TemporaryDirectory(prefix="bertft-") as folder:
        path = Path(folder, "correction.jsonl")
        path.write_text(line, encoding="utf-8")
        try:
            examples = list(model.task.read(Source(str(path), data=DataSettings())))
            model.task.check(examples, path=str(path))
        except BertftError as error:
            what = getattr(error, "reason", str(error))
            raise Refused(422, f"gold: {what}") from None
    if len(examples) != 1:
        raise Refused(422, "gold: training would not read it")
