"""Two processes that share out one model (FSDP 2) train and save what one process does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from samples import BAD, FAST, GOOD, write_csv, write_reviews
from stopping import events
from transformers import AutoModelForSequenceClassification

from bertft.commands.train import train
from bertft.errors import DeviceError, RunError
from bertft.jobs.request import TrainRequest
from bertft.training import processes, sharding
from bertft.training.runtime import Runtime, make_accelerator

# Port 0 is any free one: two test suites may run on one machine.
LAUNCH = (
    *("launch", "--main_process_port", "0", "--num_processes", "2"),
    *("--use_fsdp", "--fsdp_version", "2"),
)
# 48 rows in steps of 14: the last step has 6, a pass of 5 and one of 1, of which one process has
# none.
UNEVEN = (
    "training.batch_size=5",
    "training.gradient_accumulation=3",
    "training.evaluate_every=4",
    "training.learning_rate=1e-4",
)
TEXT = "the film is good and not bad\nwe love it\nthe plot is slow\n\nthe food is very good\nno\n\n"


def launch(folder: Path, jobs: Sequence[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    """Take jobs, as worker.py does, in two processes that Accelerate is told to shard over."""
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    worker = str(Path(__file__).with_name("worker.py"))
    command = [str(Path(sys.executable).parent / "accelerate"), *LAUNCH, worker]
    command.append(str(folder / "jobs.json"))
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def runs(tiny: Path, steady: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``one`` and ``parts`` without dropout; ``killed`` goes on, ``whole`` does not have to."""
    folder = tmp_path_factory.mktemp("runs")
    reviews = {name: str(path) for name, path in write_reviews(folder).items()}
    (folder / "text.txt").write_text(TEXT * 6, encoding="utf-8")
    rows = [(f"{one},{other}", str(number % 5)) for number, one in enumerate(GOOD) for other in BAD]
    write_csv(folder / "alike.csv", rows, header="sentence1,sentence2,label")
    kinds = {
        "": ("sentiment", reviews),
        "text": ("pretrain", dict.fromkeys(("train", "dev"), str(folder / "text.txt"))),
        # The head has one row only, so that one of the processes has no part of it.
        "number": ("stsb", dict.fromkeys(("train", "dev"), str(folder / "alike.csv"))),
    }

    def job(name: str, model: Path, *settings: str) -> dict[str, Any]:
        recipe, files = kinds[name.partition("-")[2]]
        return {
            "recipe": recipe,
            "overrides": (*FAST, *UNEVEN, *settings),
            "model": str(model),
            "out": str(folder / name),
            **files,
        }

    for name in ("one", "one-text", "one-number"):
        train(TrainRequest(**job(name, steady)))
    often = "training.save_every=1"
    # Dev in three batches: one process has nothing left for the last.
    jobs: list[dict[str, Any]] = [{"request": job("parts", steady), "max_tokens": 20}]
    jobs += [{"request": job(f"parts-{name}", steady)} for name in ("text", "number")]
    jobs += [{"request": job("whole", tiny, often)}]
    jobs += [{"request": job("killed", tiny, often), "killed_at": 3}]
    stopped = launch(folder, jobs)
    assert "SIGKILL" in stopped.stderr, stopped.stderr[-3000:]
    assert not (folder / "killed" / "scores.json").exists()
    done = launch(folder, [{"request": {"recipe": "", "resume": str(folder / "killed")}}])
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def evaluations(run: Path) -> list[dict[str, Any]]:
    return [row["scores"] for row in events(run, "scores")]


@pytest.mark.parametrize("name", ["", "-text", "-number"])
def test_parts_train_what_the_whole_does(runs: Path, name: str) -> None:
    one, parts = (events(runs / f"{count}{name}", "step") for count in ("one", "parts"))
    assert len(one) == len(parts) >= 4
    for figure in ("loss", "gradient_norm", "learning_rate"):
        assert [row[figure] for row in parts] == pytest.approx(
            [row[figure] for row in one], abs=1e-6
        ), figure


@pytest.mark.parametrize("name", ["", "-text", "-number"])
def test_parts_score_what_the_whole_does(runs: Path, name: str) -> None:
    one, parts = (evaluations(runs / f"{count}{name}") for count in ("one", "parts"))
    assert len(one) == len(parts) >= 1
    for ours, theirs in zip(parts, one, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


@pytest.mark.parametrize("name", ["", "-text", "-number"])
def test_what_is_saved_is_what_one_process_saves(runs: Path, name: str) -> None:
    for folder in ("last", "best"):
        one, parts = runs / f"one{name}" / folder, runs / f"parts{name}" / folder
        assert {path.name for path in parts.iterdir()} == {path.name for path in one.iterdir()}
        for file in one.glob("*.safetensors"):
            theirs, ours = load_file(file), load_file(parts / file.name)
            assert list(ours) == list(theirs)
            for key, tensor in theirs.items():
                torch.testing.assert_close(ours[key], tensor, atol=1e-6, rtol=0, msg=key)
        if folder == "best":
            assert (parts / "config.json").read_bytes() == (one / "config.json").read_bytes()


def test_the_best_model_loads_in_plain_transformers(runs: Path) -> None:
    model, told = AutoModelForSequenceClassification.from_pretrained(
        runs / "parts" / "best", output_loading_info=True
    )
    assert type(model).__name__ == "BertForSequenceClassification"
    assert not any(told.values())


def test_a_killed_run_goes_on_to_the_same_bytes(runs: Path) -> None:
    for name in ("best/model.safetensors", "last/model.safetensors", "last/optimizer.safetensors"):
        whole, killed = (runs / run / name for run in ("whole", "killed"))
        assert whole.read_bytes() == killed.read_bytes(), name
    assert [row["step"] for row in events(runs / "killed", "step")] == [
        row["step"] for row in events(runs / "whole", "step")
    ]
    notes = (runs / "killed" / "journal.jsonl").read_text(encoding="utf-8")
    assert "going on after step 3" in notes
    assert "shared out over 2 processes (FSDP 2)" in notes


def test_only_as_it_was_started_can_it_go_on(runs: Path) -> None:
    (runs / "killed" / "scores.json").unlink()
    match = "cannot go on: processes was 2, is 1, sharded was true, is false"
    with pytest.raises(RunError, match=match):
        train(TrainRequest(recipe="", resume=str(runs / "killed")))


@pytest.fixture
def fresh_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As the launcher sets the environment, but for one process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setattr(os, "environ", os.environ | {"ACCELERATE_USE_FSDP": "true"})
    monkeypatch.setenv("FSDP_VERSION", "2")
    yield monkeypatch
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("FSDP_VERSION", "1", "FSDP 1 is not supported; launch with --fsdp_version 2"),
        ("FSDP_OFFLOAD_PARAMS", "true", "FSDP's offloading to the CPU is not supported"),
        ("FSDP_ACTIVATION_CHECKPOINTING", "true", "--set training.gradient_checkpointing=true"),
        ("FSDP_IGNORED_MODULES", "bert.pooler", "FSDP without some modules is not supported"),
        ("ACCELERATE_USE_PARALLELISM_CONFIG", "true", "a parallelism config is not supported"),
        ("ACCELERATE_USE_DEEPSPEED", "true", "DeepSpeed is not supported; launch with --multi_gpu"),
        ("ACCELERATE_USE_MEGATRON_LM", "true", "Megatron-LM is not supported"),
    ],
)
def test_what_is_not_supported_is_refused(
    fresh_state: pytest.MonkeyPatch, name: str, value: str, what: str
) -> None:
    fresh_state.setenv(name, value)
    with pytest.raises(DeviceError, match=what):
        make_accelerator(Runtime("cpu", "fp32", "as set", 1))


def test_fp16_is_refused(fresh_state: pytest.MonkeyPatch) -> None:
    fresh_state.setattr(processes, "count", lambda: 2)
    fresh_state.setattr(processes, "main_decides", lambda decide: decide())
    with pytest.raises(DeviceError, match=r"fp16 is not supported; --set training.precision=fp32"):
        make_accelerator(Runtime("cpu", "fp16", "as set", 1))


def test_one_process_keeps_the_whole_model(fresh_state: pytest.MonkeyPatch) -> None:
    accelerator, runtime = make_accelerator(Runtime("cpu", "fp32", "as set", 1))
    assert not runtime.sharded
    assert not accelerator.is_fsdp2
    assert os.environ[sharding.ASKED] == "true"
