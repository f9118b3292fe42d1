"""check --labels: planted errors are found and written down; data.corrections puts them right."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from samples import BAD, FAST, GOOD, Command, set_flags, write_csv
from stopping import resume, sending

from bertft.commands.train import train
from bertft.errors import RunError
from bertft.runs.stored import read_environment

LEARN = ("training.epochs=30", "training.learning_rate=0.02", "model.max_length=32",
         "training.precision=fp32", "training.device=cpu", "training.layer_decay=1")  # fmt: skip
FLIPPED = {2: "bad", 21: "good"}
"""Lines whose label is wrong."""
WORDS = ("the", "a", "an", "is", "was", "it", "this", "that", "film", "movie", "food", "plot")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Texts that tell good from bad in two words, each of them different."""
    names = ("film", "movie", "food", "plot", "sad plot", "slow film", "dull movie", "fun food")
    rows = [(f"{kind} {who} {name}", kind) for name in names for who in ("we", "they")
            for kind in ("good", "bad")]  # fmt: skip
    rows = [(text, FLIPPED.get(line, label)) for line, (text, label) in enumerate(rows, start=2)]
    assert {line: rows[line - 2][1] for line in FLIPPED} == FLIPPED
    return write_csv(tmp_path / "train.csv", rows)


@pytest.fixture
def check(command: Command, tiny: Path, data: Path):
    def run(*arguments: str, recipe: str = "sentiment") -> tuple[int, str, str]:
        flags = ["--train", str(data), "--model", str(tiny), *set_flags(*LEARN)]
        return command("check", recipe, *flags, "--labels", *arguments)

    return run


def rows_of(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


class TestSuspects:
    def test_planted_flips_come_first(self, check):
        code, out, err = check("--json")
        assert code == 0
        told = json.loads(out)["label_errors"]
        assert (told["rows"], told["file"]) == (32, "sentiment-suspects.csv")
        assert {one["line"] for one in told["suspects"][:2]} == set(FLIPPED)
        rows = rows_of(told["file"])
        assert [int(row["line"]) for row in rows] == [one["line"] for one in told["suspects"]]
        assert {row["corrected"] for row in rows} == {""}
        assert "32 labelled rows in 5 parts: a head is trained on the others of each" in err

    def test_the_table_and_what_to_do_next(self, check):
        code, out, err = check("--out", "review.csv")
        assert (code, out) == (0, "")
        assert "line  given  likely  probability  text" in err
        assert "labels to look at in 32 rows" in err
        assert "--set data.corrections=review.csv" in err

    def test_a_reviewed_file_is_kept(self, check):
        Path("review.csv").write_text("mine")
        code, _, err = check("--out", "review.csv")
        assert code == 2
        assert "review.csv: exists already, and may hold what somebody has reviewed" in err
        assert Path("review.csv").read_text() == "mine"

    def test_the_seed_decides(self, check):
        for name in ("one.csv", "same.csv"):
            check("--out", name)
        assert Path("one.csv").read_bytes() == Path("same.csv").read_bytes()

    def test_errors_in_the_data_come_first(self, check, data):
        data.write_text(data.read_text() + ",good\n")
        code, _, err = check()
        assert code == 2
        assert "labelled rows" not in err
        assert not Path("sentiment-suspects.csv").exists()

    @pytest.mark.parametrize("recipe", ["qa", "stsb"])
    def test_tasks_without_labels_are_refused(self, command, recipe):
        code, _, err = command("check", recipe, "--labels", "--json")
        assert code == 2
        assert "--labels does not apply to" in err
        assert len(err.splitlines()) == 1

    def test_out_needs_labels(self, command):
        code, _, err = command("check", "sentiment", "--out", "x.csv")
        assert code == 2
        assert "--out is where --labels writes" in err


def test_entities(command, tiny, tmp_path):
    lines = []
    for number, word in enumerate(WORDS):
        kind = "LOC" if number == 7 else "PER"
        lines += [f"{word} O", "love O", f"happy B-{kind}", f"{word} O", ""]
        lines += [f"{word} O", "hate O", "slow B-LOC", f"{word} O", ""]
    (tmp_path / "train.conll").write_text("\n".join(lines))
    settings = set_flags(*LEARN, "task.window_overlap=8")
    flags = ["--train", "train.conll", "--model", str(tiny), *settings]
    code, out, _ = command("check", "ner", *flags, "--labels", "--json")
    assert code == 0
    (found,) = json.loads(out)["label_errors"]["suspects"]
    assert (found["entity"], found["given"], found["suggested"]) == ("happy", "LOC", "PER")


class TestCorrections:
    @pytest.fixture
    def review(self, tmp_path: Path) -> Path:
        """A review in which one label of train.csv is corrected."""
        return write_csv(
            tmp_path / "review.csv", [("2", "a good film,bad")], header="line,text,corrected"
        )

    def test_training_learns_from_them_and_records_the_file(self, ask, review, ear):
        result = train(ask("run", f"data.corrections={review}"), watch=ear)
        assert result is not None
        assert any("data.corrections: 1 label corrected; 1 row in" in note for note in ear.notes)
        kept = read_environment(result.run / "environment.json")["data"]["corrections"]
        assert kept["path"] == str(review)
        assert len(kept["sha256"]) == 64

    def test_a_run_does_not_go_on_with_another_review(self, stopped, review, ear):
        settings = (f"data.corrections={review}",)
        run = stopped(3, sending(2), settings=settings)
        review.write_text(review.read_text().replace(",bad", ",good"))
        with pytest.raises(RunError, match=r"review\.csv was changed"):
            resume(run)
        review.write_text(review.read_text().replace(",good", ",bad"))
        resume(run)

    def test_the_wrong_name_ends_it_at_once(self, command, tiny, reviews, review):
        write_csv(review, [("2", "a good film,badd")], header="line,text,corrected")
        flags = ["--train", str(reviews["train"]), "--model", str(tiny), *set_flags(*FAST)]
        for verb in ("train", "check"):
            code, _, err = command(verb, "sentiment", *flags, "--set", f"data.corrections={review}")
            assert code == 2
            assert "review.csv:2: label 'badd' is none of the model's 2 labels" in err

    def test_check_looks_at_what_training_will_learn(self, command, tiny, reviews, review):
        flags = ["--train", str(reviews["train"]), "--model", str(tiny), "--json"]
        settings = set_flags("model.max_length=32", f"data.corrections={review}")
        code, out, _ = command("check", "sentiment", *flags, *settings)
        assert code == 0
        report = json.loads(out)
        half = 4 * len(GOOD)
        assert report["splits"]["train"]["labels"] == {"good": half - 1, "bad": 4 * len(BAD) + 1}
        assert any(one["code"] == "corrections" for one in report["findings"])

    def test_a_missing_file_is_told_before_torch(self, command):
        code, _, err = command("train", "sentiment", "--set", "data.corrections=no.csv")
        assert code == 2
        assert "no.csv" in err
