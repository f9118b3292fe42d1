"""check: what it finds in planted files, its exit codes and its JSON; what train tells of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import datasets
import pytest
from huggingface_hub import constants
from samples import BAD, FAST, GOOD, Command, set_flags, write_csv

from bertft.checks.repair import REPAIRS
from bertft.commands.check import check as check_data
from bertft.recipe import load_recipe
from bertft.tasks import TASKS
from bertft.training.journal import read_journal

ROWS = [(text, "good") for text in GOOD] + [(text, "bad") for text in BAD]
OTHER = [("we love the plot", "good"), ("they hate the plot", "bad"), ("no food for you", "bad")]
SMALL = {
    "qa": ("task.window_overlap=8", "task.max_question_length=16"),
    "ner": ("task.window_overlap=8",),
}


@pytest.fixture
def check(command: Command, tiny: Path, tmp_path: Path):
    """Runs ``bertft check --json`` with the tiny tokenizer: (exit code, the report)."""

    def run(
        *arguments: str, recipe: str = "sentiment", model: str = str(tiny)
    ) -> tuple[int, dict[str, Any]]:
        settings = set_flags("model.max_length=32", *SMALL.get(recipe, ()))
        code, out, err = command("check", recipe, "--model", model, *settings, *arguments, "--json")
        assert err == ""
        return code, json.loads(out)

    return run


def codes(report: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["code"], one["split"]): one for one in report["findings"]}


def found(report: dict[str, Any], severity: str) -> set[str]:
    return {one["code"] for one in report["findings"] if one["severity"] == severity}


def write(path: str, text: str | bytes) -> str:
    Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def clean(tmp_path: Path) -> list[str]:
    """Flags with files in which nothing is amiss."""
    write_csv(tmp_path / "train.csv", ROWS)
    write_csv(tmp_path / "dev.csv", OTHER)
    return ["--train", "train.csv", "--dev", "dev.csv"]


class TestClean:
    def test_nothing_is_found(self, check, clean):
        code, report = check(*clean, "--strict")
        assert (code, report["findings"]) == (0, [])
        assert (report["errors"], report["warnings"], report["notes"]) == (0, 0, 0)
        train = report["splits"]["train"]
        assert (train["rows"], train["labels"]) == (12, {"good": 6, "bad": 6})
        assert train["majority"] == 0.5
        assert train["tokens"]["max"] == 5
        assert report["task"] == "classification"

    def test_what_is_not_looked_at_is_said(self, check, clean):
        code, report = check(*clean, *set_flags('data.further=["more.csv"]'), "--strict")
        (note,) = report["findings"]
        assert (code, note["code"], note["severity"], note["count"]) == (0, "further", "note", 1)
        assert note["places"][0]["file"] == "more.csv"

    @pytest.mark.parametrize("recipe", ["sentiment", "nli", "ner", "qa"])
    def test_the_bundled_data(self, command, recipe):
        code, out, err = command("check", recipe, "--offline", "--strict")
        assert (code, out) == (0, ""), err
        assert err.rstrip().splitlines()[-1].startswith("0 errors, 0 warnings, ")
        assert re.search(r"^train +\d", err, re.M)

    @pytest.mark.parametrize("offline", [True, False])
    def test_offline_holds_for_hub_data_from_python_too(self, monkeypatch, offline):
        seen = []

        def load(*arguments, **settings):
            seen.append(constants.HF_HUB_OFFLINE)
            raise ConnectionError("off")

        monkeypatch.setattr(datasets, "load_dataset", load)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        recipe = load_recipe("sentiment", overrides=("data.train=hub:o/n:train", "data.dev="))
        (finding,) = [one for one in check_data(recipe, offline=offline).findings if one.places]
        assert "could not be fetched" in str(finding.places[0])
        assert seen == [offline]
        assert constants.HF_HUB_OFFLINE is False

    def test_nothing_is_written(self, check, clean, tmp_path):
        before = sorted(tmp_path.iterdir())
        check(*clean)
        assert sorted(tmp_path.iterdir()) == before


class TestRefusedRows:
    def test_all_of_them_are_collected(self, check, clean):
        text = "text,label\na good film,good\n ,bad\ni hate it,\nit, is,bad\nnot good,bad\n,good\n"
        write("train.csv", text)
        code, report = check(*clean)
        assert code == 2
        told = {one["code"]: [p["line"] for p in one["places"]] for one in report["findings"]}
        assert told["empty-text"] == [3, 7]
        assert told["missing-label"] == [4]
        assert told["unusable-row"] == [5]
        assert codes(report)["empty-text", "train"]["of"] == 6
        assert found(report, "error") == {"empty-text", "missing-label", "unusable-row"}

    def test_left_out_rows_are_warnings(self, check, clean):
        write("dev.csv", "text,label\nthe plot,good\n ,bad\n")
        assert check(*clean, "--on-bad-row", "skip")[0] == 0
        code, report = check(*clean, "--on-bad-row", "skip", "--strict")
        assert code == 3
        assert "empty-text" in found(report, "warning")

    def test_a_file_that_is_not_utf_8(self, check, clean):
        lines = "text,label\n" + "영화 정말 좋다,good\n나쁘다,bad\n" * 40
        write("train.csv", lines.encode("cp949"))
        code, report = check(*clean, "--set", "data.encoding=utf-8")
        one = codes(report)["encoding", "train"]
        assert (code, one["count"], one["places"][0]["line"]) == (2, 80, 2)
        assert 'data.encoding="cp949"' in one["fix"]
        assert "iconv -f CP949 -t UTF-8 train.csv" in one["fix"]
        write("train.csv", "text,label\ncafé,good\nnaïve,bad\n".encode("cp1252"))
        one = codes(check(*clean, "--set", "data.encoding=utf-8")[1])["encoding", "train"]
        assert "iconv -f CP1252" in one["fix"]

    def test_utf_16_is_named(self, check, clean):
        write("train.csv", "text,label\n영화,good\n나쁘다,bad\n".encode("utf-16"))
        code, report = check(*clean, "--set", "data.encoding=utf-8")
        assert code == 2
        assert "iconv -f UTF-16 -t UTF-8" in codes(report)["nul-character", "train"]["fix"]

    def test_a_header_that_is_not_utf_8(self, check, clean):
        write("train.csv", "글,라벨\n좋다,good\n".encode("cp949"))
        code, report = check(*clean, "--set", "data.encoding=utf-8")
        one = codes(report)["encoding", "train"]
        assert code == 2
        assert "iconv -f CP949" in one["fix"]
        assert report["splits"].keys() == {"dev"}

    def test_an_encoding_that_is_certain_is_read_and_said(self, check, clean):
        lines = "text,label\n" + "영화 정말 좋다,good\n나쁘다 정말,bad\n" * 40
        write("train.csv", lines.encode("cp949"))
        code, report = check(*clean)
        (place,) = codes(report)["read-as", "train"]["places"]
        assert (code, report["splits"]["train"]["rows"]) == (0, 80)
        assert place["text"].startswith("read as cp949")

    def test_the_other_splits_of_a_broken_file_are_looked_at(self, check, clean):
        write("train.csv", 'text,label\n"a,good\n')
        write("dev.csv", "text,label\na\x07b,good\nb,bad\n")
        code, report = check(*clean, "--test", "missing.csv")
        assert code == 2
        assert {(one["code"], one["split"]) for one in report["findings"]} == {
            ("unusable-row", "train"),
            ("unreadable", "test"),
            ("control-character", "dev"),
        }
        assert "missing.csv" in codes(report)["unreadable", "test"]["places"][0]["file"]

    def test_an_empty_file(self, check, clean):
        write("dev.csv", "text,label\n")
        code, report = check(*clean)
        assert (code, codes(report)["unreadable", "dev"]["places"][0]["text"]) == (2, "no rows")


class TestLabels:
    def test_labels_that_training_does_not_know(self, check, clean):
        rows = "the plot,good\nslow plot,goood\nfun,goood\nno,bad\n"
        write("dev.csv", "text,label\n" + rows)
        code, report = check(*clean)
        one = codes(report)["unknown-label", "dev"]
        assert (code, one["count"], one["of"]) == (2, 2, 4)
        assert [place["line"] for place in one["places"]] == [3, 4]
        assert "did you mean 'good'" in one["fix"]

    def test_one_label_only(self, check, clean):
        write_csv(Path("train.csv"), ROWS[:6])
        code, report = check("--train", "train.csv")
        assert code == 2
        assert (
            "all rows have the same label" in codes(report)["labels", "train"]["places"][0]["text"]
        )

    def test_spellings_of_a_label_are_one(self, check, clean):
        """0 and negative are the same where that is asked for: no conflict, no label of one split
        only."""
        write("train.csv", "text,label\n" + "".join(f"film {i},{i % 2}\n" for i in range(12)))
        write("dev.csv", "text,label\nfilm 1,positive\nfilm a,negative\n")
        names = 'task.label_aliases={"0" = "negative", "1" = "positive"}'
        code, report = check(*clean, "--set", names)
        assert (code, found(report, "warning")) == (0, {"duplicate-across"})
        notes = [one["what"] for one in report["findings"] if one["code"] == "label-names"]
        assert notes == ["labels are read by task.label_aliases: 0 as negative, 1 as positive"]

    def test_numbers_of_regression(self, check):
        rows = [(text, text, str(i)) for i, text in enumerate(GOOD)]
        lines = ["sentence1,sentence2,label", *(",".join(row) for row in rows)]
        write("a.csv", "\n".join(lines) + "\n")
        code, report = check("--train", "a.csv", recipe="stsb")
        assert (code, report["splits"]["train"]["labels"]) == (0, {})
        assert report["splits"]["train"]["numbers"] == {"min": 0, "median": 2.5, "max": 5}


class TestWarnings:
    def test_exit_codes(self, check, clean):
        write_csv(Path("dev.csv"), [*OTHER, ROWS[0]])
        assert check(*clean)[0] == 0
        code, report = check(*clean, "--strict")
        assert (code, report["errors"], report["warnings"]) == (3, 0, 1)
        assert (
            codes(report)["duplicate-across", "dev"]["places"][0]["text"] == "a good film = train:2"
        )

    def test_each_repeat_is_told_once(self, check, clean):
        long = "we love the food and the film and the plot of it very much"
        write_csv(Path("train.csv"), [*ROWS, (long, "good"), (long.upper(), "good"), ROWS[0]])
        write_csv(Path("dev.csv"), [*OTHER, (f"{long}!", "good"), ("A Good Film", "good")])
        report = check(*clean)[1]
        told = {(one["code"], one["split"]): one["count"] for one in report["findings"]}
        assert told == {
            ("duplicate", "train"): 1,
            ("folded-duplicate", "train"): 1,
            ("folded-duplicate-across", "dev"): 1,
            ("near-duplicate-across", "dev"): 1,
        }

    def test_places_are_limited(self, check, clean):
        write_csv(Path("dev.csv"), ROWS)
        one = codes(check(*clean, "--examples", "2")[1])["duplicate-across", "dev"]
        assert (one["count"], len(one["places"])) == (12, 2)

    def test_the_page_for_people(self, command, clean, tiny):
        write_csv(Path("dev.csv"), [*OTHER, ROWS[0]])
        settings = set_flags("model.max_length=32")
        code, out, err = command("check", "sentiment", "--model", str(tiny), *clean, *settings)
        assert (code, out) == (0, "")
        lines = err.splitlines()
        at = lines.index("warning rows that are also in train, word for word (duplicate-across)")
        assert lines[at + 1] == "    dev: 1 of 4 (25.0 %)"
        assert lines[at + 2] == "    dev.csv:5  a good film = train:2"
        assert lines[at + 3].startswith("    fix: take them out")
        assert lines[-1] == "0 errors, 1 warning, 0 notes"


class TestEncoder:
    def test_one_that_is_not_here_is_said_once(self, check, clean):
        write_csv(Path("dev.csv"), [*OTHER, ROWS[0]])
        code, report = check(*clean, "--offline", model="some/bert")
        assert code == 0
        assert [one["code"] for one in report["findings"]] == ["duplicate-across", "no-encoder"]
        assert "tokens" not in report["splits"]["train"]

    def test_one_that_does_not_exist(self, check, clean):
        code, report = check(*clean, model="minilmm")
        assert (code, found(report, "error")) == (2, {"encoder"})
        assert "no model 'minilmm'" in report["findings"][0]["places"][0]["text"]

    def test_weights_are_not_asked_for(self, check, clean, tiny, tmp_path):
        folder = tmp_path / "light"
        folder.mkdir()
        for path in tiny.iterdir():
            if path.suffix != ".safetensors":
                (folder / path.name).write_bytes(path.read_bytes())
        code, report = check(*clean, model=str(folder))
        assert (code, report["splits"]["dev"]["tokens"]["max"]) == (0, 6)

    def test_hangul_in_pieces(self, check):
        write_csv(Path("ko.csv"), [("영화 정말 좋다", "good"), ("너무 나쁘다", "bad")] * 6)
        code, report = check("--train", "ko.csv", model="minilm")
        assert (code, found(report, "error")) == (2, {"encoder"})
        assert "jamo" in report["findings"][0]["places"][0]["text"]

    def test_more_tokens_than_positions(self, check, clean):
        code, report = check(*clean, "--set", "model.max_length=65")
        assert (code, found(report, "error")) == (2, {"encoder"})

    def test_rows_that_are_cut(self, check, clean):
        write_csv(Path("dev.csv"), [("the film is good " * 9, "good"), ("bad plot", "bad")])
        one = codes(check(*clean)[1])["cut", "dev"]
        assert (one["severity"], one["count"], one["places"][0]["line"]) == ("warning", 1, 2)
        report = check(*clean, "--set", "task.long_text=windows", "--set", "task.window_overlap=8")[
            1
        ]
        assert found(report, "note") == {"windows"}


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            (["sentimnt"], r"no recipe 'sentimnt'; did you mean 'sentiment'\?"),
            (["sentiment", "--set", "data.trian=a"], r".*unknown key 'data\.trian'; .*'train'\?"),
            (["empty.toml"], r"the recipe names no data; give a file with --train"),
            (
                ["sentiment", "--fix", "out"],
                r"nothing of classification data can be repaired; --fix knows .*: qa, ner",
            ),
            (
                ["qa", "--set", "model.max_length=64", "--set", "task.window_overlap=128"],
                r"task\.window_overlap 128 leaves no room in a window of .*; --set .+",
            ),
        ],
    )
    def test_one_line(self, command, arguments, line):
        write("empty.toml", '[task]\nname = "classification"\n')
        code, out, err = command("check", *arguments)
        assert (code, out) == (2, "")
        assert re.fullmatch(f"error: {line}\n", err)


def squad(*questions: tuple[str, int]) -> str:
    """Answers to questions about one passage, each with the start it is said to have."""
    asked = [
        {"id": f"q{i}", "question": f"what is it {i}", "answers": [{"text": t, "answer_start": s}]}
        for i, (t, s) in enumerate(questions)
    ]
    paragraph = {"context": "the film is good and the food is bad", "qas": asked}
    return json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]}, indent=1)


class TestQuestions:
    def test_every_way_to_be_misplaced(self, check):
        write("a.json", squad(("film", 4), ("good", 11), ("the", 3), ("movie", 4)))
        code, report = check("--train", "a.json", recipe="qa")
        assert code == 2
        told = {one["code"]: (one["count"], one["of"]) for one in report["findings"]}
        assert told == {
            "misplaced-answer": (1, 4),
            "ambiguous-answer": (1, 4),
            "answer-not-found": (1, 4),
            "rare-label": (1, 1),
        }
        place = codes(report)["misplaced-answer", "train"]["places"][0]
        assert Path("a.json").read_text().splitlines()[place["line"] - 1].strip() == '"id": "q1",'
        assert "found 1 characters later, at 12" in place["text"]

    def test_repaired_copies(self, check, tmp_path):
        bad, good = squad(("film", 4), ("good", 11)), squad(("food", 25))
        write("a.json", bad)
        write("b.json", good)
        code, report = check("--train", "a.json", "--dev", "b.json", "--fix", "out", recipe="qa")
        assert code == 0
        one = codes(report)["repaired", "train"]
        assert (one["severity"], one["count"]) == ("note", 1)
        assert [path.name for path in Path("out").iterdir()] == ["a.json"]
        assert Path("a.json").read_text() == bad
        assert report["splits"]["train"]["path"] == "out/a.json"
        assert Path("out/a.json").read_text() == squad(("film", 4), ("good", 12))
        assert "shared-passage" in {one["code"] for one in report["findings"]}

    def test_files_of_one_name_do_not_overwrite_each_other(self, check):
        for folder in ("x", "y"):
            Path(folder).mkdir()
            write(f"{folder}/a.json", squad(("good", 11)))
        check("--train", "x/a.json", "--dev", "y/a.json", "--fix", "out", recipe="qa")
        assert {path.name for path in Path("out").iterdir()} == {"train-a.json", "dev-a.json"}


class TestEntities:
    def test_broken_lines_and_broken_tags(self, check):
        text = "the\tO\nfilm\tB-X\n\na\tO\nplot\tI-X\n\nbad\tX\n\nit\tO\nfun\tI-X\n"
        write("a.conll", text)
        code, report = check("--train", "a.conll", recipe="ner")
        assert code == 2
        assert codes(report)["broken-tag", "train"]["places"][0]["line"] == 7
        assert codes(report)["broken-scheme", "train"]["count"] == 2
        assert codes(report)["rare-label", "train"]["places"][0]["text"] == "'X', 3 times"


def test_only_tasks_that_exist_are_repaired():
    assert set(REPAIRS) <= set(TASKS)


class TestTrain:
    def test_tells_warnings_in_one_line_each_and_goes_on(self, command, tiny, clean):
        write_csv(Path("train.csv"), [*ROWS, (GOOD[0], "bad")])
        write_csv(Path("dev.csv"), [*OTHER, ROWS[0]])
        arguments = ["--model", str(tiny), *clean, "--out", "run", *set_flags(*FAST)]
        code, _, err = command("train", "sentiment", *arguments)
        assert code == 0
        warnings = [line for line in err.splitlines() if line.startswith("· warning: ")]
        assert warnings == [
            "· warning: train: rows that read as an earlier one, with other gold: 1 of 13 (7.7 %); "
            "see 'bertft check'",
            "· warning: dev: rows that are also in train, word for word: 1 of 4 (25.0 %); "
            "see 'bertft check'",
        ]
        notes = [one["text"] for one in read_journal(Path("run/journal.jsonl")) if "text" in one]
        assert [f"· {note}" for note in notes if note.startswith("warning")] == warnings

    def test_scores_without_what_was_learned_by_heart(self, command, tiny, clean):
        write_csv(Path("dev.csv"), [*OTHER, ROWS[0], (ROWS[1][0].upper(), ROWS[1][1])])
        arguments = ["--model", str(tiny), *clean, "--out", "run", *set_flags(*FAST)]
        code, _, err = command("train", "sentiment", *arguments)
        assert code == 0
        told = json.loads(Path("run/scores.json").read_text())["without_train"]
        lines = map(json.loads, Path("run/predictions.jsonl").read_text().splitlines())
        right = [line["label"] == line["gold"] for line in lines][:3]
        assert (told["n"], told["metrics"]["accuracy"]) == (3, sum(right) / 3)
        assert "2 of 5 examples of dev are also in train; without them accuracy is" in err

    def test_says_nothing_of_clean_data(self, command, tiny, clean):
        arguments = ["--model", str(tiny), *clean, "--dry-run", *set_flags(*FAST)]
        code, _, err = command("train", "sentiment", *arguments)
        assert (code, "warning" in err) == (0, False)
