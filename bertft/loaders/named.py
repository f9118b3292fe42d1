"""Whether an argument of a command line is a file, or a text itself; nothing is read for that.

``-`` is stdin, ``hub:`` and ``bundled:`` name data sets; of the rest a file that is there is one,
and one word with a file's suffix, so that a file that is not there is told as such.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

from bertft.loaders.files import STDIN, resolve
from bertft.loaders.suffixes import FORMATS, PLAIN, TAGGED, UNREAD
from bertft.recipe import BUNDLED, HUB


def names_file(argument: str) -> bool:
    """Whether an argument is a file to read, there or not, rather than a text."""
    if argument == STDIN or argument.startswith((HUB, BUNDLED)):
        return True
    try:
        if Path(argument).is_file():
            return True
    except (OSError, ValueError):  # too long for a path, or with a NUL character
        return False
    name = PurePath(argument.removesuffix(".gz"))
    is_one_word = not any(character.isspace() for character in argument)
    return is_one_word and name.suffix.lower() in {*FORMATS, *PLAIN, *TAGGED, *UNREAD}


def is_input(argument: str) -> bool:
    """Whether an argument of predict is to be read: a file, or a folder, which may be brat's."""
    try:
        return names_file(argument) or bool(argument and Path(argument).is_dir())
    except (OSError, ValueError):
        return False


def check_inputs(arguments: Iterable[str]) -> None:
    """Raise DataError for the first file that is not there."""
    for one in arguments:
        # What is in a folder, the reader of the task sees.
        if is_input(one) and one != STDIN and not one.startswith(HUB) and not Path(one).is_dir():
            resolve(one)
