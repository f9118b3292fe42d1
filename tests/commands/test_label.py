"""label: one key a label, on disk at once; undo, put off, go on; nothing is asked or lost twice."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import Ear

from bertft.console.labelling import KEYS, Labelling
from bertft.errors import BertftError
from bertft.selection.sheet import LabelRequest, open_sheet

TEXTS = ["a good film", 'slow, "dull"', "영화 정말 좋다", "never\nagain", "fun"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    import csv

    path = tmp_path / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([["no", "review"], *enumerate(TEXTS, start=7)])
    return path


@pytest.fixture
def keys(command, monkeypatch):
    """Runs label with these keys typed."""

    def call(typed: str, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code, _, err = command("label", *arguments)
        return code, err

    return call


def rows(path: Path) -> list[dict[str, str]]:
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def labels(path: Path, column: str = "label") -> dict[str, str]:
    return {row["review"]: row[column] for row in rows(path)}


def test_one_key_a_label_and_the_columns_stay(keys, file, tmp_path):
    code, err = keys("1212q", "in.csv", "--labels", "good,bad")
    assert code == 0, err
    assert rows(tmp_path / "in.labelled.csv") == [
        {"no": str(number), "review": text, "label": label}
        for number, (text, label) in enumerate(
            zip(TEXTS, ["good", "bad", "good", "bad"], strict=False), start=7
        )
    ]
    assert "4 new labels, 1 left: in.labelled.csv" in err


def test_undo_later_and_keys_that_are_none(keys, file, tmp_path):
    _, err = keys("1uxs2", "in.csv", "--labels", "good,bad")
    assert labels(tmp_path / "in.labelled.csv") == {TEXTS[1]: "bad"}
    assert "no label 'x'" in err
    assert "there is no label to take back" in keys("u", "in.csv", "--labels", "a,b",
                                                    "--out", "other.csv")[1]  # fmt: skip


def test_the_same_command_goes_on(keys, file, tmp_path):
    keys("12", "in.csv", "--labels", "good,bad")
    _, err = keys("1", "in.csv", "--labels", "good,bad")
    assert "goes on after 2 labels" in err
    assert labels(tmp_path / "in.labelled.csv") == {
        TEXTS[0]: "good", TEXTS[1]: "bad", TEXTS[2]: "good",
    }  # fmt: skip
    (tmp_path / "other.csv").write_text("no,review\n1,others\n", encoding="utf-8")
    code, err = keys("1", "other.csv", "--labels", "good,bad", "--out", "in.labelled.csv")
    assert code == 2
    assert "in.labelled.csv:2: a row that is none of those to label" in err


def test_enter_takes_what_the_model_says_and_labels_of_the_file_count(keys, tmp_path):
    (tmp_path / "in.csv").write_text(
        "review,label,predicted_label,probability\na,good,bad,0.6\nb,,bad,0.7\nc,,,\n",
        encoding="utf-8",
    )
    code, err = keys("\n\n2", "in.csv")
    assert code == 0, err
    assert labels(tmp_path / "in.labelled.csv") == {"a": "good", "b": "bad", "c": "good"}
    assert "in.csv: 1 row with a label already" in err


def test_the_labels_of_a_run(keys, run, file, tmp_path):
    keys("1", "in.csv", "--run", "run")
    assert labels(tmp_path / "in.labelled.csv") == {TEXTS[0]: "bad"}


def test_several_labels_are_toggled(keys, file, tmp_path):
    keys("13\n\n121\n", "in.csv", "--labels", "a,b,c", "--several")
    assert list(labels(tmp_path / "in.labelled.csv").values()) == ["a|c", "", "b"]
    assert "goes on after 3 labels" in keys("", "in.csv", "--labels", "a,b,c", "--several")[1]


def test_what_is_labelled_is_what_train_reads(keys, command, file):
    keys("12121", "in.csv", "--labels", "good,bad")
    code, out, err = command("check", "sentiment", "--train", "in.labelled.csv")
    assert code == 2, err  # for the Korean text, which minilm cannot read
    assert "good 3, bad 2" in out + err


def test_with_many_labels_names_are_typed(file, ear: Ear):
    names = tuple(f"label {n:02}" for n in range(len(KEYS) + 1))
    sheet = open_sheet(LabelRequest(file=str(file), labels=names), watch=ear)
    typed = iter(["label 07", "LABEL 1", "u", "label 12", "q"])
    asking = Labelling(sheet, read_key=lambda: "", read_line=lambda: next(typed))
    asking.run()
    assert sheet.given == {0: ("label 12",)}
    assert asking.new == 1


def test_nothing_to_choose_from(file, ear: Ear):
    with pytest.raises(BertftError, match="no labels to choose from"):
        open_sheet(LabelRequest(file=str(file)), watch=ear)
    with pytest.raises(BertftError, match="parts several labels"):
        open_sheet(LabelRequest(file=str(file), labels=("a|b", "c"), several=True), watch=ear)


@given(typed=st.text(alphabet="12us\nx", max_size=25))
def test_the_file_is_what_was_decided_whatever_is_typed(typed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("label")
    path = folder / "in.txt"
    path.write_text("\n".join("abc") + "\n", encoding="utf-8")
    request = LabelRequest(file=str(path), labels=("good", "bad"))
    sheet = open_sheet(request, watch=Ear())
    keys = iter([*typed])
    Labelling(sheet, read_key=lambda: next(keys, "")).run()
    again = open_sheet(request, watch=Ear())
    assert again.given == sheet.given
    assert list(again.given) == list(sheet.given)


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("in.csv", "in.csv: is the file to label"),
        ("nowhere/out.csv", "nowhere/out.csv: cannot be written; there is no folder nowhere"),
        (".", ".: is a folder, not a file"),
    ],
)
def test_labels_that_cannot_be_kept_are_not_asked_for(keys, file, out, told):
    before = file.read_bytes()
    code, err = keys("1", "in.csv", "--labels", "good,bad", "--out", out)
    assert (code, told in err, "1 good" in err) == (2, True, False), err
    assert file.read_bytes() == before


def test_a_label_taken_away_by_hand_is_asked_for_again(keys, file, tmp_path):
    out = tmp_path / "in.labelled.csv"
    keys("12", "in.csv", "--labels", "good,bad")
    out.write_text(out.read_text(encoding="utf-8").replace("good film,good", "good film,"),
                   encoding="utf-8")  # fmt: skip
    code, err = keys("2", "in.csv", "--labels", "good,bad")
    assert (code, "1 row without a label: asked for again" in err) == (0, True), err
    assert labels(out) == {TEXTS[0]: "bad", TEXTS[1]: "bad"}
    assert "3 bad" not in err
    assert "3 \n" not in err


def test_rows_that_cannot_be_used_are_named(keys, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{oops\n', encoding="utf-8")
    _, err = keys("", "in.jsonl", "--labels", "good,bad")
    assert "1 row cannot be used: left out; the first is 2: not valid JSON" in err


def test_one_label_is_named(file, ear: Ear):
    with pytest.raises(BertftError, match="one label, 'good', is no choice"):
        open_sheet(LabelRequest(file=str(file), labels=("good",)), watch=ear)
