"""Quotes of TSV: those of CSV are found and said, those of a text stay."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.loaders.quoting import AHEAD
from bertft.loaders.source import Source
from bertft.loaders.tables import open_table
from bertft.settings import DataSettings

CELL = st.text(st.sampled_from(list('"\t\n\r,a가 \u2028\x0b')), max_size=6)


def read(path: str, quoting: str = "auto") -> tuple[list[list[str]], list[int], list[str]]:
    source = Source(path, data=DataSettings(quoting=quoting))  # type: ignore[arg-type]
    rows = list(open_table(source))
    return (
        [list(row.fields.values()) for row in rows],
        [row.line for row in rows],
        source.meter.notes,
    )


def tsv(rows: list[tuple[str, ...]], **how: int) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t", lineterminator="\n", **how).writerows(rows)  # type: ignore[arg-type]
    return text.getvalue()


class TestFound:
    @pytest.mark.parametrize(
        "cell", ['He said ""yes"".', "two\nlines", "a\ttab", 'all of it ""', "one\rtwo"]
    )
    def test_what_only_stands_in_quotes(self, write, cell):
        text = f'text\tlabel\nplain\tpos\n"{cell}"\tneg\nlast\tpos\n'
        rows, lines, notes = read(write("a.tsv", text))
        assert rows == [["plain", "pos"], [cell.replace('""', '"'), "neg"], ["last", "pos"]]
        assert lines == [2, 3, 4 + cell.count("\n")]
        assert notes == [
            'quotes are read as in CSV (--set data.quoting="none" takes them for text)'
        ]

    def test_everything_in_quotes(self, write):
        for how in (csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC):
            rows, _, notes = read(write("a.tsv", tsv([("text", "label"), ("a", "b")], quoting=how)))
            assert rows == [["a", "b"]]
            assert notes

    def test_commas_alone_as_excel_does(self, write):
        text = 'text\tlabel\n"Well, yes"\ta\nno\tb\n"No, no"\tb\n'
        assert [row[0] for row in read(write("a.tsv", text))[0]] == ["Well, yes", "no", "No, no"]

    def test_far_down(self, write):
        """The first quote decides, wherever it stands."""
        text = "text\tlabel\n" + "plain\tpos\n" * 60_000 + '"He said ""yes"""\tneg\nx\tpos\n'
        rows, lines, notes = read(write("a.tsv", text))
        assert rows[-2:] == [['He said "yes"', "neg"], ["x", "pos"]]
        assert (lines[-1], len(notes)) == (60_003, 1)

    def test_crlf(self, write):
        text = 'text\tlabel\r\n"He said ""yes"""\tneg\r\nlast\tpos\r\n'
        assert read(write("a.tsv", text))[0] == [['He said "yes"', "neg"], ["last", "pos"]]


class TestText:
    @pytest.mark.parametrize(
        "lines",
        [
            ['"Hello', 'he said "yes"'],
            ['"Hello" he said'],
            ['"Hello"', "well, yes"],
            ['"Hello"'],
            ['"', '"'],
            ['"Great', 'film"'],
            ['""Great film""'],
            ['"a" and "b"'],
        ],
    )
    def test_quotes_of_a_text_stay(self, write, lines):
        text = "text\tlabel\n" + "".join(f"{line}\tpos\n" for line in lines) + "last\tneg\n"
        rows, _, notes = read(write("a.tsv", text))
        assert rows == [*([line, "pos"] for line in lines), ["last", "neg"]]
        assert notes == []

    def test_the_setting_decides(self, write):
        path = write("a.tsv", 'text\tlabel\n"a ""b"""\tpos\n')
        assert read(path, "none")[0] == [['"a ""b"""', "pos"]]
        assert read(path, "standard")[0] == [['a "b"', "pos"]]


@given(rows=st.lists(st.tuples(CELL, CELL), max_size=8))
def test_what_csv_writes_is_read_back(tmp_path_factory, rows):
    """csv.writer leaves a lone CR outside quotes: such files are another format.

    Two columns with a tab and a line break in one cell can be read both ways.
    """
    rows = [tuple(cell.replace("\r", "").replace("\t\n", "") for cell in row) for row in rows]
    rows = [row for row in rows if not any("\t" in cell and "\n" in cell for cell in row)]
    path = tmp_path_factory.getbasetemp() / "back.tsv"
    path.write_bytes(tsv([("text", "label"), *rows]).encode())
    assert read(str(path))[0] == [list(row) for row in rows]


def test_memory_stays_bounded(write):
    """A quote that nothing closes is looked at no further than AHEAD."""
    text = 'text\tlabel\n"never closed\tpos\n' + "plain\tpos\n" * (AHEAD // 5)
    rows, _, _ = read(write("a.tsv", text))
    assert rows[0] == ['"never closed', "pos"]
    assert len(rows) == 1 + AHEAD // 5
