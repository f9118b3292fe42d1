"""The installed command in a real shell: start-up time, completion, pipes, exit codes."""

from __future__ import annotations

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


def without_reader(
    *arguments: str, cwd: Path, merged: bool = False, unbuffered: str = ""
) -> tuple[int, str]:
    """Exit code and stderr of a command whose stdout, if merged also stderr, nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [BERTFT, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        stdout=writer,
        stderr=writer if merged else subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    os.close(writer)
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "list"),
        ("recipes", "list", "--json"),
        ("train", "--help"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_answers_that_nobody_reads_are_no_error(
    tmp_path: Path, arguments: tuple[str, ...], unbuffered: str
) -> None:
    """Buffered, they fail when the program ends; unbuffered, at once."""
    assert without_reader(*arguments, cwd=tmp_path, unbuffered=unbuffered) == (0, "")


def test_a_stream_of_answers_that_nobody_reads_is_no_error(tmp_path: Path, trained: Path) -> None:
    """Far more answers than a pipe or a buffer holds: the writing itself fails, not the end."""
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(GOOD * 50), encoding="utf-8")
    arguments = ("predict", str(texts), "--run", str(trained), "--device", "cpu")
    code, messages = without_reader(*arguments, cwd=tmp_path)
    assert (code, "Traceback" in messages, "Exception ignored" in messages) == (0, False, False)


def test_an_error_stays_one_when_nobody_reads(tmp_path: Path) -> None:
    code, messages = without_reader("recipes", "show", "sentimental", cwd=tmp_path)
    assert code == 2
    assert messages.startswith("error:")


def test_messages_that_nobody_reads_do_not_pass_for_success(tmp_path: Path) -> None:
    """Otherwise a training stopped by its reader would look like a finished one."""
    code, _ = without_reader("recipes", "copy", "sentiment", cwd=tmp_path, merged=True)
    assert code != 0
