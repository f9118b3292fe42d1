"""Every error that a user can cause, each shown by the command line as one line with a hint.

BertftError                 exit 2: ``message`` says what and where, ``hint`` how to mend it
├── RecipeError             a recipe file or an override: unknown key, wrong type, unknown recipe
├── DataError               a data file: carries ``path`` and ``line`` (file:line in the message)
├── ModelError              an encoder or tokenizer that is missing, incomplete or does not fit
│   └── UnreachableError    it is on the Hub, which cannot be reached, or must not be
├── RunError                a run directory: exists already, is unfinished, does not exist
├── DeviceError             a device or precision that this machine does not have
└── TrainingError           training cannot go on: loss is NaN or infinite, memory is used up

Interrupted                 exit 130 / 143: SIGINT / SIGTERM, after the checkpoint was saved

Anything else that reaches the command line is a fault of ours: exit 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

LONGEST = 600
"""Characters of a message, and of a hint: whatever a file holds, an error is a line to be read."""


class BertftError(Exception):
    """The user's input is at fault. ``str()`` is one line: the message, then the hint."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = _one_line(message)
        self.hint = _one_line(hint)
        super().__init__(f"{self.message}; {self.hint}" if self.hint else self.message)


class RecipeError(BertftError):
    """A recipe file, a recipe name or a ``--set`` override is wrong."""


class DataError(BertftError):
    """A data file is missing, broken or does not fit the task.

    ``code`` names the kind of fault where checks tell it apart; ``row`` is the id of the row at
    fault where that is known; ``reason`` is the message without the place.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        line: int = 0,
        hint: str = "",
        code: str = "",
        row: str = "",
    ) -> None:
        self.path = path
        self.line = line
        self.code = code
        self.row = row
        self.reason = " ".join(message.split())
        where = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        super().__init__(where + message, hint=hint)


class ModelError(BertftError):
    """An encoder or its tokenizer is missing, incomplete or does not fit the text."""


class UnreachableError(ModelError):
    """An encoder of the Hub that is not on this machine, and cannot be fetched now."""


class RunError(BertftError):
    """A run directory exists already, does not exist, or holds no finished model."""


class DeviceError(BertftError):
    """A device or precision was asked for that this machine does not have."""


class TrainingError(BertftError):
    """Training cannot go on."""


class Interrupted(Exception):  # noqa: N818 - a stop that was asked for is no error
    """Training stopped at a signal, after the step was finished and the checkpoint saved."""

    def __init__(self, message: str, *, signal_number: int) -> None:
        self.exit_code = 128 + signal_number
        super().__init__(message)


class CellError(ValueError):
    """A cell of a table cannot be used; ``code`` as in DataError."""

    def __init__(self, message: str, *, code: str) -> None:
        self.code = code
        super().__init__(message)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[:half]} ... {line[-half + 5 :]}"


def did_you_mean(wrong: str, valid: Iterable[str]) -> str:
    """A hint that names the nearest valid choice, or all of them when none is near."""
    choices = list(islice(valid, 2_000))  # comparing takes time
    folded = {choice.casefold(): choice for choice in choices if len(choice) <= 200}
    near = get_close_matches(wrong[:200].casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{folded[near[0]]}'?"
    shown = ", ".join(choices[:20])
    return f"choose one of: {shown}" + (", ..." if len(choices) > 20 else "")


def first_line(error: Exception) -> str:
    """What an error of a library says first."""
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
