"""CSV and TSV: line numbers, headers, broken quotes, ragged rows, formats."""

from __future__ import annotations

import codecs

import pytest

from bertft.errors import DataError
from bertft.loaders import delimited, files
from bertft.loaders.source import Source
from bertft.loaders.tables import Row, format_of, open_table
from bertft.settings import DataSettings


class TestLinesAndFields:
    def test_line_numbers_after_fields_of_several_lines(self, write, read):
        found = read(write("a.csv", 't,l\r\n"a\r\n\r\nb",1\r\n\r\n\r\nc,2\r\n"\n",3\nd,4'))
        assert found.lines == [2, 7, 8, 10]
        assert found.values == [["a\r\n\r\nb", "1"], ["c", "2"], ["\n", "3"], ["d", "4"]]

    def test_quotes_inside_words_are_text(self, write, read):
        assert read(write("a.csv", 't,l\na "b" c,""\n')).values == [['a "b" c', ""]]

    def test_tsv_as_glue_ships_it(self, write, read):
        found = read(write("a.tsv", 'id\tdocument\n1\t"아 좋다\n2\t\n\n3\ta\u2028b\x85c\n'))
        assert found.values == [["1", '"아 좋다'], ["2", ""], ["3", "a\u2028b\x85c"]]
        assert found.lines == [2, 3, 5]

    def test_quoting_can_be_set(self, write, read):
        standard = DataSettings(quoting="standard")
        assert read(write("a.tsv", 't\tl\n"a\tb"\t1\n'), data=standard).values == [["a\tb", "1"]]
        none = DataSettings(quoting="none")
        assert read(write("a.csv", 't,l\n"a,1\n'), data=none).values == [['"a', "1"]]

    def test_delimiters(self, write, read):
        path = write("a.csv", "t;l\na,b;1\n")
        assert read(path, data=DataSettings(delimiter=";")).values == [["a,b", "1"]]
        tabs = write("b.csv", "t\tl\na\t1\n")
        for written in ("\t", "\\t", "tab"):
            assert read(tabs, data=DataSettings(delimiter=written)).values == [["a", "1"]]
        one = DataSettings(delimiter=",")
        assert read(write("d.csv", "t;l\na;1\n"), data=one).columns == ("t;l",)

    @pytest.mark.parametrize("delimiter", ["ab", '"', "\n", "\r", "\0"])
    def test_impossible_delimiter(self, write, read, delimiter):
        with pytest.raises(DataError, match="cannot be a delimiter"):
            read(write("a.csv", "t,l\n"), data=DataSettings(delimiter=delimiter))


class TestHeader:
    def test_names_are_stripped(self, write, read):
        assert read(write("a.csv", '\ufeff\n text ," label "\na,1\n')).columns == ("text", "label")

    def test_without_header(self, write, read):
        data = DataSettings(header=False, columns=["label", "text"])
        found = read(write("a.csv", "pos,a\nneg,b\n"), data=data)
        assert found.rows[0] == Row({"label": "pos", "text": "a"}, 1)
        assert len(found.rows) == 2
        found = read(write("a.csv", "pos,a\n"), data=DataSettings(header=False))
        assert (found.columns, found.values) == (("column1", "column2"), [["pos", "a"]])
        assert read(write("a.csv", "pos;a\n"), data=data).values == [["pos", "a"]]
        with pytest.raises(DataError, match=r'a\.csv:1: 2 fields .*data\.delimiter=";"'):
            read(write("a.csv", "pos;a\nno\nno\n"), data=data)

    def test_columns_rename_a_header(self, write, read):
        path = write("a.csv", "x,x\na,1\n")
        assert read(path, data=DataSettings(columns=["t", "l"])).columns == ("t", "l")
        with pytest.raises(DataError, match=r"2 columns, but data\.columns names 1; found: x, x"):
            read(path, data=DataSettings(columns=["t"]))

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "is empty"),
            ("\n\r\n", "is empty"),
            (codecs.BOM_UTF8, "is empty"),
            ("text,label,text\n", "a.csv:1: two columns are named 'text'"),
            ("\n,text\n", "a.csv:2: column 1 has no name"),
            (b"text,\xff\n", "a.csv:1: not utf-8"),
            ('"text,label\na,1\n', "a.csv:1: a quote that opens"),
            ('"text"x,label\na,1\n', "a.csv:1: a closing quote"),
        ],
    )
    def test_a_bad_header_is_never_skipped(self, write, read, content, message):
        with pytest.raises(DataError) as caught:
            read(write("a.csv", content), skip=True)
        assert message in str(caught.value)

    def test_header_alone(self, write, read):
        found = read(write("a.csv", "text,label"))
        assert (found.columns, found.rows) == (("text", "label"), [])


class TestBadRows:
    def test_ragged_rows_are_skipped_and_counted(self, write, read):
        found = read(write("a.csv", "t,l\na,1\nb\nc,2,3\nd,4\n"), skip=True)
        assert found.values == [["a", "1"], ["d", "4"]]
        assert [error.line for error in found.skipped] == [3, 4]
        assert "2 fields expected (t, l), 1 found" in found.skipped[0].message
        assert "in double quotes" in found.skipped[1].hint

    def test_the_first_bad_row_stops(self, write, read):
        with pytest.raises(DataError, match=r"a\.tsv:4: 2 fields expected"):
            read(write("a.tsv", "t\tl\na\t1\n\nb\n"))

    def test_a_ragged_record_of_several_lines_names_its_first(self, write, read):
        with pytest.raises(DataError, match=r"a\.csv:2: 2 fields"):
            read(write("a.csv", 't,l\n"a\nb\nc"\nd,1\n'))

    @pytest.mark.parametrize("bad", ['"a"b,1', '"a" ,1', 'a,"1"2', "a\rb,1"])
    def test_a_broken_line_is_skipped(self, write, read, bad):
        found = read(write("a.csv", f"t,l\nx,0\n{bad}\ny,2\n"), skip=True)
        assert found.values == [["x", "0"], ["y", "2"]]
        assert [error.line for error in found.skipped] == [3]
        assert found.lines == [2, 4]

    @pytest.mark.parametrize("skip", [False, True])
    def test_an_open_quote_names_where_its_record_starts(self, write, read, skip):
        rest = "c,3\n" * 1000
        with pytest.raises(DataError, match=r"a\.csv:4: a quote that opens .* never closed"):
            read(write("a.csv", f't,l\n\na,1\n"b,2\n{rest}'), skip=skip)
        with pytest.raises(DataError, match=r"a\.csv:3: .*followed by more text \(on line 5\)"):
            read(write("a.csv", 't,l\na,1\n"b,2\nc,3\nd,"4"\ne,5\n'), skip=skip)

    def test_an_open_quote_in_the_last_line_swallows_nothing(self, write, read):
        found = read(write("a.csv", 't,l\na,1\n"b,2'), skip=True)
        assert (found.values, found.skipped[0].line) == ([["a", "1"]], 3)

    def test_a_quote_bomb_is_stopped(self, write, monkeypatch):
        monkeypatch.setattr(delimited, "MAX_RECORD", 10_000)
        monkeypatch.setattr(files, "BLOCK", 1000)
        for bomb in ('"b,2\n' + "c,3\n" * 100_000, '"b\n",' * 100_000):
            table = open_table(Source(write("a.csv", f"t,l\na,1\n{bomb}"), DataSettings()))
            rows = iter(table)
            assert next(rows).line == 2
            with pytest.raises(DataError, match=r"a\.csv:3: a record of more than"):
                next(rows)
            assert (table.fraction() or 1) < 0.2  # the start is looked at for its encoding

    def test_one_field_longer_than_the_csv_module_likes(self, write, read):
        text = "가" * 200_000
        assert read(write("a.csv", f"t,l\n{text},1\n")).values == [[text, "1"]]

    def test_unusable_lines(self, write, read):
        content = b't,l\na,1\n\xff,2\nb,3\n"c\n\xff\n\xff",4\n\0,5\ne,6\n"x"y\0,7\nf,8'
        found = read(write("a.csv", content), skip=True)
        assert found.values == [["a", "1"], ["b", "3"], ["e", "6"], ["f", "8"]]
        assert [error.line for error in found.skipped] == [3, 6, 8, 10]
        assert found.lines == [2, 4, 9, 11]
        with pytest.raises(DataError, match=r"a\.csv:3: not utf-8"):
            read(write("a.csv", content))


class TestFormats:
    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("a/b.csv", "csv"),
            ("b.CSV.GZ", "csv"),
            ("b.tsv.gz", "tsv"),
            ("b.ndjson", "jsonl"),
            ("b.json", "json"),
            ("b.parquet", "parquet"),
            ("b.xlsx", "workbook"),
            ("b.ODS", "workbook"),
            ("hub:owner/name", "hub"),
        ],
    )
    def test_by_suffix(self, path, kind):
        assert format_of(path) == kind

    def test_unknown_suffix(self):
        for path in ("a.dat", "a", "a.parquet.gz", "a.xlsx.gz", ".csv/a", "a.gz"):
            with pytest.raises(DataError, match=r"supported: \.csv, \.tsv, \.jsonl"):
                format_of(path)

    def test_format_overrides_the_suffix(self, write, read):
        assert read(write("a.dat", "t,l\na,1\n"), format="csv").values == [["a", "1"]]
        with pytest.raises(DataError, match=r"unknown format 'cvs'; did you mean 'csv'\?"):
            read(write("a.dat", ""), format="cvs")

    def test_stdin(self, stdin, read):
        stdin(b't,l\r\n"a\r\nb",1\r\n')
        assert read("-", format="csv").values == [["a\r\nb", "1"]]
        with pytest.raises(DataError, match="stdin: no file name"):
            read("-")
        with pytest.raises(DataError, match="Parquet cannot be read from a pipe"):
            read("-", format="parquet")

    def test_a_table_is_read_once(self, write):
        table = open_table(Source(write("a.csv", "t,l\na,1\n"), DataSettings()))
        assert len(list(table)) == 1
        with pytest.raises(RuntimeError, match="read once"):
            list(table)

    def test_a_table_that_is_not_read_leaves_no_open_file(self, write):
        for name, content in [("a.csv", "t,l\na,1\n"), ("a.jsonl", '{"t": 1}\n')]:
            assert open_table(Source(write(name, content), DataSettings())).columns
