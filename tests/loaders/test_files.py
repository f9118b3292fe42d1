"""Paths, line ends and encodings: what bytes become, and what is refused."""

from __future__ import annotations

import gzip
import hashlib
import os
from itertools import pairwise
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bertft.errors import DataError
from bertft.loaders import files
from bertft.loaders.files import TextFile, resolve, sha256

HANGUL = "이 영화는 정말 재미있다\n최고의 배우들\n"


def lines_of(path: str, *, encoding: str = "utf-8") -> list[tuple[int, str]]:
    with TextFile(path, encoding=encoding) as file:
        return list(file)


def refusal(path: str, *, encoding: str = "utf-8") -> DataError:
    with pytest.raises(DataError) as caught:
        lines_of(path, encoding=encoding)
    assert "\n" not in str(caught.value)
    return caught.value


class TestResolve:
    def test_plain_path(self, write):
        assert resolve(write("a.csv", "x")) == Path(write("a.csv", "x"))

    def test_missing_file_names_a_near_one(self, write):
        write("train.csv", "x")
        with pytest.raises(DataError, match=r"no such file; did you mean 'train\.csv'"):
            resolve(write("x", "").replace("/x", "/trian.csv"))

    def test_missing_folder(self, tmp_path):
        with pytest.raises(DataError, match="there is no folder"):
            resolve(f"{tmp_path}/no/a.csv")

    def test_empty_folder(self, tmp_path):
        with pytest.raises(DataError, match="is empty"):
            resolve(f"{tmp_path}/a.csv")

    def test_folder(self, tmp_path):
        with pytest.raises(DataError, match="is a folder"):
            resolve(str(tmp_path))

    @pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "bundled:a\0b", "bundled:" + "x" * 5000])
    def test_impossible_names(self, path):
        with pytest.raises(DataError, match="cannot be read"):
            resolve(path)

    def test_a_file_is_not_a_folder(self, write):
        with pytest.raises(DataError, match="no such file"):
            resolve(write("a.csv", "x") + "/b.csv")

    def test_unreadable(self, write, monkeypatch):
        path = write("a.csv", "x")
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(DataError, match="permission denied"):
            resolve(path)

    def test_bundled(self, tmp_path, monkeypatch):
        monkeypatch.setattr(files, "bundled_root", lambda: tmp_path)
        file = tmp_path / "data" / "sentiment" / "en" / "train.csv"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
        assert resolve("bundled:sentiment/en/train.csv") == file.resolve()
        with pytest.raises(DataError, match=r"did you mean 'train\.csv'"):
            resolve("bundled:sentiment/en/trian.csv")

    @pytest.mark.parametrize("name", ["../secret.csv", "a/../../secret.csv", "/etc/passwd", "link"])
    def test_bundled_stays_in_its_folder(self, tmp_path, monkeypatch, name):
        monkeypatch.setattr(files, "bundled_root", lambda: tmp_path)
        (tmp_path / "data").mkdir()
        (tmp_path / "secret.csv").write_bytes(b"x")
        (tmp_path / "data" / "link").symlink_to(tmp_path / "secret.csv")
        with pytest.raises(DataError, match="stays inside"):
            resolve(f"bundled:{name}")

    def test_sha256(self, write):
        content = os.urandom(3_000_000)
        assert sha256(write("a", content)) == hashlib.sha256(content).hexdigest()
        with pytest.raises(DataError, match="no such file"):
            sha256("no-such-file")


class TestLines:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("", []),
            ("\ufeff", []),
            ("a", ["a"]),
            ("a\n", ["a"]),
            ("\n", [""]),
            ("\na\n\nb", ["", "a", "", "b"]),
            ("a\r\nb\r\n", ["a", "b"]),
            ("a\nb\r", ["a", "b"]),
            ("\ufeffa\nb", ["a", "b"]),
            ("a\rb\nc", ["a\rb", "c"]),
            ("a\u2028b\x0b\x0c\x1c\x85c\n", ["a\u2028b\x0b\x0c\x1c\x85c"]),
        ],
    )
    def test_where_lines_end(self, write, content, expected):
        assert lines_of(write("a.txt", content)) == list(enumerate(expected, 1))

    @example(text="", block=1, encoding="utf-16", packed=True)
    @given(
        text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        block=st.integers(1, 9),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be"]),
        packed=st.booleans(),
    )
    def test_any_text_in_any_blocks(self, tmp_path_factory, text, block, encoding, packed):
        text = "x" + text.replace("\r\n", "\n").rstrip("\r") + "\n"
        path = tmp_path_factory.getbasetemp() / "any.txt"
        data = text.encode(encoding)
        path.write_bytes(gzip.compress(data) if packed else data)
        with mock.patch.object(files, "BLOCK", block):
            lines = lines_of(str(path), encoding=encoding)
            assert TextFile(str(path), encoding=encoding).read() == text
        assert lines == list(enumerate(text[:-1].replace("\r\n", "\n").split("\n"), 1))

    def test_old_mac_file_is_refused(self, write):
        error = refusal(write("a.txt", "a\rb\rc\r"))
        assert "old Mac" in error.message
        assert "tr " in error.hint

    def test_line_longer_than_the_limit(self, write, monkeypatch):
        monkeypatch.setattr(files, "MAX_LINE", 100)
        monkeypatch.setattr(files, "BLOCK", 16)
        longest = "x\n" + "a" * 100 + "\nx"
        assert [len(line) for _, line in lines_of(write("a.txt", longest))] == [1, 100, 1]
        for end in ("\n", ""):
            error = refusal(write("a.txt", "x\n" + "a" * 101 + end))
            assert (error.line, "a line of more than" in error.message) == (2, True)

    def test_endless_line_is_not_read_to_its_end(self, write, monkeypatch):
        monkeypatch.setattr(files, "MAX_LINE", 2**20)
        bomb = gzip.compress(bytes(50 * 2**20))
        with TextFile(write("a.gz", bomb)) as file, pytest.raises(DataError, match="a line of"):
            list(file)

    def test_fraction_grows_to_one(self, write):
        with TextFile(write("a.txt", "some words\n" * 200_000)) as file:
            seen = [file.fraction() for number, _ in file if number % 1000 == 0]
        assert all(a <= b for a, b in pairwise(seen))
        assert 0 < seen[0] < 0.3
        assert file.fraction() == 1.0

    def test_first_leaves_the_text_unread(self, write):
        with TextFile(write("a.txt", "\ufeff \n [1]\n")) as file:
            assert file.first() == b"["
            assert list(file) == [(1, " "), (2, " [1]")]
        with TextFile(write("a.txt", " \n")) as file:
            assert file.first() == b""

    def test_whole_text_is_bounded(self, write, monkeypatch):
        monkeypatch.setattr(files, "MAX_FILE", 1000)
        with TextFile(write("a.txt", "a\n" * 500)) as file:
            assert len(file.read()) == 1000
        with TextFile(write("a.txt", "a\n" * 501)) as file, pytest.raises(DataError, match="split"):
            file.read()


class TestEncodings:
    def test_cp949_is_suggested(self, write):
        path = write("a.csv", b"text\n" + HANGUL.encode("cp949"))
        error = refusal(path)
        assert (error.path, error.line) == (path, 2)
        assert '--set data.encoding="cp949"' in error.hint
        assert lines_of(path, encoding="cp949")[2] == (3, "최고의 배우들")

    def test_cp949_is_suggested_when_a_character_is_cut_at_the_sample_end(self, write):
        for shift in ("", "x"):
            error = refusal(write("a.csv", (shift + "가" * 50_000 + "\n").encode("cp949")))
            assert "cp949" in error.hint

    def test_cp949_late_in_an_ascii_file(self, write):
        error = refusal(write("a.csv", b"plain\n" * 50_000 + "좋다\n".encode("cp949")))
        assert (error.line, "cp949" in error.hint) == (50_001, True)

    def test_latin_1_is_suggested(self, write):
        error = refusal(write("a.csv", "ok\ncafé résumé\n".encode("latin-1")))
        assert (error.line, "latin-1" in error.hint) == (2, True)
        assert "byte 4" in error.message

    def test_a_damaged_utf_8_file_is_not_called_cp949(self, write):
        error = refusal(write("a.csv", HANGUL.encode() + b"\xea\xb0\n" + HANGUL.encode()))
        assert (error.line, "mend the line" in error.hint) == (3, True)

    def test_utf_8_is_suggested(self, write):
        error = refusal(write("a.csv", (HANGUL * 9000).encode()), encoding="ascii")
        assert '"utf-8"' in error.hint

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
    def test_utf_16(self, write, encoding):
        data = ("\ufeff" if encoding != "utf-16" else "").encode(encoding) + HANGUL.encode(encoding)
        path = write("a.csv", data)
        assert '--set data.encoding="utf-16"' in refusal(path).hint
        assert lines_of(path, encoding="utf-16") == lines_of(write("b.csv", HANGUL))
        assert lines_of(path, encoding=encoding) == lines_of(write("b.csv", HANGUL))

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf_16_without_mark(self, write, encoding):
        path = write("a.csv", "text,label\ngood,pos\n".encode(encoding))
        assert f'"{encoding}"' in refusal(path).hint
        assert lines_of(path, encoding=encoding)[1] == (2, "good,pos")

    @pytest.mark.parametrize("block", [1, 3, 2**18])
    def test_broken_utf_16_names_its_line(self, write, monkeypatch, block):
        monkeypatch.setattr(files, "BLOCK", block)
        data = "a\nb\nc\n".encode("utf-16-le")
        for bad in (data + b"\n\xdc", data + b"\n\xd8x\x00", data + b"x\x00\n"):
            error = refusal(write("a.csv", bad), encoding="utf-16-le")
            assert (error.line, error.message.endswith("not utf-16-le text")) == (4, True)

    def test_utf_8_mark_contradicts_the_encoding(self, write):
        error = refusal(write("a.csv", "\ufeffa"), encoding="cp949")
        assert '"utf-8"' in error.hint

    @pytest.mark.parametrize("name", ["utf-99", "", "hex", "rot13", "idna", "undefined", "a\0b"])
    def test_unknown_encoding(self, write, name):
        assert "cp949" in refusal(write("a.csv", "a"), encoding=name).hint

    @pytest.mark.parametrize("name", ["euc-kr", "johab", "iso2022_kr", "utf-7", "gb18030"])
    def test_other_encodings(self, write, name):
        lines = lines_of(write("a.csv", HANGUL.encode(name)), encoding=name)
        assert lines == list(enumerate(HANGUL.splitlines(), 1))

    def test_half_a_surrogate_pair_in_utf_7(self, write):
        assert refusal(write("a.csv", b"+2AA-\n"), encoding="utf-7").line == 1

    def test_nul(self, write):
        error = refusal(write("a.csv", b"a\nb\n\0c\n"))
        assert (error.line, "NUL" in error.message) == (3, True)

    @pytest.mark.parametrize("magic", [b"PK\x03\x04\x14\x00\x06\x00", b"PAR1\xff\x15\x04"])
    def test_binary_files_by_their_magic(self, write, magic):
        assert "save it as CSV" in refusal(write("a.csv", magic + b"\n")).hint

    def test_bad_lines_can_be_left_out(self, write):
        skipped: list[DataError] = []
        path = write("a.txt", b"a\n\xff\nb\n\0\n\0\xff\nc")
        with TextFile(path, bad_row=skipped.append) as file:
            assert list(file) == [(1, "a"), (3, "b"), (6, "c")]
        assert [error.line for error in skipped] == [2, 4, 5]

    def test_good_lines_come_before_the_error(self, write):
        with TextFile(write("a.txt", b"a\nb\n\xff\n")) as file:
            lines = iter(file)
            assert [next(lines), next(lines)] == [(1, "a"), (2, "b")]
            with pytest.raises(DataError, match=r"a\.txt:3: not utf-8 text"):
                next(lines)

    def test_a_file_of_bad_lines_is_looked_at_once(self, write, monkeypatch):
        look = mock.Mock(return_value="hint")
        monkeypatch.setattr(files, "encoding_hint", look)
        skipped: list[DataError] = []
        with TextFile(write("a.txt", b"\xff\n" * 50_000), bad_row=skipped.append) as file:
            assert list(file) == []
        assert (len(skipped), look.call_count) == (50_000, 1)

    def test_the_sample_grows_beyond_the_first_bytes(self, write):
        error = refusal(write("a.txt", b"a\n\n" + HANGUL.encode("cp949") + b"\xff\n"))
        assert (error.line, "cp949" in error.hint) == (3, False)
