"""predict --out FOLDER/: parts of real answers, in every format, through the command line."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from faults.processes import run_command

ROWS = 53
FLAGS = ["--run", "run", "--device", "cpu", "--precision", "fp32"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "many.csv"
    words = ["the", "plot", "is", "slow", "good", "film", "dull", "never", "영화", "정말", "좋다"]
    chosen = random.Random(1)
    rows = [f"r{n:03},{n % 7},{' '.join(chosen.choices(words, k=4))}" for n in range(ROWS)]
    rows[20] = "r020,6,"  # has no text
    path.write_text("\n".join(["id,stars,text", *rows]) + "\n", encoding="utf-8")
    return path


def joined(folder: Path, suffix: str) -> list[str]:
    files = sorted(folder.glob(f"part-*{suffix}"))
    return [line for one in files for line in one.read_text(encoding="utf-8").splitlines()]


def test_parts_hold_what_one_file_does(command, run, table, tmp_path) -> None:
    whole = command("predict", str(table), *FLAGS)[1].splitlines()
    code, out, err = command("predict", str(table), *FLAGS, "--out", "ans/", "--part-rows", "10")
    assert (code, out) == (0, "")
    assert f"{ROWS - 1} texts predicted: ans/" in err
    assert "1 of 53 rows have no answer" in err
    found = joined(tmp_path / "ans", ".jsonl")
    for ours, theirs in zip(map(json.loads, found), map(json.loads, whole), strict=True):
        assert ours.keys() == theirs.keys()
        assert ours["id"] == theirs["id"]
        assert ours.get("label") == theirs.get("label")
        assert ours.get("score", 0) == pytest.approx(theirs.get("score", 0), abs=1e-5)
    manifest = json.loads((tmp_path / "ans/_shard-1-of-1.json").read_text())
    assert [one["rows"] for one in manifest["parts"].values()] == [10, 10, 10, 10, 10, 3]
    assert [one["failed"] for one in manifest["parts"].values()] == [0, 0, 1, 0, 0, 0]
    code, _, err = command("predict", str(table), *FLAGS, "--out", "ans/", "--part-rows", "10")
    assert code == 0
    assert "all parts are there" in err


@pytest.mark.parametrize("form", ["csv", "tsv", "txt", "jsonl", "parquet", "xlsx"])
def test_shards_in_any_order_and_format(command, run, table, tmp_path, form) -> None:
    parts = ["--part-rows", "7", "--format", form]
    command("predict", str(table), *FLAGS, "--out", "one/", *parts)
    for shard in ("2/3", "3/3", "1/3"):
        code, _, err = command(
            "predict", str(table), *FLAGS, "--out", "three", "--shard", shard, *parts
        )
        assert code == 0, err
    names = sorted(one.name for one in (tmp_path / "one").glob("part-*"))
    assert names == [f"part-{n:05}.{form}" for n in range(8)]
    assert names == sorted(one.name for one in (tmp_path / "three").glob("part-*"))
    if form != "xlsx":  # holds the time at which it was written
        for name in names:
            assert (tmp_path / "one" / name).read_bytes() == (
                tmp_path / "three" / name
            ).read_bytes()


def test_parquet_has_the_table_and_its_types(command, run, table, tmp_path) -> None:
    code, _, err = command("predict", str(table), *FLAGS, "--out", "answers.parquet")
    assert code == 0, err
    found = pq.read_table(tmp_path / "answers.parquet")
    names = ["id", "stars", "text", "predicted_label", "probability", "truncated", "error"]
    assert [one for one in names if one in found.column_names] == found.column_names
    assert found["id"].to_pylist() == [f"r{n:03}" for n in range(ROWS)]
    assert str(found.schema.field("probability").type) == "double"
    assert found["error"].to_pylist()[20]
    assert found["predicted_label"].to_pylist()[20] is None
    again = command("predict", "answers.parquet", *FLAGS, "--format", "csv")
    assert again[0] == 0
    assert len(again[1].splitlines()) == ROWS + 1


def test_a_changed_file_or_option_is_refused(command, run, table) -> None:
    base = ["predict", str(table), *FLAGS, "--out", "ans/", "--part-rows", "10"]
    command(*base)
    code, _, err = command(*base, "--top-k", "1")
    assert code == 2
    assert "ans holds answers with other options" in err
    table.write_text(table.read_text(encoding="utf-8") + "r9,1,more\n", encoding="utf-8")
    code, _, err = command(*base)
    assert code == 2
    assert "ans holds answers with other inputs" in err
    code, _, err = command(*base, "--overwrite")
    assert code == 0
    assert f"{ROWS} texts predicted" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a good film", "--out", "ans/"], "answers in parts are those of files"),
        (["many.csv", "--shard", "1/2"], "need --out FOLDER/"),
        (["many.csv", "--out", "ans/", "--shard", "3/2"], "--shard 3/2: not a shard"),
        (["many.csv", "--out", "ans/", "--format", "html"], "format html shows entities"),
        (["many.csv", "--out", "many.csv/"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_in_parts(command, run, table, arguments, said) -> None:
    code, _, err = command("predict", *arguments, *FLAGS)
    assert code == 2
    assert said in err


def still_runs(child: int) -> bool:
    """Without reaping it, which is for run_command."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def test_killed_again_and_again(run, table, tmp_path, command) -> None:
    """The command itself, killed for good at any time."""
    lines = table.read_text(encoding="utf-8").splitlines()
    many = [lines[0], *(line.replace("r0", f"r{n}") for n in range(40) for line in lines[1:])]
    table.write_text("\n".join(many) + "\n", encoding="utf-8")
    parts = ["--part-rows", "40"]
    command("predict", str(table), *FLAGS, "--out", "quiet/", *parts)
    asked = ["predict", str(table), *FLAGS, "--out", "killed/", *parts]
    chosen = random.Random(2)

    def kill(child: int) -> None:
        there = len(list(tmp_path.glob("killed/part-*")))
        give_up = time.monotonic() + 60
        while len(list(tmp_path.glob("killed/part-*"))) <= there and still_runs(child):
            assert time.monotonic() < give_up
            time.sleep(0.001)
        time.sleep(chosen.random() * 0.01)
        os.kill(child, signal.SIGKILL)

    log = tmp_path / "log"
    ends = [run_command(*asked, log=log, meanwhile=kill).code for _ in range(3)]
    assert -signal.SIGKILL in ends
    assert run_command(*asked, log=log).code == 0
    assert joined(tmp_path / "killed", ".jsonl") == joined(tmp_path / "quiet", ".jsonl")
    assert len(joined(tmp_path / "killed", ".jsonl")) == 40 * ROWS
