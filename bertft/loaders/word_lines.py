"""Files of a word, or a character, on each line: which column is what, and the lines one by one.

In: the lines of the first sentences. Out: a Layout, and readers of single lines. The word is the
first column that is neither a number nor the same in a whole sentence (numbers of words, of
sentences, names of documents stand before it); the tag is the last column that can hold tags.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Protocol

import regex  # type: ignore[import-untyped, unused-ignore]

from bertft.errors import DataError
from bertft.loaders.tag_spelling import STANDARD, Spelling, find_spelling

COLUMN_HINT = "a line holds a word and its tag, a blank line ends a sentence"
WORD_NAMES = ("word", "words", "token", "tokens", "form", "text", "char")
TAG_NAMES = ("ner_tags", "ner_tag", "ner", "tags", "tag", "labels", "label", "ne", "entity")
CERTAIN = 20
"""Lines of numbers alone that cannot be the words of a text."""

Block = list[tuple[int, str]]
"""The lines of one sentence, comments among them, with their numbers."""

_HASHES = re.compile(r"#+\s")
_NUMBER = re.compile(r"\d+([-.]\d+)?", re.ASCII)  # CoNLL-U: 1-2 spans two words, 1.1 is empty


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns from 0; ``tag`` is None where there are no tags. ``note`` says what was guessed."""

    width: int = 0
    word: int = 0
    tag: int | None = -1
    spelling: Spelling = STANDARD
    counted: bool = False
    """Whether the first column numbers the words."""
    note: str = ""


def split_columns(line: str) -> list[str]:
    """The columns of a line: between tabs, or between spaces where it has no tab."""
    line = line.rstrip()
    return line.split("\t") if "\t" in line else [part for part in line.split(" ") if part]


def header_of(block: Block) -> dict[str, int]:
    """Name -> column, where the first line of a file names its columns; else {}."""
    names = [cell.strip().casefold() for cell in split_columns(block[0][1])]
    named = {name: place for place, name in reversed(list(enumerate(names)))}
    known = any(name in named for name in WORD_NAMES) and any(name in named for name in TAG_NAMES)
    return named if known and len(named) == len(names) and len(block) > 1 else {}


def find_layout(
    blocks: Sequence[Block],
    *,
    gold: bool,
    header: dict[str, int],
    word_column: str = "",
    tag_column: str = "",
) -> Layout:
    """What the columns of the first sentences are. A column given is a name or a number from 1.

    Raises:
        DataError: (without a place) there is no such column.
    """
    sentences = [[split_columns(line) for _, line in one if _is_data(line)] for one in blocks]
    if not any(sentences):
        return Layout(tag=-1 if gold else None)
    width = Counter(map(len, chain.from_iterable(sentences))).most_common(1)[0][0]
    sentences = [kept for one in sentences if (kept := [row for row in one if len(row) == width])]
    columns = [[[row[place] for row in one] for one in sentences] for place in range(width)]
    found = [find_spelling(set(chain.from_iterable(column))) for column in columns]
    named = next((header[name] for name in WORD_NAMES if name in header), None)
    word = _place(word_column, header, width) if word_column else named
    word = _leading(columns, found) if word is None else word
    tag, others = _tag_place(found, word, header, tag_column=tag_column, width=width)
    note = _note(columns, word, tag, others, gold=gold)
    if not gold:
        return Layout(width, word, None, STANDARD, word > 0 and _counts(columns[0]), note)
    spelling = found[tag] or STANDARD
    spelled = spelling.note(set(chain.from_iterable(columns[tag])))
    note = "; ".join(filter(None, (note, spelled)))
    return Layout(width, word, tag, spelling, word > 0 and _counts(columns[0]), note)


def _is_data(line: str) -> bool:
    """Whether a line is surely no comment: a word like #tag has a tab behind it."""
    return not line.startswith("#") or ("\t" in line and not _HASHES.match(line))


def _place(name: str, header: dict[str, int], width: int) -> int:
    place = header.get(name.casefold(), -1)
    if place < 0 and re.fullmatch(r"-?[1-9]\d{0,5}", name):
        place = int(name) - 1 if int(name) > 0 else width + int(name)
    if not 0 <= place < width:
        hint = (
            f"columns here: {', '.join(header)}" if header else f"give a number from 1 to {width}"
        )
        raise DataError(f"no column '{name}'", hint=hint)
    return place


def _leading(columns: list[list[list[str]]], found: list[Spelling | None]) -> int:
    """The place of the words: behind what numbers them, if anything is left that is no tag."""
    for place, column in enumerate(columns):
        if not (_counts(column) or _repeats(column)):
            is_tag = found[place] is not None and place == len(columns) - 1
            return 0 if is_tag else place
    return 0


def _counts(column: list[list[str]]) -> bool:
    """Whether all cells are numbers that count the words of each sentence, or its sentences."""
    cells = list(chain.from_iterable(column))
    if not all(map(_NUMBER.fullmatch, cells)):
        return False
    steps: Counter[int] = Counter()
    for one in column:
        whole = [int(cell) for cell in one if cell.isdecimal()]
        steps.update(b - a for a, b in pairwise(whole))
    if not steps:
        return len(column) > 1 and set(cells) <= {"0", "1"}
    usual = max(steps[0], steps[1]) >= 0.9 * steps.total()
    return usual or (len(cells) >= CERTAIN and all(step >= 0 for step in steps))


def _repeats(column: list[list[str]]) -> bool:
    """Whether each sentence has one and the same cell throughout, as names of documents do."""
    lines = sum(map(len, column))
    constant = all(len(set(one)) == 1 for one in column)
    return constant and lines >= max(CERTAIN // 2, 2 * len(column))


def _tag_place(
    found: list[Spelling | None],
    word: int,
    header: dict[str, int],
    *,
    tag_column: str,
    width: int,
) -> tuple[int, list[int]]:
    """The column of the tags, and all that could be it."""
    others = [place for place in range(width) if place != word and found[place] is not None]
    if tag_column:
        return _place(tag_column, header, width), []
    named = next((header[name] for name in TAG_NAMES if name in header), -1)
    if named >= 0:
        return named, others
    if others and (width - 1) not in others:
        return others[-1], others
    return width - 1, others


def _note(
    columns: list[list[list[str]]], word: int, tag: int, others: list[int], *, gold: bool
) -> str:
    """Which column is what, where it is not plainly the word and its tag."""
    width = len(columns)
    if width == 1 or (width == 2 and word == 0):
        if width == 2 and gold and _counts(columns[0]) and len(columns[0]) > 1:
            return "the words are numbers that count 1, 2, 3: is a column of words missing?"
        return ""
    note = f"column {word + 1} of {width} holds the words"
    note += f", column {tag + 1} the tags" if gold else ""
    if word:
        counted = "only counts" if _counts(columns[0]) else "is the same in each sentence"
        left = f"column 1 {counted} and is" if word == 1 else f"columns 1 to {word} are"
        note = f"{left} left out, {note}"
    if gold and len(others) > 1:
        places = ", ".join(str(place + 1) for place in others)
        note += f" (columns {places} can hold tags: --set task.tag_column=NUMBER chooses)"
    return note


class Lines(Protocol):
    """Reads single lines; ``space`` stands between their words."""

    space: str

    def read(self, line: str) -> tuple[str, str] | None:
        """Word and tag ("" without gold), None for a comment. DataError (without a place)."""
        ...


class WordLines:
    """Lines with as many columns each as the first one has."""

    space = " "

    def __init__(self, layout: Layout, *, passed: Counter[str]) -> None:
        self._layout = layout
        self._gold = layout.tag is not None
        self._width = 0
        self._passed = passed

    def read(self, line: str) -> tuple[str, str] | None:
        layout, columns = self._layout, split_columns(line)
        if line.startswith("#") and self._is_comment(columns, tabbed="\t" in line.rstrip()):
            return None
        if layout.counted and not columns[0].isdecimal() and _NUMBER.fullmatch(columns[0]):
            self._passed["lines that number no single word (1-2, 1.1) are passed over"] += 1
            return None
        if self._gold and len(columns) == 1:
            raise DataError(f"no tag beside '{line.rstrip()[:40]}'", hint=COLUMN_HINT)
        fits = self._width in (0, len(columns))
        tag = ""
        if self._gold:
            place = layout.tag if fits and (layout.tag or 0) < len(columns) else -1
            tag = layout.spelling.tag(columns[place or -1])
        if not fits or layout.word >= len(columns):
            what = f"{self._width or layout.width} columns expected, as above, {len(columns)} found"
            raise DataError(what, hint="put tabs between columns where a word holds a space")
        word = columns[layout.word].strip()
        if not word:
            hint = 'name the form "characters" if the words are single characters'
            raise DataError("no word before the tag", hint=hint)
        self._width = len(columns)
        return word, tag

    def _is_comment(self, columns: list[str], *, tabbed: bool) -> bool:
        """For a line that starts with #: whether it is anything else than a word like #tag."""
        tagged = len(columns) > 1 and bool(self._layout.spelling.read(columns[-1]))
        if tabbed:
            return bool(_HASHES.match(columns[0])) or (self._gold and not tagged)
        if len(columns) == 1:
            return self._gold
        if self._width:
            return len(columns) != self._width or (self._gold and not tagged)
        return not tagged or (len(columns) > 2 and not columns[0].strip("#"))


class CharacterLines:
    """Lines with one character, which may be a space, a tab and the tag."""

    space = ""

    def __init__(self, *, gold: bool, spelling: Spelling = STANDARD) -> None:
        self._gold = gold
        self._spelling = spelling

    def read(self, line: str) -> tuple[str, str] | None:
        character, tab, tag = line.rpartition("\t")
        character = character if tab else line
        single = len(character) == 1 or regex.fullmatch(r"\X", character)
        if line.startswith("#") and not single:
            return None
        if not single:
            what = f"'{character[:40]}' is not one character"
            raise DataError(what, hint='use the form "conll" for words')
        if self._gold and not tab:
            raise DataError(f"no tag beside '{character}'", hint=COLUMN_HINT)
        return character, self._spelling.tag(tag.rstrip()) if self._gold else ""
