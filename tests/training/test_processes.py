"""Two processes on one machine train what one process trains, and stop and go on together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from samples import FAST, set_flags, write_reviews
from stopping import events

from bertft.commands.train import train
from bertft.errors import RecipeError, RunError
from bertft.jobs.request import TrainRequest
from bertft.training import processes

LAUNCH = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
# 48 rows in steps of 14: the last step has 6, a pass of 5 and one of 1, of which one process has
# none.
UNEVEN = ("training.batch_size=5", "training.gradient_accumulation=3", "training.evaluate_every=2")
QUESTIONS = [
    ("is it good", "the film is good and not bad", "good"),
    ("is the food bad", "the film is slow , the food is very good", "very good"),
    ("is the plot slow", "we love it but the plot is slow", "slow"),
]
HAS_PEFT = find_spec("peft") is not None
LORA = pytest.param("lora", marks=pytest.mark.skipif(not HAS_PEFT, reason="peft is missing"))
SAME = pytest.mark.parametrize("name", ["reviews", "qa", "ner", LORA])
SENTENCES = ["the film was good", "movie", "we love the movie and the food", "never dull"]


def write_tasks(folder: Path) -> dict[str, Path]:
    """Small training files for the tasks whose logits are per token."""
    rows: dict[str, list[dict[str, Any]]] = {
        "qa": [
            {
                "question": question,
                "context": context,
                "answers": [{"text": answer, "answer_start": context.index(answer)}],
            }
            for question, context, answer in QUESTIONS
        ],
        "ner": [
            {"text": text, "entities": [{"start": 0, "end": len(text.split()[0]), "label": "X"}]}
            for text in SENTENCES
        ],
    }
    for task, some in rows.items():
        lines = [json.dumps(row) + "\n" for row in some * 4]
        (folder / f"{task}.jsonl").write_text("".join(lines), encoding="utf-8")
        recipe = {"task": {"name": task}, "data": dict.fromkeys(("train", "dev"), "set by flags")}
        (folder / f"{task}.toml").write_text(tomli_w.dumps(recipe), encoding="utf-8")
    return {task: folder / f"{task}.jsonl" for task in rows}


@pytest.fixture(scope="module")
def runs(tiny: Path, steady: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs; ``two-`` in two processes, ``one-`` in one."""
    folder = tmp_path_factory.mktemp("runs")
    reviews = {name: str(path) for name, path in write_reviews(folder).items()}

    def job(name: str, model: Path, *settings: str, recipe: str = "sentiment") -> dict[str, Any]:
        files = reviews if recipe == "sentiment" else dict.fromkeys(("train", "dev"), data[recipe])
        return {
            "recipe": recipe if recipe == "sentiment" else str(folder / f"{recipe}.toml"),
            "overrides": (*FAST, *settings),
            "model": str(model),
            "out": str(folder / name),
            **files,
        }

    data = {task: str(path) for task, path in write_tasks(folder).items()}
    same = {
        "reviews": (UNEVEN, "sentiment"),
        "qa": (("training.batch_size=4", "task.window_overlap=4"), "qa"),
        "ner": (("training.batch_size=4", "task.window_overlap=4"), "ner"),
    }
    if HAS_PEFT:
        same["lora"] = ((*UNEVEN, "training.mode=lora"), "sentiment")
    jobs: list[dict[str, Any]] = []
    for name, (settings, recipe) in same.items():
        train(TrainRequest(**job(f"one-{name}", steady, *settings, recipe=recipe)))
        jobs.append({"request": job(f"two-{name}", steady, *settings, recipe=recipe)})
    stopped = {"request": job("stopped", tiny, *UNEVEN), "stop_at": 3, "told": str(folder / "told")}
    jobs.append({"request": job("whole", tiny, *UNEVEN)})
    jobs.append(stopped)
    jobs.append({"request": {"recipe": "", "resume": str(folder / "stopped")}})
    jobs.append(stopped | {"request": job("left", tiny, *UNEVEN)})
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    worker = str(Path(__file__).with_name("worker.py"))
    done = subprocess.run(
        [*LAUNCH, worker, str(folder / "jobs.json")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def lines(run: Path) -> list[dict[str, Any]]:
    text = (run / "predictions.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@SAME
def test_two_processes_train_what_one_does(runs: Path, name: str) -> None:
    one, two = (events(runs / f"{count}-{name}", "step") for count in ("one", "two"))
    assert len(one) == len(two) >= 4
    for figure in ("loss", "gradient_norm", "learning_rate"):
        assert [row[figure] for row in two] == pytest.approx(
            [row[figure] for row in one], abs=1e-6
        ), figure
    for figure in ("step", "examples", "tokens"):
        assert [row[figure] for row in two] == [row[figure] for row in one], figure


@SAME
def test_each_example_is_scored_once(runs: Path, name: str) -> None:
    one, two = lines(runs / f"one-{name}"), lines(runs / f"two-{name}")
    assert [row["id"] for row in two] == [row["id"] for row in one]
    assert [row["loss"] for row in two] == pytest.approx([row["loss"] for row in one], abs=1e-5)
    scores = [
        json.loads((runs / f"{count}-{name}" / "scores.json").read_text(encoding="utf-8"))["n"]
        for count in ("one", "two")
    ]
    assert scores[0] == scores[1] == len(one)


def test_the_processes_differ_in_their_dropout(runs: Path) -> None:
    """With the same masks for both, a step would have half as many."""
    from bertft.training.loop import _noise_seed

    seeds = {_noise_seed(13, step=s, process=p) for s in range(50) for p in range(4)}
    assert len(seeds) == 200


def test_all_stop_when_one_is_told_to_and_go_on_to_the_same_weights(runs: Path) -> None:
    told = [(runs / f"told-{rank}").read_text(encoding="utf-8") for rank in (0, 1)]
    assert all("stopped by SIGTERM after step 3" in one for one in told)
    for name in ("best/model.safetensors", "last/model.safetensors", "predictions.jsonl"):
        whole, resumed = (runs / run / name for run in ("whole", "stopped"))
        assert whole.read_bytes() == resumed.read_bytes(), name
    assert [row["step"] for row in events(runs / "stopped", "step")] == [
        row["step"] for row in events(runs / "whole", "step")
    ]


def test_another_number_of_processes_cannot_go_on(runs: Path) -> None:
    with pytest.raises(RunError, match=r"left cannot go on: processes was 2, is 1"):
        train(TrainRequest(recipe="", resume=str(runs / "left")))


def test_the_command_line_speaks_once(tmp_path: Path, tiny: Path) -> None:
    launch = Path(sys.executable).parent / "accelerate"
    command = [str(launch), "launch", "--multi_gpu", "--main_process_port", "0"]
    command += ["--num_processes", "2", "-m", "bertft"]
    command += ["train", "sentiment", "--model", str(tiny), "--out", "run", *set_flags(*FAST)]
    command += [word for name in write_reviews(tmp_path) for word in (f"--{name}", f"{name}.csv")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("saved   run/best") == 1
    assert json.loads((tmp_path / "run" / "environment.json").read_bytes())["processes"] == 2


def test_wrong_input_is_told_once(command: Any, monkeypatch: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("text,label\nno label\n", encoding="utf-8")
    code, _, told = command("train", "sentiment", "--train", str(bad))
    assert (code, told.count("error: ")) == (2, 1)
    monkeypatch.setitem(os.environ, "RANK", "1")
    assert command("train", "sentiment", "--train", str(bad)) == (2, "", "")


def test_a_batch_smaller_than_the_processes_is_refused() -> None:
    from types import SimpleNamespace

    from bertft.jobs.prepare import refuse_idle_processes
    from bertft.recipe import load_recipe

    recipe = load_recipe("sentiment", overrides=("training.batch_size=3",))
    refuse_idle_processes(recipe, SimpleNamespace(num_processes=3))
    with pytest.raises(RecipeError, match=r"4 processes share batches of 3; --set training.batch"):
        refuse_idle_processes(recipe, SimpleNamespace(num_processes=4))


def test_only_train_runs_in_several_processes(command: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(os.environ, "WORLD_SIZE", "2")
    assert processes.count() == 2
    code, out, err = command("runs", "list")
    assert (code, out) == (2, "")
    assert err.startswith("error: runs runs in one process, not 2")
