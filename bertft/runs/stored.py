"""Files of a run that are read again: JSON on disk in, what was found to have its types out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bertft.errors import RunError
from bertft.loaders.json_text import read_json_text

CARD = "bertft.json"
CALIBRATION = "calibration.json"
UNSCORED = "none"
"""Split of a run that had nothing to be scored on."""
DAMAGED = "fix it, or take the run out of runs/"


class Stored(BaseModel):
    """Base of what is read from files of a run: no silent change of types."""

    model_config = ConfigDict(strict=True)


class Value(Stored):
    """A score with its interval, in scores.json."""

    value: float
    low: float | None = None
    high: float | None = None


class ClassScores(Stored):
    """The scores of one label, in scores.json."""

    precision: float
    recall: float
    f1: float
    support: float


class ScoresFile(Stored):
    """What has to stand in scores.json, for ``runs`` and the console; there may be more."""

    split: str
    n: int
    metric: str
    metrics: dict[str, Value]
    baseline: dict[str, float]
    per_class: dict[str, ClassScores] = {}


class Card(Stored):
    """What has to stand in bertft.json; there may be more."""

    task: dict[str, Any]
    labels: list[str]
    learned: dict[str, Any] = {}
    max_length: int = Field(ge=8)


class Dev(Stored):
    """What has to stand in calibration.json; there may be more.

    ``confidence`` and ``right`` are predictions on dev, ``improbable`` is 1 - p of gold labels.
    """

    examples: int
    lacks: str = ""
    scaling: list[list[float]] = []
    before: dict[str, float] = {}
    fitted: dict[str, float] = {}
    cross_fitted: dict[str, float] = {}
    folds: int = 0
    confidence: list[float] = []
    right: list[int] = []
    improbable: list[float] = []


class Precision(Stored):
    """What products were computed in, in environment.json."""

    used: str


class EncoderFiles(Stored):
    """The encoder that training began with, and its files by SHA-256, in environment.json."""

    name: str
    revision: str
    files: dict[str, str]


class InputFile(Stored):
    """A file of examples, in environment.json."""

    path: str
    sha256: str


class EnvironmentFile(Stored):
    """What stands in environment.json and in each checkpoint, if it does; there may be more."""

    recipe: str = ""
    mode: str = ""
    started: str = ""
    versions: dict[str, str] = {}
    model: EncoderFiles = EncoderFiles(name="", revision="", files={})
    data: dict[str, InputFile] = {}
    labels: list[str] = []
    device: str = ""
    precision: Precision = Precision(used="")
    threads: int = 0
    processes: int = 0
    sharded: bool = False


NEEDED = frozenset(EnvironmentFile.model_fields) - {"mode", "started", "sharded"}
"""What of it a run goes on by; runs of before did not have the rest."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty where there is no such file. RunError where it is damaged."""
    try:
        content = read_json_text(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not readable ({error})", hint=DAMAGED) from None
    if not isinstance(content, dict):
        raise RunError(f"{path}: not readable (no JSON object)", hint=DAMAGED)
    return content


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    what, *_ = fault["msg"].split(" or instance of ")  # of a class, which no file can hold
    return f"{'.'.join(map(str, fault['loc'] or ['content']))}: {what}"


def read_scores(path: Path) -> dict[str, Any]:
    """What a scores.json says; empty where there is none. RunError where it is damaged."""
    content = read_json(path)
    if not path.exists():
        return content
    try:
        found = ScoresFile.model_validate(content)
        if found.split != UNSCORED:
            found.metrics[found.metric]
    except (ValidationError, KeyError) as error:
        reason = _first_fault(error) if isinstance(error, ValidationError) else "no metric"
        raise RunError(f"{path}: not readable ({reason})", hint=DAMAGED) from None
    return content


def read_environment(path: Path) -> dict[str, Any]:
    """What an environment.json says; empty where there is none. RunError where it is damaged."""
    content = read_json(path)
    check_environment(content, where=path)
    return content


def check_environment(
    content: object, *, where: Path, needed: frozenset[str] = frozenset()
) -> None:
    """Raise RunError where an environment is none, or lacks what is ``needed``."""
    try:
        found = EnvironmentFile.model_validate(content)
    except ValidationError as error:
        fault = _first_fault(error)
        raise RunError(f"{where}: not readable ({fault})", hint=DAMAGED) from None
    if missing := sorted(needed - found.model_fields_set):
        raise RunError(f"{where}: not readable (no {', '.join(missing)})", hint=DAMAGED)


def read_card(folder: Path) -> dict[str, Any]:
    """What a saved model says of its task, labels and length. Raises RunError."""
    path = folder / CARD
    hint = "was it saved by bertft?"
    try:
        card: dict[str, Any] = read_json_text(path.read_text(encoding="utf-8"))
        return card | Card.model_validate(card).model_dump()
    except ValidationError as error:
        raise RunError(f"{path}: not readable ({_first_fault(error)})", hint=hint) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not readable ({error})", hint=hint) from None


def read_dev(folder: Path) -> Dev | None:
    """What a saved model has kept of its dev set; None where it has nothing. Raises RunError."""
    path = folder / CALIBRATION
    content = read_json(path)
    try:
        found = Dev.model_validate(content) if content else None
    except ValidationError as error:
        raise RunError(f"{path}: not readable ({_first_fault(error)})", hint=DAMAGED) from None
    if found and len(found.confidence) != len(found.right):
        what = "not as many confidences as right ones"
        raise RunError(f"{path}: not readable ({what})", hint=DAMAGED)
    return found
