"""Tables as people have them: what is recognised about encoding, separator, header and columns."""

from __future__ import annotations

import pytest

from bertft.errors import DataError
from bertft.loaders.encoding_guess import guess
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks.classification import Classification
from bertft.tasks.classification_options import read_options

ROWS = [
    ("배송이 정말 빨라서 좋았습니다", "긍정"),
    ("제품이 깨져서 왔어요. 환불해 주세요", "부정"),
    ("색이 예쁘고 튼튼합니다", "긍정"),
    ("두 번 다시 사지 않겠습니다", "부정"),
    ("가격에 비해 품질이 좋아요", "긍정"),
]
WESTERN = "text;label\nTrès bon café;positif\nLe garçon était lent;négatif\n"


def table(header: str, *, mark: str = ",") -> str:
    lines = [header] * bool(header) + [mark.join(row) for row in ROWS]
    return "\n".join(lines) + "\n"


def read(path: str, *, gold: bool = True):
    """(text, label) of each row, and the notes about the file."""
    source = Source(path, data=DataSettings(), gold=gold)
    examples = list(Classification(read_options({})).read(source))
    return [(one.text, *one.names) for one in examples], source.meter.notes


class TestColumns:
    @pytest.mark.parametrize(
        "header",
        ["text,label", "TEXT,Label", "리뷰,평가", "내용,감정", "문장,레이블", "본문,라벨",
         "고객의견,평가", "고객 의견,긍부정", "댓글,감성", "comment,verdict", "review,rating",
         "Review Text,Sentiment", "review_body,stars", "의견,분류"],
    )  # fmt: skip
    def test_usual_names_are_taken_silently(self, write, header):
        assert read(write("a.csv", table(header))) == (ROWS, [])

    @pytest.mark.parametrize(
        "header", ["customer comment,verdict", "고객리뷰,평가", "words,sign", "말,값"]
    )
    def test_what_is_guessed_is_said(self, write, header):
        text, label = header.split(",")
        found, (note,) = read(write("a.csv", table(header)))
        assert found == ROWS
        assert note.startswith(f"column '{text}' is read as the text, '{label}' as the label")
        assert f'task.label_column="{label}"' in note

    def test_a_second_usual_name_is_said(self, write):
        rows = [f"a review {n},its comment {n},{n % 2},{'ab'[n % 2]}" for n in range(8)]
        path = write("a.csv", "\n".join(["review,comment,category,sentiment", *rows]) + "\n")
        found, (note,) = read(path)
        assert found[1] == ("a review 1", "1")
        said = "column 'review' is read as the text, 'category' as the label"
        assert note.startswith(f"{said}, not 'comment' and 'sentiment' (--set task.text_column=")
        _, (note,) = read(path, gold=False)
        assert note.startswith("column 'review' is read as the text, not 'comment' (--set")

    @pytest.mark.parametrize("header", ["text,comment,label,rating", "review,title,label,stars"])
    def test_other_usual_names_that_leave_no_doubt(self, write, header):
        """``text`` and ``label`` are clear; a short title is no text, many stars are no label."""
        rows = [f"a longer review {n},t {n // 4},{'ab'[n % 2]},{n}" for n in range(8)]
        assert read(write("a.csv", "\n".join([header, *rows]) + "\n"))[1] == []

    def test_label_before_text(self, write):
        lines = "\n".join(f"{label},{text}" for text, label in ROWS)
        assert read(write("a.csv", f"a,b\n{lines}\n"))[0] == ROWS

    def test_both_missing_names_are_in_one_message(self, write):
        with pytest.raises(DataError) as caught:
            read(write("a.csv", "a,b,c\n1,x,2\n"))
        assert "no column for the text (text, " in str(caught.value)
        assert "and none for the label (label, " in str(caught.value)
        named = "--set task.text_column=NAME --set task.label_column=NAME; columns here: a, b, c"
        assert named in str(caught.value)

    def test_two_columns_of_texts_are_refused(self, write):
        rows = "\n".join(f"a longer text {n},another text {n}" for n in range(9))
        with pytest.raises(DataError, match="columns here: a, b"):
            read(write("a.csv", f"a,b\n{rows}\n"))

    def test_rows_of_two_texts_are_a_warning(self, write):
        source = Source(write("a.csv", "premise,hypothesis,label\na b,c d,x\n"), DataSettings())
        list(Classification(read_options({})).read(source))
        (warning,) = source.meter.warnings
        assert warning.startswith("the rows have two texts ('premise', 'hypothesis')")


class TestShape:
    @pytest.mark.parametrize("mark", [";", "\t", "|"])
    def test_separators_are_used_and_said(self, write, mark):
        found, (note,) = read(write("a.csv", table(f"text{mark}label", mark=mark)))
        assert found == ROWS
        assert "cells are divided by" in note

    def test_a_missing_header_is_noticed(self, write):
        found, notes = read(write("a.csv", table("")))
        assert found == ROWS
        assert "the first line is data" in notes[0]

    @pytest.mark.parametrize("header", ["text,label", "What did you think?,Your verdict"])
    def test_a_header_is_one(self, write, header):
        assert read(write("a.csv", table(header)))[0] == ROWS


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["cp949", "euc-kr", "utf-16", "utf-16-le", "utf-16-be"])
    def test_korean(self, write, encoding):
        found, (note,) = read(write("a.csv", table("리뷰,평가").encode(encoding)))
        assert found == ROWS
        assert note.startswith("read as ")

    def test_western(self, write):
        found, notes = read(write("a.csv", WESTERN.encode("cp1252")))
        assert found[0] == ("Très bon café", "positif")
        assert notes[0].startswith("read as cp1252")

    def test_utf_8_is_not_mentioned(self, write):
        assert read(write("a.csv", table("text,label")))[1] == []
        assert read(write("a.csv", table("text,label").encode("utf-8-sig")))[1] == []

    @pytest.mark.parametrize(
        ("text", "encoding"),
        [
            ("Очень хороший фильм\n", "cp1251"),
            ("这个产品很好,我非常喜欢\n再也不买了,质量太差\n", "gb18030"),
            ("とても良い製品です。買って良かった\n", "shift_jis"),
            ("とても良い製品です。買って良かった\n", "euc_jp"),
            ("Dobry żółty płaszcz\nŹle uszyty\n", "cp1250"),
        ],
    )
    def test_others_are_not_taken_for_what_they_are_not(self, write, text, encoding):
        assert guess(text.encode(encoding))[0] == ""
        with pytest.raises(DataError, match=r"a\.csv:2: not utf-8 text .*--set data\.encoding="):
            read(write("a.csv", b"text\n" + text.encode(encoding)), gold=False)

    def test_a_nul_in_plain_text_is_no_utf_16(self):
        assert guess(b'{"text": "a fine film"}\n{"text": "b\0d"}\n') == ("", "")

    def test_a_fault_further_on_is_told_by_its_line(self, write):
        data = table("text,label").encode("cp949") + b"\xff\xff,x\n"
        with pytest.raises(DataError, match=r"a\.csv:7: not cp949 text"):
            read(write("a.csv", data))
