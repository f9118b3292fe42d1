"""Classification, rows to Examples to labels: columns, spellings, order, and what is refused."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bertft.errors import DataError, RecipeError
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.tasks.classification import Classification, TextExample


def task(**options: object) -> Classification:
    made = make_task({"name": "classification", **options})
    assert isinstance(made, Classification)
    return made


def save(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def save_rows(path: Path, *rows: dict[str, object]) -> str:
    """JSON lines; NaN is written as Python and pandas write it."""
    return save(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read(made: Classification, path: str, *, gold: bool = True) -> list[TextExample]:
    return list(made.read(Source(path, data=DataSettings(), gold=gold)))


def labelled(*labels: str) -> list[TextExample]:
    return [TextExample(str(n), n, "text", None, (label,)) for n, label in enumerate(labels, 2)]


class TestColumns:
    @pytest.mark.parametrize(
        "header",
        ["text,label", "sentence,label", "document,category", "Review,SENTIMENT", "label,text"],
    )
    def test_usual_names_in_any_case_and_order(self, tmp_path, header):
        cells = {"label": "L", "category": "L", "sentiment": "L"}
        row = ",".join(cells.get(name.casefold(), "a film") for name in header.split(","))
        (one,) = read(task(), save(tmp_path / "a.csv", f"{header}\n{row}\n"))
        assert (one.text, one.gold, one.line, one.id) == ("a film", ("L",), 2, "2")

    def test_text_is_preferred_to_the_other_names(self, tmp_path):
        path = save(tmp_path / "a.csv", "review,text,target,label\nno,yes,no,yes\n")
        (one,) = read(task(), path)
        assert (one.text, one.gold) == ("yes", ("yes",))

    def test_named_columns(self, tmp_path):
        path = save(tmp_path / "a.csv", "text,label,본문,답\nno,no,yes,ja\n")
        (one,) = read(task(text_column="본문", label_column="답"), path)
        assert (one.text, one.gold) == ("yes", ("ja",))

    def test_a_named_column_that_is_not_there(self, tmp_path):
        path = save(tmp_path / "a.csv", "titel,label\na,b\n")
        with pytest.raises(
            DataError, match=r"a\.csv:1: no column 'title' for the text; .*'titel'\?"
        ):
            read(task(text_column="title"), path)

    @pytest.mark.parametrize(
        ("header", "what"), [("words,label", "text"), ("text,weight", "label"), ("text", "label")]
    )
    def test_missing_columns_are_told_with_those_found(self, tmp_path, header, what):
        path = save(tmp_path / "a.csv", f"{header}\n{header}\n")
        with pytest.raises(DataError) as caught:
            read(task(), path)
        assert str(caught.value).startswith(f"{path}:1: no column for the {what} (")
        assert f"--set task.{what}_column=NAME" in caught.value.hint
        assert caught.value.hint.endswith(f"columns here: {header.replace(',', ', ')}")

    def test_no_label_column_is_needed_to_predict(self, tmp_path):
        path = save(tmp_path / "a.csv", "id,text\nx9,a film\n")
        (one,) = read(task(), path, gold=False)
        assert (one.id, one.text, one.gold) == ("x9", "a film", None)

    def test_label_columns_are_not_read_to_predict(self, tmp_path):
        path = save_rows(tmp_path / "a.jsonl", {"text": "a", "label": None})
        assert read(task(), path, gold=False)[0].gold is None


class TestRows:
    def test_ids_are_the_file_s_own_or_line_numbers(self, tmp_path):
        path = save(tmp_path / "a.csv", 'idx,text,label\n7,"a\nb",x\n8,c,y\n')
        assert [(one.id, one.line) for one in read(task(), path)] == [("7", 2), ("8", 4)]

    def test_texts_are_untouched(self, tmp_path):
        text = "  A “film” \u1112\u1161\u11ab\u200b "
        path = save_rows(tmp_path / "a.jsonl", {"text": text, "label": "x"})
        assert read(task(), path)[0].text == text

    @pytest.mark.parametrize("empty", ['""', '" \\t"', "null", "NaN"])
    def test_empty_texts_are_refused_with_their_line(self, tmp_path, empty):
        lines = '{"text": "a", "label": "x"}\n{"text": ' + empty + ', "label": "x"}\n'
        path = save(tmp_path / "a.jsonl", lines)
        with pytest.raises(DataError, match=r"a\.jsonl:2: the text \(column 'text'\) is empty"):
            read(task(), path)

    def test_empty_texts_are_refused_when_predicting_too(self, tmp_path):
        path = save(tmp_path / "a.csv", 'id,text\n7,a\n8,""\n')
        with pytest.raises(DataError, match=r"a\.csv:3: the text .* is empty") as caught:
            read(task(), path, gold=False)
        assert (caught.value.code, caught.value.row) == ("empty-text", "8")

    @pytest.mark.parametrize("wrong", [["a", "b"], {"en": "a"}])
    def test_nested_texts_are_refused(self, tmp_path, wrong):
        path = save_rows(tmp_path / "a.jsonl", {"text": wrong, "label": "x"})
        with pytest.raises(DataError, match=r":1: the text .* is (list|dict), not text"):
            read(task(), path)

    def test_numbers_are_texts_too(self, tmp_path):
        path = save_rows(tmp_path / "a.jsonl", {"text": 12, "label": "x"})
        assert read(task(), path)[0].text == "12"

    def test_rows_left_out_are_reported_each(self, tmp_path):
        path = save(tmp_path / "a.csv", "text,label\na,x\n,x\nb,\nc,y\n")
        faults: list[DataError] = []
        source = Source(path, data=DataSettings(), bad_row=faults.append)
        assert [one.line for one in task().read(source)] == [2, 5]
        assert [(fault.line, fault.path) for fault in faults] == [(3, path), (4, path)]
        assert all("--on-bad-row skip" in fault.hint for fault in faults)


class TestLabelSpellings:
    @pytest.mark.parametrize("spelling", [1, 1.0, "1", " 1 "])
    def test_one_is_one(self, tmp_path, spelling):
        path = save_rows(tmp_path / "a.jsonl", {"text": "a", "label": spelling})
        assert read(task(), path)[0].gold == ("1",)

    def test_integers_with_gaps_come_back_as_floats_from_parquet(self, tmp_path):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"text": ["a", "b"], "label": [0.0, 2.0]}), tmp_path / "a.parquet")
        assert [one.gold for one in read(task(), str(tmp_path / "a.parquet"))] == [("0",), ("2",)]

    @pytest.mark.parametrize(("value", "name"), [(1.5, "1.5"), (True, "true"), (-0.0, "0")])
    def test_other_values(self, tmp_path, value, name):
        path = save_rows(tmp_path / "a.jsonl", {"text": "a", "label": value})
        assert read(task(), path)[0].gold == (name,)

    def test_names_are_composed(self, tmp_path):
        path = save_rows(tmp_path / "a.jsonl", {"text": "a", "label": "\u1100\u1173\u11bc"})
        assert read(task(), path)[0].gold == ("긍",)

    @pytest.mark.parametrize("missing", ["null", "NaN", '""', '"  "'])
    def test_missing_labels_are_refused_with_their_line(self, tmp_path, missing):
        path = save(tmp_path / "a.jsonl", '{"text": "a", "label": ' + missing + "}\n")
        with pytest.raises(DataError, match=r"a\.jsonl:1: the label is missing; fix the row"):
            read(task(), path)

    def test_several_labels_need_the_option(self, tmp_path):
        path = save_rows(tmp_path / "a.jsonl", {"text": "a", "label": ["x", "y"]})
        with pytest.raises(DataError, match=r":1: the label is a list; .*multi_label=true"):
            read(task(), path)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (["joy", "love"], ("joy", "love")),
            ([3, 1.0, "1"], ("3", "1")),
            ([], ()),
            (None, ()),
            ("", ()),
            ("joy|love", ("joy", "love")),
            (" joy | | joy ", ("joy",)),
            (5, ("5",)),
            ("a,b", ("a,b",)),
        ],
    )
    def test_multi_label(self, tmp_path, value, expected):
        path = save_rows(tmp_path / "a.jsonl", {"text": "a", "label": value})
        assert read(task(multi_label=True), path)[0].gold == expected

    def test_multi_label_with_another_separator(self, tmp_path):
        path = save(tmp_path / "a.tsv", "text\tlabels\na\t3,10\nb\t\n")
        found = read(task(multi_label=True, label_separator=","), path)
        assert [one.gold for one in found] == [("3", "10"), ()]

    def test_multi_label_with_a_hole_in_the_list(self, tmp_path):
        path = save_rows(tmp_path / "a.jsonl", {"text": "a", "label": ["x", None]})
        with pytest.raises(DataError, match=":1: the label is missing"):
            read(task(multi_label=True), path)


names = st.lists(st.text(min_size=1, max_size=6), min_size=2, max_size=12, unique=True)


class TestLabelOrder:
    def test_numbers_by_value_then_names(self):
        found = task().learn_labels(labelled("b", "10", "a", "9", "-1", "B", "9" * 5000), path="x")
        assert found.labels == ("-1", "9", "10", "9" * 5000, "B", "a", "b")

    @given(names, st.randoms(use_true_random=False))
    def test_the_order_of_the_rows_does_not_matter(self, drawn, shuffler: random.Random):
        drawn = [name for name in drawn if name != "oos"]  # no label: out of scope
        assume(len(drawn) > 1)
        rows = labelled(*drawn, *drawn[:3])
        first = task().learn_labels(rows, path="x").labels
        shuffler.shuffle(rows)
        assert task().learn_labels(rows, path="x").labels == first
        assert sorted(first) == sorted(drawn)

    def test_declared_names_keep_their_order_even_if_absent(self):
        made = task(label_names=["zero", "one", "two"]).learn_labels(labelled("1", "0"), path="x")
        assert made.labels == ("zero", "one", "two")

    @pytest.mark.parametrize("options", [{}, {"label_names": ["a", "b"]}])
    def test_one_class_only_is_refused(self, options):
        with pytest.raises(DataError, match=r"^f\.csv: all rows have the same label \(a\); add"):
            task(**options).learn_labels(labelled("a", "a"), path="f.csv")

    def test_multi_label_needs_some_label(self):
        rows = [TextExample("1", 2, "text", None, ())]
        with pytest.raises(DataError, match=r"^f\.csv: no row has a label"):
            task(multi_label=True).learn_labels(rows, path="f.csv")

    def test_names_given_twice_are_refused(self):
        with pytest.raises(RecipeError, match=r"\[task\]: label_names has '긍' twice"):
            task(label_names=["긍", "\u1100\u1173\u11bc"])


class TestAliases:
    ALIASES = {"0": "negative", "1": "positive", "neg": "negative"}  # noqa: RUF012

    @pytest.mark.parametrize(
        "found", [("0", "1"), ("neg", "1"), ("negative", "positive"), ("0", "neg", "1")]
    )
    def test_are_used_when_they_cover_all(self, found):
        made = task(label_aliases=self.ALIASES)
        rows = labelled(*found)
        bound = made.learn_labels(rows, path="x")
        assert bound.labels == ("negative", "positive")
        assert [ids for (ids,) in bound.gold_ids(rows)] == [
            int(name in ("1", "positive")) for name in found
        ]

    def test_what_no_alias_names_stays_and_what_is_renamed_is_said(self):
        rows = labelled("1", "2", "3")
        bound = task(label_aliases=self.ALIASES).learn_labels(rows, path="x")
        assert bound.labels == ("2", "3", "positive")
        assert bound.gold_ids(rows) == [[2], [0], [1]]
        said = "labels are read by task.label_aliases: 1 as positive"
        assert bound.check(rows, path="x") == [said]

    def test_spelled_otherwise_than_the_data(self):
        decomposed = {"\u1100\u1173\u11bc": "positive", "부": "negative"}
        bound = task(label_aliases=decomposed).learn_labels(labelled("긍", "부"), path="x")
        assert bound.labels == ("negative", "positive")


class TestCheck:
    def test_unknown_labels_have_a_line_and_the_nearest_name(self):
        bound = task().bind(["negative", "positive"], {})
        message = "f.csv:3: label 'positiv' is none of the model's 2 labels; "
        message += "did you mean 'positive'? name it with --set "
        message += """'task.label_aliases={"positiv" = "LABEL"}'. Labels: negative, positive"""
        with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
            bound.check(labelled("positive", "positiv"), path="f.csv")

    def test_where_none_is_near_all_are_listed_once(self):
        with pytest.raises(DataError, match=r"\. Labels: negative, positive$"):
            task().bind(["negative", "positive"], {}).check(labelled("x"), path="f")

    def test_numbers_stand_for_declared_names_only(self):
        declared = task(label_names=["no", "yes"]).bind(["no", "yes"], {})
        declared.check(labelled("0", "1", "yes"), path="f")
        assert declared.gold_ids(labelled("1", "yes", "0")) == [[1], [1], [0]]
        for made, label in ((declared, "2"), (task().bind(["no", "yes"], {}), "1")):
            with pytest.raises(DataError, match=f"label '{label}'"):
                made.check(labelled(label), path="f")

    def test_names_that_are_numbers_win_over_positions(self):
        bound = task(label_names=["1", "0"]).bind(["1", "0"], {})
        assert bound.gold_ids(labelled("0", "1")) == [[1], [0]]


def test_plain_text_needs_no_column_of_the_training_data(tmp_path: Path) -> None:
    """A model trained with ``task.text_column=body`` answers a text file all the same."""
    notes = tmp_path / "notes.txt"
    notes.write_text("a good film\n", encoding="utf-8")
    task = make_task({"name": "classification", "text_column": "body"})
    (example,) = task.read(Source(str(notes), data=DataSettings(), gold=False))
    assert example.text == "a good film"
