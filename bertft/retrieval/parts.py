"""Passages and their vectors on disk: a file in, what a search needs of it out, embedded once.

    NAME-HASH.passages    up to ROWS passages of a file, as an Arrow file with their vectors; the
                          last of a file says how it was read

The hash is of what a part follows from: the bytes of its file, how it was read, the encoder, the
number of the part. So nothing is ever out of date, a folder that moves keeps its parts, a file that
changes gets new ones alone, and what a kill interrupts goes on with the next part.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bertft.cache_folder import cache_folder, largest, make_room, not_kept, whole_file
from bertft.contracts import FloatArray
from bertft.retrieval.passages import Passage

FORMAT = 2
ROWS = 1024
"""Passages of a part: what is embedded again after a kill, at the most."""
COLUMNS = {
    "text": pa.string(), "unit": pa.string(), "number": pa.int64(), "id": pa.string(),
    "question": pa.string(),
}  # fmt: skip
NOTES = b"notes"
"""Of a part's schema: where its file was, and what was said of it."""
Embed = Callable[[Sequence[str]], FloatArray]
"""Texts to unit vectors [N, W]."""


@dataclass(frozen=True, slots=True)
class Part:
    """Passages of a file, read lazily, with their vectors [N, W]."""

    path: Path
    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def vectors(self) -> FloatArray:
        column = self.table.column("vector")
        width = column.type.list_size
        chunks = [one.flatten().to_numpy() for one in column.chunks]
        return np.concatenate(chunks or [np.zeros(0, np.float32)]).reshape(-1, width)

    def notes(self, path: str) -> list[str]:
        """How the file, which is at ``path`` now, was read, and what of it was left out."""
        said = json.loads((self.table.schema.metadata or {}).get(NOTES, b"[]"))
        was, *notes = said or [""]
        return [note.replace(f"{was}:", f"{path}:") for note in notes]

    def passage(self, place: int) -> Passage:
        row = self.table.slice(place, 1).select(list(COLUMNS)).to_pylist()[0]
        return Passage(**row)

    def texts(self) -> Iterator[str]:
        """All that each passage says."""
        pairs = zip(*(self.table.column(one).to_pylist() for one in ("question", "text")),
                    strict=True)  # fmt: skip
        yield from (f"{question}\n{text}" if question else text for question, text in pairs)


def parts_of(
    path: str,
    facts: Mapping[str, Any],
    *,
    passages: Callable[[list[str]], Iterator[Passage]],
    embed: Embed,
) -> Iterator[Part]:
    """The parts of a file in order, from the cache or made now; all but the last are full.

    ``passages`` reads the file, and puts what is to be said of it into a list at the end.

    Raises:
        DataError: the file cannot be read. RunError: the cache cannot hold it.
    """
    word = "".join(c if c.isalnum() or c in "-._" else "-" for c in Path(path).name)[:40]
    left: Iterator[Passage] | None = None
    notes: list[str] = []
    for number in count():
        key = _hash({**facts, "format": FORMAT, "part": number})
        file = cache_folder() / f"{word.lstrip('.-')}-{key[:32]}.passages"
        part = _read(file)
        if part is None:
            left = left or islice(passages(notes), number * ROWS, None)
            part = _made(file, list(islice(left, ROWS)), embed, said=[path, *notes])
        elif left is not None:  # what is there is passed over
            left = islice(left, ROWS, None)
        yield part
        if len(part) < ROWS:
            return


def table_of(passages: Sequence[Passage], vectors: FloatArray) -> pa.Table:
    """Passages with their vectors [N, W], as a part holds them."""
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    width = vectors.shape[1] if vectors.ndim == 2 else 1
    arrays = [
        pa.array([getattr(one, name) for one in passages], kind) for name, kind in COLUMNS.items()
    ]
    arrays.append(pa.FixedSizeListArray.from_arrays(flat, width))
    return pa.Table.from_arrays(arrays, names=[*COLUMNS, "vector"])


def key_of(parts: Sequence[Part]) -> str:
    """What an index of these parts follows from."""
    return _hash([part.path.name for part in parts])


def _hash(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _read(file: Path) -> Part | None:
    """The part, mapped from its file; None where it is not there, or damaged."""
    try:
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        os.utime(file)  # used just now
    except (OSError, pa.ArrowInvalid):
        return None
    return Part(file, table)


def _made(file: Path, passages: list[Passage], embed: Embed, *, said: Sequence[str]) -> Part:
    table = table_of(passages, embed([one.compared for one in passages]))
    table = table.replace_schema_metadata({NOTES: json.dumps(said).encode()})
    try:
        make_room(max(0, largest() - table.nbytes))
        with whole_file(file) as out, pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table)
    except OSError as error:
        raise not_kept(file, error) from None
    return Part(file, table)
