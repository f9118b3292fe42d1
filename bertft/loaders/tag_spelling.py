"""How tags are spelled: those of a file go in, the one spelling that all else reads comes out.

    B-PER          as it is
    b-per, B_PER   the prefix in lower case, another sign between
    PER-B, PER_B   the prefix behind
    B, I           no type: every entity is of the type ENTITY
    PER            no prefix: words of one type in a row are one entity

and O (o, - and _ beside tags that are not B-PER) for what is no entity. One spelling holds for a
whole file: a single tag in another one stays an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from bertft.errors import DataError
from bertft.spans import split_tag

UNNAMED = "ENTITY"
"""The type of entities whose tags name none."""

_OUTSIDE = frozenset({"O", "o", "-", "_"})
_BEFORE = re.compile(r"([BIELMSU])[-_:](\S+(?: \S+)*)", re.I)
_BEHIND = re.compile(r"(\S+(?: \S+)*)[-_:]([BIELMSU])", re.I)
_TYPE = re.compile(r"[^\W\d_]\w*")
_HINT = "tags are O, B-TYPE and I-TYPE (also BIOES or BILOU), by name"


@dataclass(frozen=True, slots=True)
class Spelling:
    """``read`` gives the tag as B-TYPE, I-TYPE or O, "" for what is none."""

    read: Callable[[str], str]

    def tag(self, given: object) -> str:
        """The tag. Raises DataError (without a place) where there is none."""
        found = self.read(given) if isinstance(given, str) else ""
        if not found:
            shown = str(given)
            shown = shown if len(shown) <= 40 else shown[:37] + "..."
            raise DataError(f"'{shown}' is not a tag", hint=_HINT, code="broken-tag")
        return found

    def note(self, tags: AbstractSet[str]) -> str:
        """How these tags are read, "" where they are spelled as they should be."""
        if self is STANDARD:
            return ""
        named = sorted(tag for tag in tags if tag not in _OUTSIDE)
        shown = f"tags: '{named[0]}' is read as '{self.read(named[0])}'"
        outside = sorted(tags & _OUTSIDE - {"O"})
        shown += f", '{outside[0]}' as 'O'" if outside else ""
        if self is PLAIN_TYPES:
            shown += "; neighbouring words of one type are one entity"
        return shown


@lru_cache(maxsize=4096)
def _standard(tag: str) -> str:
    try:
        label = split_tag(tag)[1]
    except ValueError:
        return ""
    return tag if label == " ".join(label.split()) else ""


def _before(tag: str) -> str:
    found = _BEFORE.fullmatch(tag)
    return f"{found[1].upper()}-{found[2]}" if found else "O" * (tag in _OUTSIDE)


def _behind(tag: str) -> str:
    found = _BEHIND.fullmatch(tag)
    return f"{found[2].upper()}-{found[1]}" if found else "O" * (tag in _OUTSIDE)


def _prefix_alone(tag: str) -> str:
    if len(tag) == 1 and tag.upper() in "BIELMSU":
        return f"{tag.upper()}-{UNNAMED}"
    return "O" * (tag in _OUTSIDE)


def _type_alone(tag: str) -> str:
    return "O" if tag in ("O", "o") else f"I-{tag}" if _TYPE.fullmatch(tag) else ""


STANDARD = Spelling(_standard)
PLAIN_TYPES = Spelling(_type_alone)
SPELLINGS = (STANDARD, Spelling(_before), Spelling(_behind), Spelling(_prefix_alone), PLAIN_TYPES)


def is_tag(text: str) -> bool:
    """True for O, and for a prefix of any scheme with a type behind it: B-PER, E-LOC."""
    return bool(_standard(text))


def find_spelling(tags: AbstractSet[str]) -> Spelling | None:
    """The spelling that all of these tags have; None where there is none.

    All but the standard one need an entity, and none that is spelled as it should be; plain types
    need an O as well, for any word could be one.
    """
    if not tags:
        return None
    if all(map(_standard, tags)):
        return STANDARD
    if all(tag in _OUTSIDE for tag in tags) or any(map(_standard, tags - _OUTSIDE)):
        return None
    for spelling in SPELLINGS[1:]:
        if all(map(spelling.read, tags)) and (
            spelling is not PLAIN_TYPES or any(tag in ("O", "o") for tag in tags)
        ):
            return spelling
    return None
