"""What is searched: the files and folders of a command line in, readable files out, in order.

Files that are named have to be readable. Of a folder all that is of a known kind is taken, hidden
files aside; the rest is counted and said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bertft.errors import BertftError, DataError
from bertft.loaders.blocks import READERS, Block, is_document, read_blocks, suffix_of
from bertft.loaders.files import STDIN, resolve
from bertft.loaders.reading import SkippedRows, bad_row_rule, input_settings, left_out
from bertft.loaders.source import Source
from bertft.loaders.suffixes import FORMATS
from bertft.recipe import BUNDLED, HUB, parse_options
from bertft.retrieval.passages import Passage, PassageColumns, read_passages
from bertft.settings import DataSettings
from bertft.watch import Watch

KINDS = ", ".join((*filter(None, READERS), *FORMATS))


@dataclass(frozen=True, slots=True)
class File:
    """A file to search; ``named`` on the command line, or found in a folder."""

    path: str
    named: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read: encoding, columns, what becomes of rows that cannot be used."""

    data: DataSettings
    columns: PassageColumns

    @classmethod
    def of(cls, overrides: Iterable[str], *, on_bad_row: str = "") -> Reading:
        """From ``--set`` overrides. Raises RecipeError for wrong ones."""
        settings = input_settings(overrides, on_bad_row=on_bad_row)
        return cls(settings.data, parse_options(PassageColumns, settings.task))

    def passages(self, path: str, *, notes: list[str]) -> Iterator[Passage]:
        """The passages of a file; at the end ``notes`` get what was guessed, or left out."""
        source = self._source(path)
        yield from read_passages(source, self.columns)
        notes += _said_of(source)

    def _source(self, path: str) -> Source:
        rule = bad_row_rule(self.data)
        return Source(path, data=self.data, gold=False, bad_row=rule)

    def texts(self, file: File, *, watch: Watch) -> Iterator[tuple[str, list[Block]]]:
        """(id, blocks) of each text: a document is one, each row of a table too. A document of a
        folder that cannot be read is said, and left out."""
        source = self._source(file.path)
        try:
            if is_document(file.path):
                yield "", list(read_blocks(source))
            else:
                for row in read_passages(source, self.columns):
                    blocks = [Block(row.text, "line", row.number)]
                    yield row.id or str(row.number), blocks
        except DataError as error:
            if file.named:
                raise
            watch.note(f"warning: left out: {error}")
            return
        for note in _said_of(source):
            watch.note(note)


def _said_of(source: Source) -> list[str]:
    rule = source.bad_row
    return left_out(source) + (rule.said() if isinstance(rule, SkippedRows) else [])


def find_files(arguments: Iterable[str], *, watch: Watch) -> list[File]:
    """The files of some arguments, each once.

    Raises:
        DataError: one is not there, is of no known kind, or a folder holds none.
        BertftError: nothing was named, or something that is no file of this machine.
    """
    found: dict[str, File] = {}
    for one in arguments:
        if one == STDIN or one.startswith((HUB, BUNDLED)):
            raise BertftError(f"{one}: only files and folders are searched", hint="save it first")
        for file in _of_folder(one, watch=watch) if Path(one).is_dir() else [_named(one)]:
            if file.named or file.path not in found:
                found[file.path] = file
    if not found:
        raise BertftError("nothing to search", hint="name files or a folder")
    return list(found.values())


def _named(path: str) -> File:
    resolve(path)
    if not is_document(path) and suffix_of(path) not in FORMATS:
        old = {".doc": ".docx", ".hwp": ".docx or .pdf", ".hwpx": ".docx or .pdf"}
        saved = f"save it as {old.get(suffix_of(path), '.pdf, .docx or .txt')}; read are: {KINDS}"
        raise DataError("not a kind of file that is searched", path=path, hint=saved)
    return File(path, named=True)


def _of_folder(folder: str, *, watch: Watch) -> list[File]:
    files: list[File] = []
    others: Counter[str] = Counter()
    for path in sorted(Path(folder).rglob("*")):
        inner = path.relative_to(folder)
        if path.is_dir() or any(part.startswith(".") for part in inner.parts):
            continue
        suffix = suffix_of(path.name)
        if suffix in FORMATS or (suffix and is_document(path.name)):
            files.append(File(str(path), named=False))
        else:
            others[suffix or "without a suffix"] += 1
    if others:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
        watch.note(f"{folder}: files of other kinds are left out: {kinds}")
    if not files:
        raise DataError("holds no file that is searched", path=folder, hint=f"read are: {KINDS}")
    return files
