"""Gzip, stdin, pipes: where bytes come from."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from bertft.errors import DataError
from bertft.loaders.files import TextFile


def lines_of(path: str) -> list[tuple[int, str]]:
    with TextFile(path) as file:
        return list(file)


class TestGzip:
    def test_members_and_padding(self, write):
        data = gzip.compress(b"a\nb") + gzip.compress(b"c\n") + bytes(512)
        assert lines_of(write("a.gz", data)) == [(1, "a"), (2, "bc")]

    def test_found_by_its_bytes_not_its_name(self, write):
        assert lines_of(write("a.csv", gzip.compress(b"a\n"))) == [(1, "a")]
        assert lines_of(write("a.csv.gz", "a\n")) == [(1, "a")]

    def test_every_cut_is_an_error(self, write):
        data = gzip.compress(b"some text\n" * 10)
        for size in range(3, len(data)):
            with pytest.raises(DataError, match="damaged or cut off"):
                lines_of(write("a.gz", data[:size]))

    def test_every_flipped_byte_is_an_error_or_harmless(self, write):
        text = os.urandom(40).hex() + "\n"
        data = gzip.compress(text.encode(), mtime=0)
        for position in range(2, len(data)):
            damaged = bytearray(data)
            damaged[position] ^= 0x55
            try:
                assert lines_of(write("a.gz", bytes(damaged))) == [(1, text[:-1])]
            except DataError as error:
                assert "\n" not in str(error)  # noqa: PT017

    def test_trailing_rubbish(self, write):
        with pytest.raises(DataError, match="damaged or cut off"):
            lines_of(write("a.gz", gzip.compress(b"a\n") + b"rubbish"))


class TestStdin:
    def test_lines_and_name(self, stdin: Callable[[bytes], None]):
        stdin(b"\xef\xbb\xbfa\r\nb")
        file = TextFile("-")
        assert list(file) == [(1, "a"), (2, "b")]
        assert (file.name, file.fraction()) == ("stdin", None)

    def test_gzip(self, stdin):
        stdin(gzip.compress("좋다\n".encode()))
        assert lines_of("-") == [(1, "좋다")]

    def test_error_names_stdin(self, stdin):
        stdin(b"a\n\xff\n")
        with pytest.raises(DataError, match="stdin:2: not utf-8"):
            lines_of("-")

    def test_closed(self, monkeypatch):
        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(DataError, match="stdin: is closed"):
            lines_of("-")

    def test_stays_open(self, stdin):
        stdin(b"a\n")
        lines_of("-")
        with TextFile("-") as file:
            assert list(file) == []

    def test_a_pipe_is_read_as_it_fills(self, monkeypatch):
        reader, writer = os.pipe()
        with os.fdopen(reader) as pipe:
            monkeypatch.setattr("sys.stdin", pipe)
            late = threading.Timer(20, os.close, [writer])
            late.start()
            lines = iter(TextFile("-"))
            for number, text in enumerate(["first", "second"], 1):
                os.write(writer, f"{text}\n".encode())
                assert next(lines) == (number, text)
            late.cancel()
            os.close(writer)
            assert list(lines) == []

    def test_fifo_has_no_fraction(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        path = str(tmp_path / "pipe")
        thread = threading.Thread(target=lambda: Path(path).write_bytes(b"a\n"))
        thread.start()
        with TextFile(path) as file:
            assert list(file) == [(1, "a")]
            assert file.fraction() is None
        thread.join()


def test_read_error_in_the_middle(write, monkeypatch):
    with TextFile(write("a.txt", "a\n")) as file:
        failing = mock.Mock(read=mock.Mock(side_effect=OSError(5, "Input/output error")))
        monkeypatch.setattr(file, "_file", failing)
        with pytest.raises(DataError, match=r"cannot be read \(Input/output error\)"):
            list(file)
    failing.close.assert_called_once()
