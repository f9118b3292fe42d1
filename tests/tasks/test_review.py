"""What a person confirmed in a review file: found again by id or line and text, or refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bertft.errors import DataError, RecipeError
from bertft.loaders.tagged import TaggedText
from bertft.spans import Entity
from bertft.tasks import make_task
from bertft.tasks.review import apply_corrections, check_free, review_rows, write_review
from bertft.tasks.suspects import Suspect
from bertft.tasks.text_rows import TextExample

EXAMPLES = [
    TextExample("2", 2, "a good film", None, ("bad",)),
    TextExample("3", 3, 'it was "great",\nreally', None, ("good",)),
    TextExample("4", 4, "최악의 영화", None, ("good",)),
    TextExample("5", 5, "a good film", None, ("good",)),
]
SUSPECTS = [Suspect(0, "bad", "good", 0.1, 0.9), Suspect(2, "good", "bad", 0.2, 0.8),
            Suspect(1, "good", "bad", 0.3, 0.7)]  # fmt: skip
TASK = make_task({"name": "classification", "label_aliases": {"+": "good"}})


def fill(path: Path, *corrected: str, **changes: str) -> str:
    """What a person does: the first rows' ``corrected``; of the first row other columns, too."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, name in zip(rows, corrected, strict=False):
        row["corrected"] = name
    rows[0] |= changes
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_review(review_rows(EXAMPLES, SUSPECTS), str(tmp_path / "review.csv"))
    return tmp_path / "review.csv"


def golds(examples):
    return [one.gold[0] for one in examples]


class TestFile:
    def test_it_is_written_for_a_spreadsheet(self, path):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows[0] == {
            "id": "2", "line": "2", "text": "a good film", "given": "bad", "suggested": "good",
            "score": "0.1", "probability": "0.9", "corrected": "",
        }  # fmt: skip
        assert rows[2]["text"] == EXAMPLES[1].text

    def test_what_somebody_has_reviewed_is_not_overwritten(self, path):
        with pytest.raises(DataError, match="may hold what somebody has reviewed"):
            check_free(str(path))
        with pytest.raises(DataError, match="cannot be written"):
            write_review([], str(path))

    def test_pairs_and_entities_have_their_columns(self):
        pair = TextExample("1", 1, "premise", "hypothesis", ("neutral",))
        text = TaggedText("1", 1, "Anna met Rob", None, (Entity(0, 4, "PER"),))
        (row,) = review_rows([pair], [Suspect(0, "a", "b", 0.1, 0.9)])
        assert row["text_pair"] == "hypothesis"
        (row,) = review_rows([text], [Suspect(0, "O", "PER", 0.1, 0.9, (9, 12))])
        assert (row["start"], row["end"], row["entity"]) == (9, 12, "Rob")


class TestLabels:
    def apply(self, file, task=TASK, examples=EXAMPLES):
        said: list[str] = []
        return apply_corrections(task, examples, file, tell=said.append), said

    def test_filled_rows_alone_are_applied_and_counted(self, path):
        found, said = self.apply(fill(path, "good", "", "good"))
        assert golds(found) == ["good", "good", "good", "good"]
        assert said == [
            f"data.corrections: 1 label corrected, 1 confirmed as they are; 3 rows in {path}"
        ]
        assert golds(EXAMPLES) == ["bad", "good", "good", "good"]

    def test_an_alias_is_a_label(self, path):
        found, said = self.apply(fill(path, "+"))
        assert found[0].gold == ("+",)
        assert "1 label corrected;" in said[0]

    def test_of_equal_texts_the_id_tells_which(self, path):
        found, _ = self.apply(fill(path, "good"))
        assert found[3] is EXAMPLES[3]

    def test_a_line_serves_where_the_id_was_lost(self, path):
        found, _ = self.apply(fill(path, "good", id=""))
        assert golds(found)[0] == "good"

    def test_line_ends_of_a_spreadsheet_do_not_matter(self, path):
        file = fill(path, "", "", "bad")
        Path(file).write_bytes(Path(file).read_bytes().replace(b'",\nreally', b'",\r\nreally'))
        found, _ = self.apply(file)
        assert golds(found)[1] == "bad"

    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"corrected": "goood"}, r"review\.csv:2: label 'goood' is none of .*did you mean"),
            ({"text": "another film"}, r"review\.csv:2: no training row has id 2 and this text;"),
            ({"id": "9", "line": "9"}, r"review\.csv:2: no training row has id 9 and this text \("),
        ],
    )
    def test_what_does_not_fit_is_refused_with_its_line(self, path, changes, what):
        with pytest.raises(DataError, match=what):
            self.apply(fill(path, "good", **changes))

    def test_two_answers_for_one_row(self, path):
        path.write_text("id,text,corrected\n2,a good film,good\n2,a good film,bad\n")
        with pytest.raises(DataError, match=r"review\.csv:3: corrected twice"):
            self.apply(str(path))

    def test_a_file_without_the_column(self, path):
        path.write_text("id,text\n2,a good film\n")
        with pytest.raises(DataError, match=r"no column 'corrected'; it is the file of"):
            self.apply(str(path))

    def test_a_set_of_labels(self, tmp_path):
        task = make_task({"name": "classification", "multi_label": True})
        examples = [TextExample("1", 1, "x", None, ("a", "b")), TextExample("2", 2, "y", None, ())]
        file = tmp_path / "review.csv"
        file.write_text("id,text,corrected\n1,x,(none)\n2,y,b | a\n")
        found, said = self.apply(str(file), task, examples)
        assert [one.gold for one in found] == [(), ("b", "a")]
        assert "2 labels corrected" in said[0]

    def test_tasks_without_labels_are_refused(self, path):
        with pytest.raises(RecipeError, match=r"data\.corrections does not apply to qa"):
            self.apply(str(path), make_task({"name": "qa"}), [])


class TestEntities:
    TEXT = TaggedText(
        "1", 1, "Anna Bell met Rob", None, (Entity(0, 4, "PER"), Entity(14, 17, "LOC"))
    )

    def apply(self, tmp_path, *rows):
        file = tmp_path / "review.csv"
        lines = [f"1,Anna Bell met Rob,{row}" for row in rows]
        file.write_text("\n".join(["id,text,start,end,corrected", *lines]))
        task = make_task({"name": "ner"})
        (found,) = apply_corrections(task, [self.TEXT], str(file), tell=lambda _: None)
        return [(one.start, one.end, one.label) for one in found.entities]

    @pytest.mark.parametrize(
        ("rows", "entities"),
        [
            (["14,17,PER"], [(0, 4, "PER"), (14, 17, "PER")]),
            (["14,17,O"], [(0, 4, "PER")]),
            (["0,9,PER"], [(0, 9, "PER"), (14, 17, "LOC")]),
            (["10,13,LOC"], [(0, 4, "PER"), (10, 13, "LOC"), (14, 17, "LOC")]),
            (["0,9,PER", "14,17,PER"], [(0, 9, "PER"), (14, 17, "PER")]),
        ],
    )
    def test_it_takes_the_place_of_what_is_given_there(self, tmp_path, rows, entities):
        assert self.apply(tmp_path, *rows) == entities

    @pytest.mark.parametrize("row", ["14,18,PER", "-1,3,PER", "x,3,PER", "3,3,PER", ",,PER"])
    def test_places_outside_the_text_are_refused(self, tmp_path, row):
        with pytest.raises(DataError, match=r"review\.csv:2: start and end"):
            self.apply(tmp_path, row)

    def test_an_unknown_type_is_refused(self, tmp_path):
        with pytest.raises(DataError, match=r"review\.csv:2: entity type 'PERS' is none of"):
            self.apply(tmp_path, "14,17,PERS")
