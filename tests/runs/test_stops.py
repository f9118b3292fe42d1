"""Whatever ends a training is one line: what happened, where the run stands, the way out.

Real faults are met in tests/faults; here is what this machine cannot bring about.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
from pathlib import Path

import pytest
import torch

from bertft.errors import BertftError, DataError, Interrupted, RunError, TrainingError
from bertft.runs.folder import new_run_folder
from bertft.runs.lock import locked
from bertft.runs.stops import stops_told
from bertft.runs.writing import new_file


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose newest checkpoint is that of step 40; the one before it cannot be read."""
    for name, step in (("last", 40), ("last-1", 20)):
        folder = tmp_path / "run" / name
        folder.mkdir(parents=True)
        state = json.dumps({"progress": {"step": step}})
        (folder / "progress.json").write_text(state, encoding="utf-8")
    return tmp_path / "run"


def told(run: Path | None, error: BaseException) -> BertftError | Interrupted:
    with pytest.raises((BertftError, Interrupted)) as caught, stops_told(run):
        raise error
    return caught.value


STANDING = "the last good checkpoint is that of step 40, {run}/last"
RESUME = "go on with: bertft train --resume {run}"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENOSPC, "x", "a.json"),
            f"a.json: no space left on device; {STANDING}; free some space, then {RESUME}",
        ),
        (
            OSError(errno.EDQUOT, "x"),
            f"{{run}}: disk quota exceeded; {STANDING}; free some space, then {RESUME}",
        ),
        (
            OSError(errno.EIO, "x", "a.json"),
            f"a.json: input/output error; {STANDING}; fix that, then {RESUME}",
        ),
    ],
)
def test_files(run: Path, error: Exception, line: str) -> None:
    found = told(run, error)
    assert isinstance(found, RunError)
    assert str(found) == line.format(run=run)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
        MemoryError(),
    ],
)
@pytest.mark.parametrize("there_is_a_run", [True, False])
def test_memory(run: Path, error: Exception, there_is_a_run: bool) -> None:
    found = told(run if there_is_a_run else None, error)
    assert isinstance(found, TrainingError)
    assert found.message.startswith("memory is used up")
    assert (STANDING.format(run=run) in found.message) == there_is_a_run
    for setting in ("batch_size", "gradient_accumulation", "gradient_checkpointing=true"):
        assert f"training.{setting}" in found.hint
    assert "model.max_length" in found.hint


def test_a_loss_that_is_no_number(run: Path) -> None:
    found = told(run, TrainingError("the loss is nan at step 41 (examples 3)", hint="lower it"))
    line = f"the loss is nan at step 41 (examples 3); {STANDING}; lower it".format(run=run)
    assert str(found) == line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(run: Path, number: signal.Signals) -> None:
    found = told(run, KeyboardInterrupt(number))
    assert found.exit_code == 128 + number
    assert str(found) == f"stopped by {number.name}; {RESUME}".format(run=run)
    assert told(None, KeyboardInterrupt()).exit_code == 130


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(errno.EPIPE, "x"),
        RuntimeError("a fault of ours"),
        ZeroDivisionError(),
        DataError("wrong", path="a.csv", line=3),
    ],
)
def test_what_passes(run: Path, error: Exception) -> None:
    """Faults of ours stay what they are, and what is one line already does not grow."""
    with pytest.raises(type(error)) as caught, stops_told(run):
        raise error
    assert caught.value is error


def test_no_checkpoint_is_left(tmp_path: Path) -> None:
    found = told(tmp_path, OSError(errno.ENOENT, "x", "a.json"))
    assert str(found) == (
        f"a.json: no such file or directory; {tmp_path} has no checkpoint any more; train anew"
    )


class TestFiles:
    def test_a_new_file_appears_whole(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text("old", encoding="utf-8")

        def write() -> None:
            with new_file(path) as file:
                file.write("half")
                raise OSError(errno.ENOSPC, "x")

        with pytest.raises(OSError, match="x"):
            write()
        assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"a.txt": "old"}

    def test_a_run_directory_appears_whole(self, tmp_path):
        def write(folder: Path) -> None:
            (folder / "recipe.toml").touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.raises(RunError, match=r"run cannot be created \(No space left on device\)"):
            new_run_folder(str(tmp_path / "run"), recipe="", write=write)
        assert list(tmp_path.iterdir()) == []

    def test_a_file_system_without_locks_is_told(self, tmp_path, monkeypatch):
        def refuse(_descriptor: int, _operation: int) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(fcntl, "flock", refuse)
        notes: list[str] = []
        with locked(tmp_path, tell=notes.append):
            pass
        assert notes == [
            f"{tmp_path} cannot be locked (No locks available): do not use it twice at once"
        ]
