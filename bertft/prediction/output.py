"""Where answers go: stdout, or a file that appears whole when everything is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from bertft.errors import BertftError, DataError
from bertft.prediction.columnar import parquet
from bertft.prediction.formats import Format
from bertft.prediction.predicted import Predicted
from bertft.prediction.tables import TEXT_TABLES, Tell, Write
from bertft.prediction.workbooks import workbook
from bertft.terminal import Writable, shown

BINARY: dict[str, Callable[..., AbstractContextManager[Write]]] = {
    "parquet": parquet,
    "xlsx": workbook,
}
"""Tables that are no text, and need a file."""


def check_writable(out: str, *, overwrite: bool) -> None:
    """Raise before the work what would fail after it.

    Raises:
        BertftError: ``out`` exists, and ``overwrite`` is not set.
        DataError: it is a folder, or in none.
    """
    target = Path(out)
    if target.is_dir():
        raise DataError("is a folder, not a file", path=out, hint="name a file inside it")
    if target.exists() and not overwrite:
        hint = "choose another --out, or add --overwrite"
        raise BertftError(f"{target} exists already", hint=hint)
    if not target.parent.is_dir():
        hint = f"there is no folder {target.parent}; make it: mkdir -p {target.parent}"
        raise DataError("cannot be written", path=out, hint=hint)


@contextmanager
def fresh_file(out: str, *, overwrite: bool) -> Iterator[Path]:
    """A path beside ``out`` to write to, renamed to it at the end.

    Raises:
        BertftError: ``out`` exists, and ``overwrite`` is not set.
        DataError: it cannot be written.
    """
    check_writable(out, overwrite=overwrite)
    target = Path(out)
    partial = target.with_name(target.name + ".partial")
    try:
        yield partial
        partial.replace(target)
    except BertftError:  # nothing was made of the input
        partial.unlink(missing_ok=True)
        raise
    except OSError as error:
        raise DataError(f"cannot be written ({error.strerror})", path=str(target)) from None


@contextmanager
def text_output(out: str, *, overwrite: bool) -> Iterator[Writable]:
    """The text file ``out``, or stdout where that is ""."""
    if not out:
        yield shown(sys.stdout)
        sys.stdout.flush()
        return
    with (
        fresh_file(out, overwrite=overwrite) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file


@contextmanager
def answers_output(
    out: str,
    form: str,
    formats: Mapping[str, Format],
    *,
    overwrite: bool,
    tell: Tell,
    may_fail: bool = True,
) -> Iterator[Callable[[Predicted], None]]:
    """What writes answers to ``out`` in one of ``formats``, or as xlsx or parquet.

    ``tell`` is told what of a table is not as one would think; without ``may_fail`` every row has
    an answer, and tables have no column for errors.
    """
    if form in BINARY:
        make = partial(BINARY[form], may_fail=may_fail)
        with fresh_file(out, overwrite=overwrite) as path, make(path, tell) as put:
            yield lambda one: put(one.answer, one.row)
        return
    with text_output(out, overwrite=overwrite) as file:
        if form in TEXT_TABLES:
            with TEXT_TABLES[form](file, tell, may_fail=may_fail) as put:
                yield lambda one: put(one.answer, one.row)
        else:
            with formats[form](file) as write:
                yield lambda one: write(one.answer)
