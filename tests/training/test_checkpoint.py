"""Checkpoints appear whole or not at all, show damage, and bring back the very same state."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from bertft.errors import RunError
from bertft.runs.saving import state_saver
from bertft.training import loop
from bertft.training.checkpoint import (
    Checkpoint,
    load_state,
    open_checkpoint,
    save_state,
    take_state,
)
from bertft.training.folders import (
    MANIFEST,
    replace_folder,
    saved_folders,
    settle_folders,
    verify_folder,
)
from bertft.training.progress import Progress

Start = Callable[..., SimpleNamespace]


def writer(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "a.txt").write_text(text, encoding="utf-8")
        (folder / "deep").mkdir()
        (folder / "deep" / "b.bin.txt").write_bytes(bytes(range(256)))

    return write


def failing(folder: Path) -> None:
    (folder / "a.txt").write_text("half of it", encoding="utf-8")
    raise OSError(28, "No space left on device")


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "last"
    replace_folder(target, writer("one"))
    verify_folder(target)
    assert (target / "a.txt").read_text(encoding="utf-8") == "one"
    assert sorted(path.name for path in target.parent.iterdir()) == ["last"]


def test_a_run_directory_that_was_removed_stays_removed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "run" / "last", writer("one"))
    assert not (tmp_path / "run").exists()


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    """Nothing of the old folder is left, inside or beside the new one."""
    target = tmp_path / "last"
    replace_folder(target, lambda folder: (folder / "old.txt").touch())
    replace_folder(target, writer("two"))
    verify_folder(target)
    assert {path.name for path in target.iterdir()} == {"a.txt", "deep", MANIFEST}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last"]


def test_a_failed_write_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "last"
    replace_folder(target, writer("one"))
    with pytest.raises(OSError, match="No space left"):
        replace_folder(target, failing)
    verify_folder(target)
    assert (target / "a.txt").read_text(encoding="utf-8") == "one"


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    target = tmp_path / "last"
    with pytest.raises(OSError, match="No space left"):
        replace_folder(target, failing)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_shifts_no_older_folder(tmp_path: Path) -> None:
    target = tmp_path / "last"
    for text in ("one", "two"):
        replace_folder(target, writer(text), keep=2)
    with pytest.raises(OSError, match="No space left"):
        replace_folder(target, failing, keep=2)
    assert texts(target) == {"last": "two", "last-1": "one"}


@pytest.mark.parametrize("kind", [SafetensorError, Exception])
def test_errors_of_libraries_are_those_of_the_system(tmp_path: Path, kind: type[Exception]) -> None:
    """tokenizers raises bare Exceptions."""

    def write(_folder: Path) -> None:
        raise kind("I/O error: No space left on device (os error 28)")

    with pytest.raises(OSError, match="No space left") as caught:
        replace_folder(tmp_path / "last", write)
    assert caught.value.errno == 28
    assert list(tmp_path.iterdir()) == []


def texts(target: Path) -> dict[str, str]:
    """What was written to each folder, newest first."""
    found = saved_folders(target)
    return {folder.name: (folder / "a.txt").read_text(encoding="utf-8") for folder in found}


@pytest.mark.parametrize("keep", [1, 2, 3, 4])
def test_the_newest_folders_are_kept(tmp_path: Path, keep: int) -> None:
    target = tmp_path / "last"
    for number in range(12):
        replace_folder(target, writer(str(number)), keep=keep)
    names = ["last", "last-1", "last-2", "last-3"][:keep]
    assert texts(target) == {name: str(11 - i) for i, name in enumerate(names)}
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for folder in saved_folders(target):
        verify_folder(folder)


class Killed(BaseException):
    """The end of the process, as code that only catches Exception sees it."""


@pytest.mark.parametrize("keep", [1, 2, 3])
@pytest.mark.parametrize("renames", range(6))
def test_killed_between_renames_there_is_still_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int, keep: int
) -> None:
    """Whatever ends the process, the target is the old folder or the new one."""
    target, done = tmp_path / "last", 0
    for number in range(4):
        replace_folder(target, writer(str(number)), keep=keep)
    rename = Path.rename

    def mortal(self: Path, to: Path) -> Path:
        nonlocal done
        if done == renames:
            raise Killed
        done += 1
        return rename(self, to)

    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(Path, "rename", mortal)
        replace_folder(target, writer("4"), keep=keep)
    settle_folders(target)
    found = texts(target)
    assert list(found) == ["last", "last-1", "last-2", "last-3"][: len(found)]
    newest = int(found["last"])
    assert newest in (3, 4)
    assert [int(text) for text in found.values()] == [newest - i for i in range(len(found))]
    assert len(found) >= min(keep, newest + 1)
    replace_folder(target, writer("5"), keep=keep)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(texts(target))
    assert len(texts(target)) == min(keep, len(found) + 1)


def test_all_files_reach_the_disk_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    flush, rename = os.fsync, Path.rename

    def noted_flush(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        flush(descriptor)

    def noted_rename(self: Path, to: Path) -> Path:
        events.append(f"rename to {to.name}")
        return rename(self, to)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("names of open files are read from /proc")
    monkeypatch.setattr(os, "fsync", noted_flush)
    monkeypatch.setattr(Path, "rename", noted_rename)
    replace_folder(tmp_path / "last", writer("one"))
    renamed = events.index("rename to last")
    assert {"a.txt", "b.bin.txt", "deep", MANIFEST, ".last.partial"} <= set(events[:renamed])
    assert events[renamed + 1 :] == [tmp_path.name]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    "damage", [flip, truncate, Path.unlink, lambda path: path.write_bytes(b"")]
)
@pytest.mark.parametrize("name", ["a.txt", "deep/b.bin.txt"])
def test_damage_to_a_file_is_seen(tmp_path: Path, damage: Callable[[Path], Any], name: str) -> None:
    target = tmp_path / "last"
    replace_folder(target, writer("some text"))
    damage(target / name)
    with pytest.raises(RunError, match=name):
        verify_folder(target)


def other_json(path: Path) -> None:
    path.write_text("[1]", encoding="utf-8")


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip,
        Path.unlink,
        other_json,
    ],
)
def test_damage_to_the_manifest_is_seen(tmp_path: Path, damage: Callable[[Path], Any]) -> None:
    target = tmp_path / "last"
    replace_folder(target, writer("some text"))
    damage(target / MANIFEST)
    with pytest.raises(RunError, match="last"):
        verify_folder(target)


def trained(start: Start, tiny: Path, *, steps: int) -> tuple[SimpleNamespace, Progress, Any]:
    """A run with dropout after some steps: (what was started, its progress, steps to come)."""
    started = start("training.batch_size=5", "training.epochs=2", model=tiny)
    progress = Progress()
    coming = loop.run(started.trainer, progress=progress, evaluate=None)
    for _ in range(steps):
        next(coming)
    return started, progress, coming


def test_a_saved_state_comes_back_bit_for_bit(start: Start, tiny: Path, tmp_path: Path) -> None:
    """Weights, moments, counts of steps, learning rates, and progress."""
    started, progress, _ = trained(start, tiny, steps=4)
    progress.best_score, progress.best_step = 1 / 3, 2
    state_saver(started.job, started.trainer, tmp_path, progress=progress)()
    other, _, _ = trained(start, tiny, steps=1)
    optimizer = other.trainer.optimizer
    checkpoint = open_checkpoint(tmp_path / "last")
    load_state(checkpoint, other.model, optimizer)
    assert checkpoint.progress == progress
    assert checkpoint.depends["recipe"] == started.job.recipe.resolved()
    for name, tensor in started.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], tensor), name
    expected = started.trainer.optimizer.state_dict()["state"]
    state = optimizer.state_dict()["state"]
    assert state.keys() == expected.keys()
    for index, moments in expected.items():
        assert state[index].keys() == moments.keys()
        for key, tensor in moments.items():
            assert state[index][key].dtype == tensor.dtype
            assert torch.equal(state[index][key], tensor), (index, key)


@pytest.mark.parametrize(
    ("done", "precision"), [(1, "fp32"), (3, "fp32"), (5, "fp32"), (3, "bf16")]
)
def test_training_goes_on_as_if_never_stopped(
    start: Start, tiny: Path, tmp_path: Path, done: int, precision: str
) -> None:
    """Mid-epoch or at an epoch's end: the final weights are equal to the last bit."""
    start = partial(start, f"training.precision={precision}")
    started, progress, coming = trained(start, tiny, steps=done)
    state_saver(started.job, started.trainer, tmp_path, progress=progress)()
    losses = [report.loss for report in coming]
    other, _, _ = trained(start, tiny, steps=0)
    checkpoint = open_checkpoint(tmp_path / "last")
    load_state(checkpoint, other.model, other.trainer.optimizer)
    reports = list(loop.run(other.trainer, progress=checkpoint.progress, evaluate=None))
    assert [report.loss for report in reports] == losses
    for name, tensor in started.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], tensor), name


def test_a_state_holds_no_pickle(start: Start, tiny: Path, tmp_path: Path) -> None:
    started, progress, _ = trained(start, tiny, steps=1)
    state_saver(started.job, started.trainer, tmp_path, progress=progress)()
    files = [path for path in (tmp_path / "last").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".safetensors", ".json"}
    # Pickles of protocol 2 and above start with 0x80, torch's archives with PK.
    assert not [path for path in files if path.read_bytes()[:1] in (b"\x80", b"P")]


def test_a_damaged_state_is_not_opened(start: Start, tiny: Path, tmp_path: Path) -> None:
    started, progress, _ = trained(start, tiny, steps=1)
    state_saver(started.job, started.trainer, tmp_path, progress=progress)()
    flip(tmp_path / "last" / "optimizer.safetensors")
    with pytest.raises(RunError, match=r"optimizer\.safetensors"):
        open_checkpoint(tmp_path / "last")


class Scaler:
    """What a gradient scaler keeps (torch.amp.GradScaler, which has a state only on a GPU)."""

    def __init__(self, scale: float) -> None:
        self.state = {"scale": scale, "_growth_tracker": 7}

    def state_dict(self) -> dict[str, float]:
        return self.state

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.state = state


def test_the_gradient_scaler_comes_back(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    tmp_path.joinpath("last").mkdir()
    save_state(
        tmp_path / "last",
        take_state(model, optimizer, scaler=Scaler(1024.0)),
        progress=Progress(),
        depends={},
    )
    saved = json.loads((tmp_path / "last" / "progress.json").read_text(encoding="utf-8"))
    checkpoint = Checkpoint(tmp_path / "last", Progress(), {}, saved["scaler"])
    other = Scaler(1.0)
    load_state(checkpoint, model, optimizer, scaler=other)
    assert other.state == {"scale": 1024.0, "_growth_tracker": 7}


def test_tied_weights_are_stored_once_and_stay_tied(tmp_path: Path) -> None:
    def tied() -> torch.nn.Module:
        model = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 4))
        model[0].weight = model[1].weight
        return model

    model, other = tied(), tied()
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    state = take_state(model, optimizer)
    assert list(state.weights) == ["0.weight", "1.bias"]
    replace_folder(
        tmp_path / "last",
        lambda folder: save_state(folder, state, progress=Progress(step=1), depends={}),
    )
    optimizer = torch.optim.AdamW(other.parameters())
    load_state(open_checkpoint(tmp_path / "last"), other, optimizer)
    assert other[0].weight is other[1].weight
    assert torch.equal(other[0].weight, model[0].weight)


def test_a_state_of_another_model_is_not_loaded(tmp_path: Path) -> None:
    """Not even in part: tensors of other names would be left as they are."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    optimizer = torch.optim.AdamW(model.parameters())
    state = take_state(model, optimizer)
    replace_folder(
        tmp_path / "last",
        lambda folder: save_state(folder, state, progress=Progress(), depends={}),
    )
    other = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    with pytest.raises(RunError, match="another model"):
        load_state(open_checkpoint(tmp_path / "last"), other, optimizer)
