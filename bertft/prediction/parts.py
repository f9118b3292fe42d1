"""Answers in parts: rows in, a folder of files out that can be gone on with after any kill.

    answers/part-00000.jsonl       rows 0 to 9,999 of what was asked, in order
    answers/part-00001.jsonl       the next ones
    answers/_shard-1-of-1.json     what is done: inputs, model and parts by their SHA-256

A part appears whole or not at all, and is answered by itself: its bytes are the same whoever writes
it, and whatever was killed before. Shard K of N writes every N-th part, so that any scheduler can
run N processes that know nothing of each other; each has a manifest of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, TypeVar

from bertft.errors import BertftError, DataError, RunError
from bertft.loaders.files import STDIN, sha256
from bertft.recipe import HUB
from bertft.runs.lock import locked
from bertft.runs.stored import read_json
from bertft.runs.writing import write_json
from bertft.training.folders import MANIFEST, flush
from bertft.watch import Watch

FORMAT = 1
ROWS = 10_000
"""Rows of a part: what is answered again after a kill, at the most."""
MOST_SHARDS = 10_000
_SHARD = re.compile(r"(\d+)/(\d+)")
_NAME = re.compile(r"_shard-\d+-of-(\d+)\.json")

Item = TypeVar("Item")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Shard:
    """Every ``of``-th part, from the ``number``-th on (from 1)."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``3/16`` as a shard. Raises BertftError for anything else."""
        found = _SHARD.fullmatch(text.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]) <= MOST_SHARDS:
            hint = "the third of sixteen is --shard 3/16"
            raise BertftError(f"--shard {text}: not a shard", hint=hint)
        return cls(int(found[1]), int(found[2]))

    def holds(self, part: int) -> bool:
        return part % self.of == self.number - 1

    @property
    def name(self) -> str:
        return f"shard-{self.number}-of-{self.of}"


@dataclass(slots=True)
class Part:
    """A file of answers, as the manifest has it; ``failed`` rows have an error for an answer."""

    rows: int
    failed: int
    sha256: str


@dataclass(slots=True)
class AnswerFolder:
    """A folder of answers, as far as one shard goes; ``asked`` is what its answers depend on."""

    path: Path
    shard: Shard
    suffix: str
    asked: dict[str, Any]
    rows: int = ROWS
    parts: dict[int, Part] = field(default_factory=dict)
    total: int | None = None
    """Rows of all parts of all shards, once they are counted."""

    def file(self, part: int) -> Path:
        return self.path / f"part-{part:05}{self.suffix}"

    @property
    def manifest(self) -> Path:
        return self.path / f"_{self.shard.name}.json"

    @contextmanager
    def opened(self, *, overwrite: bool, watch: Watch) -> Iterator[None]:
        """Be the only process that writes this shard, with ``parts`` as they were found.

        Raises:
            BertftError: the folder holds answers to something else, or other things.
            RunError: another process writes this shard.
            DataError: it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = self.path / f".{self.shard.name}.lock"
            lock.touch()
        except OSError as error:
            raise DataError(f"cannot be written ({error.strerror})", path=str(self.path)) from None
        with locked(lock, tell=watch.note, doing="written"):
            self._check_neighbours(overwrite=overwrite)
            if not overwrite:
                self._take_up(watch)
            try:
                self._save()  # before any part: a folder of parts alone is nobody's after a kill
                yield
                self._save()
            except OSError as error:
                what = f"cannot be written ({error.strerror or error})"
                raise DataError(what, path=str(self.path)) from None
        lock.unlink(missing_ok=True)

    def write(self, part: int, write: Callable[[Path], tuple[int, int]]) -> None:
        """Write a part with ``write``, which returns its rows and how many of them failed."""
        file = self.file(part)
        unfinished = file.with_name(f".{file.name}.partial")
        try:
            rows, failed = write(unfinished)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        flush(unfinished)
        unfinished.replace(file)
        flush(self.path)
        self.parts[part] = Part(rows, failed, sha256(str(file)))
        self._save()

    def _check_neighbours(self, *, overwrite: bool) -> None:
        found = {int(one[1]) for one in map(_NAME.fullmatch, _names(self.path)) if one}
        if others := sorted(found - {self.shard.of}):
            what = f"{self.path} holds answers in {others[0]} shards, not {self.shard.of}"
            raise BertftError(what, hint="choose another --out, or the same number of shards")
        ours = (".", "_shard-")  # a manifest that was being written is no other thing
        strangers = [one for one in _names(self.path) if not one.startswith(ours)]
        if strangers and not found and not overwrite:
            what = f"{self.path} is not empty, and holds no answers of bertft"
            raise BertftError(what, hint="choose another --out, or add --overwrite")

    def _take_up(self, watch: Watch) -> None:
        """Find the parts that are there. Raises BertftError where they answer something else."""
        content = read_json(self.manifest)
        if not content:
            return
        before = content.get("asked", {})
        changed = [key for key, value in self.asked.items() if before.get(key) != value]
        if changed or content.get("format") != FORMAT:
            what = f"{self.path} holds answers with other {' and '.join(changed) or 'files'}"
            raise BertftError(what, hint="choose another --out, or add --overwrite")
        try:
            listed = {int(key): Part(**one) for key, one in content["parts"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RunError(f"{self.manifest}: not readable", hint="add --overwrite") from None
        self.parts = {n: one for n, one in listed.items() if self._is_whole(n, one)}
        damaged = len(listed) - len(self.parts)
        if content.get("done") and not damaged:
            self.total = content["rows"]
        there = f"goes on with {len(self.parts):,} parts that are there"
        watch.note(there + f"; {damaged:,} are missing or damaged" * bool(damaged))

    def _is_whole(self, part: int, listed: Part) -> bool:
        file = self.file(part)
        return file.is_file() and sha256(str(file)) == listed.sha256

    def _save(self) -> None:
        parts = {str(n): _fields(self.parts[n]) for n in sorted(self.parts)}
        content: dict[str, Any] = {"format": FORMAT, "asked": self.asked, "parts": parts}
        if self.total is not None:
            content["rows"] = self.total
        content["done"] = self.total is not None
        write_json(self.manifest, content)


def answer_in_parts(
    folder: AnswerFolder,
    rows: Iterable[Item],
    answer: Callable[[Iterator[Item]], Iterator[Done]],
    *,
    write: Callable[[Path], AbstractContextManager[Callable[[Done], bool]]],
) -> int:
    """Answer and write the parts of a shard that are not there yet; returns their rows.

    All rows are read, those of other shards and of parts that are there for their number alone.
    ``answer`` is given the rows of one part; ``write`` returns whether a row failed.
    """
    left = iter(rows)
    total = done = 0
    for number in count():
        part = islice(left, folder.rows)
        wanted = folder.shard.holds(number) and number not in folder.parts
        first = next(part, None) if wanted else None
        if wanted and first is not None:
            chunk = chain([first], part)
            folder.write(number, partial(_write_part, rows=chunk, answer=answer, write=write))
            read = folder.parts[number].rows
            done += read
        else:
            read = sum(1 for _ in part)
        total += read
        if read < folder.rows:
            break
    folder.total = total
    return done


def _write_part(
    path: Path,
    *,
    rows: Iterator[Item],
    answer: Callable[[Iterator[Item]], Iterator[Done]],
    write: Callable[[Path], AbstractContextManager[Callable[[Done], bool]]],
) -> tuple[int, int]:
    """Rows that were written, and how many of them failed."""
    found = failed = 0
    with write(path) as line:
        for one in answer(rows):
            failed += line(one)
            found += 1
    return found, failed


def fingerprint(paths: Iterable[str], model: Path) -> dict[str, Any]:
    """What answers depend on: the files that are asked, and the files of the model, by SHA-256.

    Raises:
        BertftError: an input cannot be read twice.
    """
    inputs = {}
    for path in paths:
        if path == STDIN:
            hint = "save it to a file first"
            raise BertftError("answers in parts need files, for stdin is read only once", hint=hint)
        inputs[path] = "" if path.startswith(HUB) else _digest(Path(path))
    files = sorted(one for one in model.iterdir() if one.is_file() and one.name != MANIFEST)
    return {"inputs": inputs, "model": {one.name: sha256(str(one)) for one in files}}


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder with their names."""
    if not path.is_dir():
        return sha256(str(path))
    digest = hashlib.sha256()
    for one in sorted(path.rglob("*")):
        if one.is_file():
            digest.update(f"{one.relative_to(path)}\0{sha256(str(one))}\n".encode())
    return digest.hexdigest()


def _names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def _fields(part: Part) -> dict[str, Any]:
    return {"rows": part.rows, "failed": part.failed, "sha256": part.sha256}
