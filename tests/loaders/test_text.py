"""Plain text, JSON lines and JSON arrays."""

from __future__ import annotations

import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.loaders.tables import Row, open_table
from bertft.loaders.text import read_lines
from bertft.settings import DataSettings

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class TestPlainText:
    def test_blank_lines_are_counted(self, write):
        lines = read_lines(Source(write("a.txt", " a \n\n\u3000\n\tb\u2028c\r\n"), DataSettings()))
        assert list(lines) == [Row({"text": " a "}, 1), Row({"text": "\tb\u2028c"}, 4)]
        assert (lines.blank, lines.fraction()) == (2, 1.0)

    def test_whole_file(self, write):
        path = write("a.txt", "\ufeffa\r\n\nb\r")
        lines = read_lines(Source(path, DataSettings(), whole_file=True))
        assert list(lines) == [Row({"text": "a\r\n\nb\r"}, 1)]
        assert lines.blank == 0

    def test_blank_whole_file(self, write):
        for content in ("", "\ufeff", " \n\n"):
            lines = read_lines(Source(write("a.txt", content), DataSettings(), whole_file=True))
            assert (list(lines), lines.blank) == ([], 1)

    def test_bad_text(self, write):
        skipped: list[DataError] = []
        path = write("a.txt", b"a\n\xff\nb\n")
        source = Source(path, DataSettings(), bad_row=skipped.append)
        assert [row.line for row in read_lines(source)] == [1, 3]
        whole = Source(path, DataSettings(), whole_file=True, bad_row=skipped.append)
        assert list(read_lines(whole)) == []
        assert [error.line for error in skipped] == [2, 2]
        with pytest.raises(DataError, match=r"a\.txt:2: not utf-8"):
            list(read_lines(Source(path, DataSettings(), whole_file=True)))

    def test_encoding(self, write):
        path = write("a.txt", "좋다\n".encode("cp949"))
        rows = list(read_lines(Source(path, DataSettings(encoding="cp949"))))
        assert rows == [Row({"text": "좋다"}, 1)]

    def test_stdin(self, stdin):
        stdin("a\n\n좋다".encode())
        lines = read_lines(Source("-", DataSettings()))
        assert [row.fields["text"] for row in lines] == ["a", "좋다"]
        assert (lines.path, lines.blank, lines.fraction()) == ("stdin", 1, None)


class TestJson:
    @given(
        records=st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=4),
        indent=st.sampled_from([None, 0, 2]),
        escaped=st.booleans(),
    )
    def test_round_trip(self, tmp_path_factory, read, records, indent, escaped):
        folder = tmp_path_factory.getbasetemp()
        lines = [json.dumps(record, ensure_ascii=escaped) for record in records]
        (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8", newline="\r\n")
        array = json.dumps(records, ensure_ascii=escaped, indent=indent)
        (folder / "a.json").write_text(array, encoding="utf-8", newline="")
        columns = tuple(dict.fromkeys(name for record in records for name in record))
        for name in ("a.jsonl", "a.json"):
            found = read(str(folder / name))
            assert [row.fields for row in found.rows] == records
            assert found.columns == columns
        if indent:
            starts = [n for n, line in enumerate(array.split("\n"), 1) if line[:3] == "  {"]
            assert found.lines == starts

    def test_lines(self, write, read):
        found = read(write("a.jsonl", '\ufeff{"a": 1}\r\n\r\n \n {"a": NaN, "b": [2]}'))
        assert found.rows == [Row({"a": 1}, 1), Row({"a": found.rows[1].fields["a"], "b": [2]}, 4)]
        assert found.columns == ("a", "b")

    def test_empty(self, write, read):
        for name, content in [("a.jsonl", ""), ("a.json", ""), ("a.json", " [ ] ")]:
            found = read(write(name, content))
            assert (found.columns, found.rows) == ((), [])

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("{'a': 1}", "not valid JSON"),
            ('{"a": 1', "not valid JSON"),
            ('{"a": 1} {"a": 2}', "not valid JSON: Extra data (character 10 of the line)"),
            ("[1]", "not list"),
            ('"a"', "not str"),
            ("null", "not NoneType"),
            ("NaN", "not float"),
            ('{"a": ' + "[" * 100_000, "nested too deeply"),
            ('{"a": ' + "9" * 5000 + "}", "a number is too long"),
            (r'{"a": "x\ud83d"}', "surrogate"),
            ('{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice in one object"),
            ('{"a": {"b": {"c": 1, "c": 1}}}', "the key 'c' stands twice"),
            ('{"a": ' + "[" * 70 + "]" * 70 + "}", "nested too deeply"),
            (r'{"a": ["\uDE00\ud83d"]}', "surrogate"),
            (r'{"\ud83d": 1}', "surrogate"),
            ('{"a": "\0"}', "NUL"),
        ],
    )
    def test_a_bad_line_is_named_and_can_be_skipped(self, write, read, line, message):
        path = write("a.jsonl", '{"a": 1}\n' + line + '\n{"a": 2}\n')
        with pytest.raises(DataError) as caught:
            read(path)
        assert (caught.value.line, message in caught.value.message) == (2, True)
        found = read(path, skip=True)
        assert (found.lines, len(found.skipped)) == ([1, 3], 1)

    def test_whole_surrogate_pairs_and_hangul_escapes_are_text(self, write, read):
        path = write("a.jsonl", r'{"a": "\ud83d\ude00 \ud55c \\ud83d"}')
        assert read(path).values == [["\U0001f600 한 \\ud83d"]]

    def test_array_of_one_per_line(self, write, read):
        found = read(write("a.json", '[\r\n {"a": 1},\r\n\r\n {"a":\n2}, {"a": 3}\n]\n'))
        assert (found.lines, found.values) == ([2, 4, 5], [[1], [2], [3]])

    def test_array_rows_that_are_no_objects(self, write, read):
        found = read(write("a.json", '[{"a": 1},\n2,\n{"a": "\\ud83d"},\n{"a": 3}]'), skip=True)
        assert (found.lines, [error.line for error in found.skipped]) == ([1, 4], [2, 3])

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            ("[", 1),
            ('[{"a": 1}', 1),
            ('[{"a": 1},\n]', 2),
            ('[{"a": 1}\n{"a": 2}]', 2),
            ('[{"a": 1}]\n]', 1),
            ('[\n\n{"a" 1}]', 3),
            ("[\n" + "[" * 100_000, 2),
            (b'[\n{"a": "\xff"}]', 2),
        ],
    )
    def test_a_broken_array_is_never_skipped(self, write, read, content, line):
        with pytest.raises(DataError) as caught:
            read(write("a.json", content), skip=True)
        assert caught.value.line == line

    def test_json_suffix_with_lines(self, write, read):
        assert read(write("a.json", '\n{"a": 1}\n{"a": 2}\n')).lines == [2, 3]
        with pytest.raises(DataError, match=r"a\.json:1: .*holds a list of objects, or one"):
            read(write("a.json", '{\n"a": 1\n}\n'))

    def test_stdin_is_read_as_it_fills(self, monkeypatch):
        reader, writer = os.pipe()
        with os.fdopen(reader) as pipe:
            monkeypatch.setattr("sys.stdin", pipe)
            late = threading.Timer(20, os.close, [writer])
            late.start()
            os.write(writer, b'{"a": 1}\n')
            rows = iter(open_table(Source("-", DataSettings()), format="jsonl"))
            assert next(rows) == Row({"a": 1}, 1)
            os.write(writer, b'{"a": 2}\n')
            assert next(rows) == Row({"a": 2}, 2)
            late.cancel()
            os.close(writer)
            assert list(rows) == []
