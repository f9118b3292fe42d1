"""Cross-validation of the tiny model: every row is scored once, by a run that did not learn it."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faults.processes import dying_at, run_command
from samples import FAST, set_flags
from stopping import Stopper, sending

from bertft.commands import train_several as verb
from bertft.commands.train_several import Folds, train_folds, train_seeds
from bertft.errors import BertftError, Interrupted, RunError
from bertft.evaluation.intervals import bootstrap
from bertft.jobs.request import TrainRequest
from bertft.recipe import load_recipe

Ask = Callable[..., TrainRequest]
FOLDS = 3
SETTINGS = (*(one for one in FAST if "epochs" not in one), "training.epochs=1")


@pytest.fixture(scope="module")
def home(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder and 45 reviews by 15 authors, each text once but for one of them."""
    folder = tmp_path_factory.mktemp("folds")
    shutil.copytree(tiny, folder / "tiny")
    words = ("good great fun happy love", "bad awful slow dull sad")
    rows = []
    for number in range(45):
        kind = number % 3 == 0
        word = words[kind].split()[number % 5]
        rows.append((f"{word} film number {number // 2}", ("pos", "neg")[kind], f"a{number % 15}"))
    rows[44] = (rows[0][0], rows[0][1], "a99")
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label", "author"), *rows])
    return folder


@pytest.fixture(scope="module")
def ask(home: Path) -> Ask:
    def make(out: str, *settings: str, train: str = "rows.csv") -> TrainRequest:
        return TrainRequest(
            recipe="sentiment",
            overrides=(*SETTINGS, "data.dev_share=0.2", "model.max_length=32", *settings),
            train=str(home / train),
            model=str(home / "tiny"),
            out=str(home / out),
        )

    return make


@pytest.fixture(scope="module")
def whole(ask: Ask, tmp_path_factory: pytest.TempPathFactory) -> Folds:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return train_folds(ask("whole"), count=FOLDS)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "predictions.jsonl").read_text().splitlines()]


def given(home: Path) -> list[dict[str, str]]:
    with (home / "rows.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def outcome(folder: Path) -> dict[str, Any]:
    """What a stop must not change."""
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    weights = [
        (folder / f"fold-{one}" / "best" / "model.safetensors").read_bytes()
        for one in range(1, FOLDS + 1)
    ]
    return {"scores": scores, "rows": rows_of(folder), "weights": weights}


def test_every_row_is_predicted_once_by_the_run_that_held_it_out(whole, home):
    rows = rows_of(whole.folder)
    assert [row["text"] for row in rows] == [one["text"] for one in given(home)]
    by_fold = {one: rows_of(whole.folder / f"fold-{one}") for one in range(1, FOLDS + 1)}
    for number, own in by_fold.items():
        assert [row for row in rows if row["fold"] == number] == [
            row | {"fold": number} for row in own
        ]
    assert sum(map(len, by_fold.values())) == len(rows)


def test_labels_are_spread_and_equal_texts_stay_together(whole):
    rows = rows_of(whole.folder)
    for number in range(1, FOLDS + 1):
        own = [row["gold"] for row in rows if row["fold"] == number]
        assert 14 <= len(own) <= 16
        assert abs(sum(gold == rows[0]["gold"] for gold in own) - 5) <= 1
    assert rows[0]["text"] == rows[44]["text"]
    assert rows[0]["fold"] == rows[44]["fold"]


def test_one_score_with_one_interval(whole):
    rows, scores = rows_of(whole.folder), whole.scores
    right = sum(row["label"] == row["gold"] for row in rows) / len(rows)
    value = scores["metrics"]["accuracy"]
    assert value["value"] == pytest.approx(right)
    assert value["low"] <= right <= value["high"]
    assert (scores["split"], scores["n"]) == ("out of fold", 45)
    values = [one.scores["metrics"]["accuracy"]["value"] for one in whole.runs]
    assert scores["folds"]["values"] == values
    page = (whole.folder / "report.html").read_text(encoding="utf-8")
    assert "By fold 0." in page


def test_a_run_of_a_fold_says_so_in_its_recipe(whole):
    recipe = load_recipe(str(whole.folder / "fold-2" / "recipe.toml"))
    assert recipe.data.fold == "2/3"
    assert recipe.data.test == ""


def test_a_column_keeps_rows_together(ask, home):
    result = train_folds(ask("authors", "data.group_column=author"), count=FOLDS)
    rows = rows_of(result.folder)
    fold: dict[str, set[int]] = {}
    for one, row in zip(given(home), rows, strict=True):
        fold.setdefault(one["author"], set()).add(row["fold"])
    assert all(len(folds) == 1 for folds in fold.values())
    assert len({min(folds) for folds in fold.values()}) == FOLDS


def test_groups_are_drawn_together(whole):
    """Eight equal rows of one group tell as much as one: the interval is wider."""
    import numpy as np

    from bertft.evaluation.metrics import class_counts, single_label_metrics
    from bertft.evaluation.statistic import Statistic, by_group

    gold = np.array([0, 1] * 40)
    guess = np.array([0, 1, 1, 1, 0, 0, 0, 1, 0, 0]).repeat(8)
    alone = Statistic(class_counts(gold, guess, classes=2), single_label_metrics)
    groups = [str(row // 8) for row in range(80)]
    together = by_group(alone, groups)
    assert together.rows.shape[0] == 10
    assert (together.rows.sum(axis=0) == alone.rows.sum(axis=0)).all()
    same = by_group(alone, [str(row) for row in range(80)])
    assert bootstrap(same) == bootstrap(alone)


@pytest.mark.slow
def test_killed_it_goes_on_and_comes_to_the_same(ask, home, whole, tmp_path):
    request = ask("killed")
    folder = home / "killed"
    flags = [*set_flags(*request.overrides), "--train", request.train, "--model", request.model]
    first = ["sentiment", *flags, "--folds", str(FOLDS), "--out", str(folder)]

    def go(number: int, arguments: Iterable[str]) -> Any:
        die = dying_at(number, folder) if number else None
        return run_command("train", *arguments, log=tmp_path / "log", before=die)

    for number in (40, 90, 25):
        arguments = ["--resume", str(folder)] if folder.exists() else first
        ended = go(number, arguments)
        assert ended.code == -signal.SIGKILL, ended.said
    ended = go(0, ["--resume", str(folder)])
    assert ended.code == 0, ended.said
    found = outcome(folder)
    assert found == outcome(whole.folder)
    assert not list(folder.glob(".*"))


def test_a_signal_says_how_it_goes_on_and_finished_folds_stay(ask, home, whole, monkeypatch):
    folder = home / "stopped"
    with pytest.raises(Interrupted) as caught:
        train_folds(ask("stopped"), count=FOLDS, watch=Stopper(2, sending(signal.SIGTERM)))
    said = f"stopped by SIGTERM; go on with: bertft train --resume {folder}"
    assert (str(caught.value), caught.value.exit_code) == (said, 143)
    again = TrainRequest(recipe="", resume=str(folder))
    train_folds(again)
    assert outcome(folder) == outcome(whole.folder)
    monkeypatch.setattr(verb, "train", lambda *a, **k: pytest.fail("a finished fold is trained"))
    assert train_folds(again).scores == whole.scores


def test_seeds_go_on_too(ask, home):
    folder = home / "seeds"
    with pytest.raises(Interrupted):
        train_seeds(ask("seeds"), count=2, watch=Stopper(2, sending(signal.SIGTERM)))
    results, _ = train_seeds(TrainRequest(recipe="", resume=str(folder)))
    assert [one.run.name for one in results] == ["seed-13", "seed-14"]


def test_other_data_in_between_are_refused(ask, home):
    shutil.copy(home / "rows.csv", home / "moving.csv")
    request = ask("moved", train="moving.csv")
    with pytest.raises(Interrupted):
        train_folds(request, count=FOLDS, watch=AtFold(2, sending(signal.SIGTERM)))
    text = (home / "moving.csv").read_text(encoding="utf-8")
    (home / "moving.csv").write_text(text.replace("film", "movie"), encoding="utf-8")
    with pytest.raises(RunError, match=r"moving\.csv was changed"):
        train_folds(TrainRequest(recipe="", resume=str(home / "moved")))


class AtFold(Stopper):
    """Acts as soon as a fold is begun."""

    def __init__(self, fold: int, act: Callable[[], None]) -> None:
        super().__init__(1, act)
        self._fold = f"fold {fold}:"

    def step(self, report: Any) -> None:
        if any(note.startswith(self._fold) for note in self.notes):
            super().step(report)


@pytest.mark.parametrize(
    ("settings", "count", "said"),
    [
        (("data.group_column=auther",), 3, "no column 'auther' for data.group_column"),
        (("data.fold=1/3",), 3, "data.fold is one of --folds"),
        ((), 60, "60 folds, but 44 groups"),
    ],
)
def test_a_slip_leaves_no_folder(ask, home, settings, count, said):
    with pytest.raises(BertftError, match=said):
        train_folds(ask("slip", *settings), count=count)
    assert not (home / "slip").exists()


def test_a_test_file_is_not_taken_in_silence(ask, home):
    with pytest.raises(BertftError, match="leave out --test"):
        train_folds(replace(ask("slip"), test=str(home / "rows.csv")), count=3)


class TestCommandLine:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("sentiment", "--folds", "1"), "--folds takes 2 or more"),
            (("sentiment", "--folds", "3", "--seeds", "2"), "and no --seeds"),
            (("sentiment", "--set", "data.fold=6/5"), "a fold is written as 2/5"),
            (("sentiment", "--set", "data.fold=b"), "a fold is written as 2/5"),
        ],
    )
    def test_a_slip_is_one_line(self, command, arguments, said):
        code, out, err = command("train", *arguments)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert said in err

    def test_dry_run_and_table(self, command, ask, home):
        request = ask("table")
        flags = [*set_flags(*request.overrides), "--train", request.train, "--model", request.model]
        code, out, err = command("train", "sentiment", *flags, "--folds", "3", "--dry-run")
        assert (code, out) == (0, "")
        assert "the first of 3 runs:" in err
        assert re.search(r"train 2\d, dev \d, test 1[456]", err), err
        code, out, err = command("train", "sentiment", *flags, "--folds", "3", "--out", "table")
        assert (code, out) == (0, ""), err
        assert "out of fold: 45 examples" in err
        assert "by fold 0." in err
        assert "table/predictions.jsonl (every row, out of fold)" in err
        assert command("train", "--resume", "table")[0] == 0, "what is done says it again"
