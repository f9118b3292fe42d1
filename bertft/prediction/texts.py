"""What the verbs that look inside are given: arguments in, texts (or pairs) out, streamed in order.

An argument that names a file is read (also ``-`` for stdin, ``hub:`` and ``bundled:`` names); every
other one is a text itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bertft.errors import BertftError
from bertft.loaders.files import STDIN, resolve
from bertft.loaders.named import names_file
from bertft.loaders.reading import SkippedRows, bad_row_rule, input_settings, tell_left_out
from bertft.loaders.source import Source
from bertft.recipe import HUB, parse_options
from bertft.settings import Section
from bertft.tasks.text_rows import TextExample, TextRows, numbers
from bertft.watch import Watch


class Columns(Section):
    """``--set task.``: the columns of a table; "" looks for their usual names."""

    text_column: str = ""
    pair_column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """Texts and files of a command line. ``gold`` is a column of numbers beside the texts."""

    arguments: tuple[str, ...]
    pairs: bool = False
    gold: str = ""
    overrides: tuple[str, ...] = ()
    input_format: str = ""
    whole_file: bool = False
    on_bad_row: str = ""

    @property
    def has_files(self) -> bool:
        return any(map(names_file, self.arguments))


def read_texts(request: TextRequest, *, watch: Watch) -> Iterator[tuple[str, TextExample]]:
    """(file, example) for each text; file is "" for a text of the command line, id its place.

    Raises:
        DataError: a file is missing or broken, or has no column for the texts.
        BertftError: there is nothing to read.
    """
    if not request.arguments:
        raise BertftError("no text and no file", hint='give "a text in quotes", or a file')
    settings = input_settings(request.overrides, on_bad_row=request.on_bad_row)
    columns = parse_options(Columns, settings.task)
    rows = TextRows(
        gold=numbers,
        text_column=columns.text_column,
        pair_column=columns.pair_column,
        label_column=request.gold,
        pairs=request.pairs,
        may_be_empty=not request.gold,
    )
    rule = bad_row_rule(settings.data)
    done = 0
    for path in _files(request):
        if not path.startswith(HUB) and path != STDIN:
            resolve(path)
    for place, argument in enumerate(request.arguments, start=1):
        if not names_file(argument):
            yield "", TextExample(str(place), 0, argument)
            continue
        source = Source(
            argument,
            data=settings.data,
            gold=bool(request.gold),
            whole_file=request.whole_file,
            format=request.input_format if argument == STDIN else "",
            bad_row=rule,
        )
        for example in rows.read(source):
            yield argument, example
            done += 1
            if done % 512 == 0:
                watch.advance(done, source.meter.unfinished(), what="read")
        tell_left_out(source, watch=watch)
    if isinstance(rule, SkippedRows):
        rule.tell(watch)


def _files(request: TextRequest) -> Sequence[str]:
    return [argument for argument in request.arguments if names_file(argument)]


def origin(file: str, example: TextExample, *, request: TextRequest) -> dict[str, str]:
    """The first fields of an answer: ``file`` where there are several, and ``id``."""
    place = {"file": file} if file and len(request.arguments) > 1 else {}
    return place | {"id": example.id}
