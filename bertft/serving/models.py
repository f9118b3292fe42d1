"""The models of a server by their names: runs in, opened and tried before they answer anyone.

A name is reloaded by opening its run anew (of a recipe: the newest one); what cannot be opened, or
answers with anything but numbers, is refused, and the old one stays.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bertft.encoder.bare import read_backend
from bertft.encoder.load import load_tokenizer
from bertft.errors import BertftError, RunError, first_line
from bertft.prediction.asked import example_of_texts, names_of
from bertft.prediction.predictor import Predictor, load
from bertft.runs.exported import is_export
from bertft.runs.folder import Run, find_run, newest_run
from bertft.runs.stored import read_json

if TYPE_CHECKING:
    from bertft.serving.vectors import Vectors

NAME = re.compile(r"[A-Za-z0-9가-힣][A-Za-z0-9가-힣._-]*")
Open = Callable[[Run], Predictor]


@dataclass(frozen=True, slots=True)
class Asked:
    """A model to be served: its name, and what names its run ("" is the newest)."""

    name: str
    run: str


@dataclass(frozen=True)
class Model:
    """A run that answers."""

    name: str
    run: Run
    predictor: Predictor
    device: str

    @property
    def task(self) -> Any:
        return self.predictor.task

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of the texts of an input, such as ("premise", "hypothesis")."""
        return names_of(self.task)

    @property
    def kind(self) -> str:
        """Its task as Hugging Face calls it."""
        return {"qa": "question-answering", "ner": "token-classification"}.get(
            self.task.name, "text-classification"
        )

    @property
    def explains(self) -> bool:
        """Whether its predictions can be explained: exports have no gradients."""
        return not is_export(self.predictor.folder)

    @cached_property
    def tokenizer(self) -> Any:
        """One that the model's thread does not use."""
        folder = self.predictor.folder
        if not is_export(folder):
            return load_tokenizer(folder)
        own: Any = self.predictor.tokenizer
        return replace(own, backend_tokenizer=read_backend(folder / "tokenizer.json"))

    @cached_property
    def vectors(self) -> Vectors:
        """Its encoder by itself, which is opened when it is first asked for.

        Raises:
            BertftError: an export has none.
        """
        if is_export(self.predictor.folder):
            raise RunError("an export gives no vectors; serve the run that it was made of")
        from bertft.serving.vectors import open_vectors

        return open_vectors(self.run, device=self.device)

    @cached_property
    def scores(self) -> dict[str, Any]:
        """What its scores.json says; empty where it has none that can be read."""
        try:
            return read_json(self.run.path / "scores.json")
        except BertftError:
            return {}


def asked_models(names: Sequence[str]) -> list[Asked]:
    """``NAME=RUN``, or RUN, whose folder's name (or recipe's) is the name.

    Raises:
        RunError: a name is no name, or stands twice.
    """
    found: dict[str, Asked] = {}
    for one in names or ("",):
        name, _, run = one.rpartition("=") if not Path(one).exists() else ("", "", one)
        resolved = find_run(run).path if run else newest_run(None).path
        is_path = Path(run).exists() or not run
        name = name or (resolved.resolve().name if is_path else Path(run).stem)
        if not NAME.fullmatch(name):
            raise RunError(f"'{name}' is no name of a model", hint=f"give one: NAME={run}")
        if name in found:
            raise RunError(f"two models are called {name}", hint=f"give another: NAME={run}")
        found[name] = Asked(name, run)
    return list(found.values())


class Models:
    """The models that answer, by name; the first is the one that is meant without a name."""

    def __init__(self, asked: Sequence[Asked], *, device: str, precision: str) -> None:
        self._asked = {one.name: one for one in asked}
        self._device, self._precision = device, precision
        self._open: dict[str, Model] = {}
        self._loading = threading.Lock()

    @property
    def names(self) -> list[str]:
        return list(self._asked)

    @property
    def ready(self) -> bool:
        return len(self._open) == len(self._asked)

    def get(self, name: str = "") -> Model | None:
        return self._open.get(name or self.names[0])

    def load(self, name: str) -> Model:
        """Open a model, try it, and let it take the place of the one before.

        Raises:
            BertftError: it cannot be opened, or its answers are no numbers.
        """
        with self._loading:
            asked = self._asked[name]
            run = find_run(asked.run) if asked.run else newest_run(None)
            try:
                predictor = load(run, device=self._device, precision=self._precision)
                predictor.engine.own_memory()
                _try(predictor)
            except BertftError:
                raise
            except Exception as error:  # damaged weights fail in many ways
                raise RunError(f"{run.path} cannot be used ({first_line(error)})") from None
            model = Model(name, run, predictor, self._device)
            self._open = self._open | {name: model}
            return model


def _try(predictor: Predictor) -> None:
    """Answer once, so that the first client does not wait for what is made at first use."""
    task = predictor.task
    example = example_of_texts(task, ["A first text."] * len(names_of(task)), id="1")
    encoded = predictor.encode([example])
    if not all(np.isfinite(row).all() for row in predictor.logits(encoded)):
        raise RunError(f"{predictor.folder}: its answers are no numbers")
