"""Vectors as files: jsonl, npy, npz, parquet. Windows of Embeddings go in, memory does not grow.

jsonl    one object per text: ``id``, ``text`` and ``vector``, or ``tokens`` (words), ``offsets``
         and ``vectors``
parquet  one row per text, or per token: ``id``, ``token``, ``start``, ``end``, ``vector``
npy      the vectors alone, row by row in input order; ``numpy.load(..., mmap_mode="r")`` reads it
npz      ``vectors``, ``lines`` (of the input file) and ``layers``; per token or word also
         ``starts`` (row of each text's first), ``offsets`` (characters) and ``token_ids``

Shape legend: N texts, L tokens or words of one, ... the shape of one vector, [W] or [n, H].
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib import format as npy

from bertft.contracts import FloatArray, OffsetArray
from bertft.errors import BertftError, did_you_mean
from bertft.prediction.output import fresh_file, text_output
from bertft.terminal import Writable


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens or words [L] of a text; ``ids`` is empty for words."""

    texts: list[str]
    ids: list[int]
    offsets: OffsetArray


@dataclass(frozen=True, slots=True)
class Embedding:
    """A text's ``vectors``: one of any shape [...], or [L, ...] where ``tokens`` are given."""

    place: dict[str, str]
    line: int
    text: str
    vectors: FloatArray
    truncated: bool
    tokens: Tokens | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What all embeddings of a file have in common."""

    shape: tuple[int, ...]
    layers: tuple[int, ...]
    by_token: bool


Write = Callable[[Sequence[Embedding]], None]


@contextmanager
def vector_output(out: str, layout: Layout, *, overwrite: bool) -> Iterator[Write]:
    """Writes windows of embeddings to ``out``, or as jsonl to stdout where that is "".

    Raises:
        BertftError: no such format, or one that cannot hold this; ``out`` exists already.
    """
    form = vector_format(out, by_token=layout.by_token)
    if form == "jsonl":
        with text_output(out, overwrite=overwrite) as file:
            yield _json_lines(file)
        return
    with fresh_file(out, overwrite=overwrite) as partial, _WRITERS[form](partial, layout) as write:
        yield write


def vector_format(out: str, *, by_token: bool) -> str:
    """jsonl, npy, npz or parquet, by the suffix of ``out``. Raises BertftError for others."""
    form = Path(out).suffix.lower().removeprefix(".") if out else "jsonl"
    if form not in ("jsonl", *_WRITERS):
        raise BertftError(
            f"--out {out}: vectors are not written as '{form}'",
            hint=did_you_mean(form, ("jsonl", *_WRITERS)),
        )
    if form == "npy" and by_token:
        reason = f"--out {out}: .npy does not say which text and token a row belongs to"
        raise BertftError(reason, hint="write .npz, .parquet or .jsonl")
    return form


# --- jsonl --------------------------------------------------------------------------------------


def _json_lines(file: Writable) -> Write:
    def write(window: Sequence[Embedding]) -> None:
        for one in window:
            fields: dict[str, Any] = {**one.place, "text": one.text, "truncated": one.truncated}
            name = "vector"
            if one.tokens is not None:
                fields |= {"tokens": one.tokens.texts, "offsets": one.tokens.offsets.tolist()}
                name = "vectors"
            head = json.dumps(fields, ensure_ascii=False)
            file.write(f'{head[:-1]}, "{name}": {_numbers(one.vectors)}}}\n')

    return write


def _numbers(values: FloatArray) -> str:
    """JSON of an array; nine digits give every float32 back exactly."""
    if values.ndim == 1:
        return "[" + ", ".join([f"{value:.9g}" for value in values.tolist()]) + "]"
    return "[" + ", ".join(map(_numbers, values)) + "]"


# --- npy and npz --------------------------------------------------------------------------------


class _GrowingArray:
    """A .npy file whose first axis grows: its header is written again at the end."""

    def __init__(self, path: Path, shape: tuple[int, ...], kind: str) -> None:
        self._file = path.open("wb")
        self._shape, self._kind = shape, np.dtype(kind)
        self.rows = 0
        self._header()

    def _header(self) -> None:
        # numpy pads the header so that the first number of the shape may grow in place.
        shape = (self.rows, *self._shape)
        settings = {"descr": self._kind.str, "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(self._file, settings)  # type: ignore[no-untyped-call, unused-ignore]

    def append(self, values: Any) -> None:
        rows = np.ascontiguousarray(values, dtype=self._kind).reshape(-1, *self._shape)
        self._file.write(rows.tobytes())
        self.rows += len(rows)

    def __enter__(self) -> _GrowingArray:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.seek(0)
        self._header()
        self._file.close()


@contextmanager
def _npy(path: Path, layout: Layout) -> Iterator[Write]:
    with _GrowingArray(path, layout.shape, "<f4") as vectors:

        def write(window: Sequence[Embedding]) -> None:
            for one in window:
                vectors.append(one.vectors)

        yield write


@contextmanager
def _npz(path: Path, layout: Layout) -> Iterator[Write]:
    """Arrays grow in files beside the target, and go into the archive uncompressed at the end."""
    shapes: dict[str, tuple[tuple[int, ...], str]] = {
        "vectors": (layout.shape, "<f4"),
        "lines": ((), "<i8"),
        "layers": ((), "<i8"),
    }
    if layout.by_token:
        shapes |= {"starts": ((), "<i8"), "offsets": ((2,), "<i8"), "token_ids": ((), "<i8")}
    with TemporaryDirectory(dir=path.parent, prefix=path.name) as folder:
        files = {name: Path(folder) / f"{name}.npy" for name in shapes}
        with ExitStack() as stack:
            arrays = {
                name: stack.enter_context(_GrowingArray(files[name], *shape))
                for name, shape in shapes.items()
            }
            arrays["layers"].append(layout.layers)
            yield lambda window: _append(arrays, window)
        with zipfile.ZipFile(path, "w") as archive:
            for file in files.values():
                archive.write(file, file.name)


def _append(arrays: dict[str, _GrowingArray], window: Sequence[Embedding]) -> None:
    for one in window:
        if one.tokens is not None:
            arrays["starts"].append(arrays["vectors"].rows)
            arrays["offsets"].append(one.tokens.offsets)
            arrays["token_ids"].append(one.tokens.ids)
        arrays["vectors"].append(one.vectors)
        arrays["lines"].append(one.line)


# --- parquet ------------------------------------------------------------------------------------


@contextmanager
def _parquet(path: Path, layout: Layout) -> Iterator[Write]:
    kind = pa.float32()
    for size in reversed(layout.shape):
        kind = pa.list_(kind, size)
    names = {"file": pa.string(), "id": pa.string()}
    names |= (
        {"token": pa.string(), "start": pa.int32(), "end": pa.int32()}
        if layout.by_token
        else {"text": pa.string(), "truncated": pa.bool_()}
    )
    schema = pa.schema([*names.items(), ("vector", kind)])
    with pq.ParquetWriter(path, schema) as file:

        def write(window: Sequence[Embedding]) -> None:
            rows = [row for one in window for row in _rows(one)]
            if not rows:
                return
            columns = [pa.array([row[name] for row in rows], kind) for name, kind in names.items()]
            flat = np.concatenate([one.vectors.reshape(-1) for one in window])
            columns.append(_nested(flat, layout.shape))
            file.write_table(pa.table(columns, schema=schema))

        yield write


def _nested(flat: FloatArray, shape: tuple[int, ...]) -> Any:
    """Values of all vectors as an Arrow array of lists of the shape's sizes."""
    found = pa.array(flat.astype(np.float32, copy=False))
    for size in reversed(shape):
        found = pa.FixedSizeListArray.from_arrays(found, size)
    return found


def _rows(one: Embedding) -> Iterator[dict[str, Any]]:
    place = {"file": one.place.get("file", ""), "id": one.place["id"]}
    if one.tokens is None:
        yield {**place, "text": one.text, "truncated": one.truncated}
        return
    for token, (start, end) in zip(one.tokens.texts, one.tokens.offsets.tolist(), strict=True):
        yield {**place, "token": token, "start": start, "end": end}


_WRITERS: dict[str, Callable[[Path, Layout], AbstractContextManager[Write]]] = {
    "npy": _npy,
    "npz": _npz,
    "parquet": _parquet,
}
