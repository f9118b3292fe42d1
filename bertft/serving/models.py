"""The models of a server by their names: runs in, opened and tried before they answer anyone.

What is no run (a Hugging Face folder, a name of the zoo) and a pre-trained run fill masks. A name
is reloaded by opening its run anew (of a recipe: the newest one); what cannot be opened, or answers
with anything but numbers, is refused, and the old one stays.
"""

from __future__ import annotations

import gc
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bertft.contracts import Ranking
from bertft.encoder.bare import read_backend
from bertft.encoder.load import load_tokenizer
from bertft.encoder.zoo import find
from bertft.errors import BertftError, RunError, first_line
from bertft.inside.request import EncoderRequest
from bertft.prediction.asked import example_of_texts, names_of
from bertft.prediction.predictor import Predictor
from bertft.recipe import bundled_recipes
from bertft.runs.exported import is_export
from bertft.runs.folder import Run, find_run, model_folder, newest_run, run_folder
from bertft.runs.stored import CARD, read_card, read_json

if TYPE_CHECKING:  # they bring torch, which a server of exports has not
    from bertft.inside.filling import Filler
    from bertft.serving.vectors import Vectors

NAME = re.compile(r"[A-Za-z0-9가-힣][A-Za-z0-9가-힣._-]*")
FILL = "fill-mask"
MOST_TOKENS = 100
"""Tokens that may be asked for each mask."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A model to be served: its name, and what names its run ("" is the newest) or its folder."""

    name: str
    run: str


@dataclass(frozen=True)
class Model:
    """A run, or a model with a masked-LM head, that answers; ``path`` is where it lies."""

    name: str
    path: Path
    predictor: Predictor | Filler
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
        names = {"qa": "question-answering", "ner": "token-classification", FILL: FILL}
        return names.get(self.task.name, "text-classification")

    @property
    def filler(self) -> Filler | None:
        """What fills masks; None of a run that predicts."""
        return cast("Filler", self.predictor) if self.kind == FILL else None

    @property
    def mask(self) -> str | None:
        """Its mask token; None of a run that predicts."""
        return None if self.filler is None else str(self.filler.tokenizer.mask_token)

    @property
    def explains(self) -> bool:
        """Whether it makes predictions that can be explained: exports have no gradients;
        vectors are no predictions."""
        is_answer = self.filler is None and not isinstance(self.task, Ranking)
        return is_answer and not is_export(self.predictor.folder)

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

        return open_vectors(self.predictor.folder, device=self.device)

    @cached_property
    def scores(self) -> dict[str, Any]:
        """What its scores.json says; empty where it has none that can be read."""
        try:
            return read_json(self.path / "scores.json")
        except BertftError:
            return {}


def asked_models(names: Sequence[str]) -> list[Asked]:
    """``NAME=RUN``, or RUN, whose folder's name (or recipe's) is the name.

    Raises:
        RunError: a name is no name, stands twice, or there is no such run or model.
    """
    found: dict[str, Asked] = {}
    for one in names or ("",):
        name, _, run = one.rpartition("=") if not Path(one).exists() else ("", "", one)
        path = _path_of(run)
        is_path = Path(run).exists() or not run
        name = name or (path.resolve().name if is_path else Path(run).stem)
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
            path = _path_of(self._asked[name].run)
            try:
                predictor = self._opened(path)
                predictor.engine.own_memory()
                _try(predictor)
            except BertftError:
                raise
            except Exception as error:  # damaged weights fail in many ways
                raise RunError(f"{path} cannot be used ({first_line(error)})") from None
            model = Model(name, path, predictor, self._device)
            self._open = self._open | {name: model}
            return model

    def _opened(self, path: Path) -> Predictor | Filler:
        device, precision = self._device, self._precision
        folder = model_folder(Run(path))
        is_run = (folder / CARD).is_file()
        if is_run and read_card(folder)["task"].get("name") != "pretraining":
            return Predictor(folder, device=device, precision=precision)
        from bertft.inside.encoders import open_encoder
        from bertft.inside.filling import Filler

        request = EncoderRequest(model=str(folder), device=device, precision=precision)
        return Filler(open_encoder(request), most=MOST_TOKENS)


def settle() -> None:
    """What is in memory now stays there, and is searched for garbage no more: with the libraries of
    a model that takes a third of a second, in which nobody is answered."""
    gc.unfreeze()  # models that were replaced go
    gc.collect()
    gc.freeze()


def _path_of(name: str) -> Path:
    """The folder of a run or a model; of the zoo its name. Raises RunError."""
    if not name:
        return newest_run(None).path
    folder = run_folder(name)
    is_known = name in bundled_recipes() and not Path(name).is_dir()
    is_bare = (folder / "config.json").is_file() and not (folder / CARD).is_file()
    if not is_known and (is_bare or (not folder.exists() and find(name) is not None)):
        return folder
    return find_run(name).path


def _try(predictor: Predictor | Filler) -> None:
    """Answer once, so that the first client does not wait for what is made at first use."""
    task: Any = predictor.task
    example = example_of_texts(task, ["A first [MASK]."] * len(names_of(task)), id="1")
    encoded = predictor.encode([example])
    if not all(np.isfinite(row).all() for row in predictor.logits(encoded)):
        raise RunError(f"{predictor.folder}: its answers are no numbers")
