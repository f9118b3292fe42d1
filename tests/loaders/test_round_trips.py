"""What was written is read again, for any text in any format; and the bounds on memory and time."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
import tracemalloc
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.errors import DataError
from bertft.loaders import files
from bertft.loaders.source import Source
from bertft.loaders.tables import open_table
from bertft.settings import DataSettings

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ODD = st.text(st.sampled_from(list('"",;\t\r\n\u2028\x0b\x1c가a ')), max_size=8)
TABLE = st.lists(st.tuples(CELLS | ODD, CELLS | ODD), max_size=6)


class TestRoundTrip:
    @given(
        rows=TABLE,
        end=st.sampled_from(["\r\n", "\n"]),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        packed=st.booleans(),
        block=st.integers(1, 40) | st.just(2**18),
    )
    def test_csv(self, tmp_path_factory, read, rows, end, encoding, packed, block):
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *rows])
        path = tmp_path_factory.getbasetemp() / "table.csv"
        data = text.getvalue().encode(encoding)
        path.write_bytes(gzip.compress(data) if packed else data)
        with mock.patch.object(files, "BLOCK", block):
            found = read(str(path), data=DataSettings(encoding=encoding))
        assert [tuple(row.fields.items()) for row in found.rows] == [
            (("text", text), ("label", label)) for text, label in rows
        ]
        starts = [2]
        for text, label in rows:
            starts.append(starts[-1] + 1 + text.count("\n") + label.count("\n"))
        assert found.lines == starts[:-1]

    @given(rows=TABLE, delimiter=st.sampled_from(list(",;\t| 가")))
    def test_minimal_quoting(self, tmp_path_factory, read, rows, delimiter):
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=delimiter).writerows([("text", "label"), *rows])
        path = tmp_path_factory.getbasetemp() / "minimal.csv"
        path.write_bytes(text.getvalue().encode())
        found = read(str(path), data=DataSettings(delimiter=delimiter))
        assert found.values == [list(row) for row in rows]

    @given(rows=TABLE)
    def test_tsv_keeps_quotes_and_carriage_returns(self, tmp_path_factory, read, rows):
        rows = [
            [cell.replace("\t", " ").replace("\n", " ") for cell in row[:1]] + ["label"]
            for row in rows
        ]
        path = tmp_path_factory.getbasetemp() / "table.tsv"
        path.write_bytes("".join("\t".join(row) + "\n" for row in [["t", "l"], *rows]).encode())
        assert read(str(path)).values == rows

    @given(rows=TABLE)
    def test_all_formats_give_equal_rows(self, tmp_path_factory, read, rows):
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder = tmp_path_factory.getbasetemp()
        records = [{"text": text, "label": label} for text, label in rows]
        with (folder / "same.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
        objects = "".join(json.dumps(record) + "\n" for record in records)
        (folder / "same.jsonl").write_bytes(objects.encode())
        (folder / "same.json").write_bytes(json.dumps(records, ensure_ascii=False).encode())
        schema = pa.schema([("text", pa.string()), ("label", pa.string())])
        pq.write_table(pa.Table.from_pylist(records, schema), folder / "same.parquet")
        for name in ("same.csv", "same.jsonl", "same.json", "same.parquet"):
            assert [row.fields for row in read(str(folder / name)).rows] == records

    @given(data=st.binary(max_size=60), kind=st.sampled_from(["csv", "tsv", "jsonl", "json"]))
    def test_any_bytes_give_rows_or_one_line(self, tmp_path_factory, read, data, kind):
        path = tmp_path_factory.getbasetemp() / f"any.{kind}"
        path.write_bytes(data)
        try:
            read(str(path))
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


class TestSize:
    @pytest.mark.parametrize(
        ("name", "count"),
        [("a.csv", 100_000), ("a.jsonl", 60_000), ("a.tsv", 60_000), ("a.csv.gz", 60_000)],
    )
    def test_memory_does_not_grow_with_the_file(self, write, name, count):
        text = "a sentence of moderate length, as they are " * 5
        row = {"csv": f'"{text}",pos\n', "tsv": f"{text}\tpos\n"}.get(name[2:5])
        content = "text,label\n" if "csv" in name else "text\tlabel\n" if row else ""
        content += (row or json.dumps({"text": text, "label": "pos"}) + "\n") * count
        data = content.encode()
        path = write(name, gzip.compress(data, 1) if name.endswith(".gz") else data)
        tracemalloc.start()
        try:
            found = sum(1 for _ in open_table(Source(path, DataSettings())))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert found == count
        assert peak < 6 * 2**20 < len(data) / 2

    def test_speed(self, write):
        """Far below what it does (500 000 rows a second), to catch work done twice per row."""
        path = write("a.csv", "text,label\n" + "some words that follow,pos\n" * 100_000)
        start = time.process_time()
        count = sum(1 for _ in open_table(Source(path, DataSettings())))
        assert count / (time.process_time() - start) > 60_000
