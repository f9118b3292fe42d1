"""The installed command in a real shell: start-up time, completion, pipes, exit codes."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from samples import GOOD

BERTFT = str(Path(sys.executable).parent / "bertft")


def run(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BERTFT, *arguments], cwd=cwd, input=stdin, capture_output=True, text=True, check=False
    )


def test_help_answers_without_loading_torch(tmp_path: Path) -> None:
    """0.3 s is the promise; CPU time, unlike wall time, does not depend on what else is running."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run("--help", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    assert "train" in done.stdout
    spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    assert spent < 0.6


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_installed(tmp_path: Path, shell: str) -> None:
    environment = os.environ | {"_BERTFT_COMPLETE": f"source_{shell}"}
    done = subprocess.run(
        [BERTFT], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "_BERTFT_COMPLETE" in done.stdout


def test_completion_offers_the_verbs(tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash on this machine")
    environment = os.environ | {
        "_BERTFT_COMPLETE": "complete_bash",
        "COMP_WORDS": "bertft pre",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [BERTFT], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "predict" in done.stdout


def test_train_eval_predict_in_a_shell(
    tmp_path: Path, tiny: Path, reviews: dict[str, Path]
) -> None:
    files = [part for name, path in reviews.items() for part in (f"--{name}", str(path))]
    settings = ["--set", "model.max_length=32", "--set", "training.device=cpu"]
    done = run("train", "sentiment", "--model", str(tiny), *files, *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    done = run("eval", "sentiment", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n"] == len(reviews["test"].read_text().splitlines()) - 1
    done = run("predict", "-", cwd=tmp_path, stdin="\n".join(GOOD))
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == GOOD


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{BERTFT} models list | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "0"
    assert "Traceback" not in done.stderr
