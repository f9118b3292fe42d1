"""Answers in parts: whatever is killed, and whoever writes a part, the bytes are the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from faults.processes import dying_at
from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.errors import BertftError, RunError
from bertft.prediction.parts import AnswerFolder, Shard, answer_in_parts, fingerprint
from bertft.watch import Silent


class Killed(BaseException):
    """Stands for a kill."""


def answer_all(path: Path, shard: Shard, *, rows: int, size: int, kill_at: int = -1) -> list[int]:
    """Answer ``rows`` numbers in parts of ``size``; the rows that were computed, until a kill."""
    folder = AnswerFolder(path, shard, suffix=".txt", asked={"inputs": rows}, rows=size)
    computed: list[int] = []

    def answer(part: Iterator[int]) -> Iterator[int]:
        numbers = list(part)
        for one in numbers:  # the place in its part is in it: parts are answered by themselves
            if len(computed) == kill_at:
                raise Killed
            computed.append(one)
            yield one * 1000 + len(numbers)

    @contextmanager
    def write(file: Path) -> Iterator[Callable[[int], bool]]:
        with file.open("w", encoding="utf-8") as out:
            yield lambda one: out.write(f"{one}\n") < 0

    with folder.opened(overwrite=False, watch=Silent()):
        if folder.total is None:
            answer_in_parts(folder, range(rows), answer, write=write)
    return computed


def content(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in sorted(path.glob("part-*"))}


@given(
    rows=st.integers(0, 40),
    size=st.integers(1, 12),
    of=st.integers(1, 5),
    kills=st.lists(st.integers(0, 15), max_size=6),
    order=st.randoms(),
)
@settings(max_examples=60, deadline=None)
def test_kills_and_shards_change_nothing(rows, size, of, kills, order) -> None:
    with TemporaryDirectory() as base:
        whole, shared = Path(base) / "whole", Path(base) / "shared"
        assert answer_all(whole, Shard(), rows=rows, size=size) == list(range(rows))
        shards = [Shard(number, of) for number in range(1, of + 1)]
        for kill_at in kills:
            with suppress(Killed):
                answer_all(shared, order.choice(shards), rows=rows, size=size, kill_at=kill_at)
        order.shuffle(shards)
        for shard in shards:
            answer_all(shared, shard, rows=rows, size=size)
        assert content(shared) == content(whole)
        assert len(content(whole)) == -(-rows // size)
        for shard in shards:
            manifest = json.loads((shared / f"_{shard.name}.json").read_text())
            assert (manifest["done"], manifest["rows"]) == (True, rows)
            for number, part in manifest["parts"].items():
                data = (shared / f"part-{int(number):05}.txt").read_bytes()
                assert part["sha256"] == hashlib.sha256(data).hexdigest()
                assert part["rows"] == len(data.splitlines())
            assert answer_all(shared, shard, rows=rows, size=size) == []  # nothing twice


def test_a_damaged_part_is_answered_again(tmp_path: Path) -> None:
    answer_all(tmp_path, Shard(), rows=10, size=4)
    before = content(tmp_path)
    (tmp_path / "part-00001.txt").write_text("4\n")
    (tmp_path / "part-00002.txt").unlink()
    assert answer_all(tmp_path, Shard(), rows=10, size=4) == [4, 5, 6, 7, 8, 9]
    assert content(tmp_path) == before


def test_a_kill_leaves_no_half_part(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        answer_all(tmp_path, Shard(), rows=10, size=4, kill_at=6)
    assert list(content(tmp_path)) == ["part-00000.txt"]
    assert not list(tmp_path.glob("*.partial")) + list(tmp_path.glob(".*.partial"))


def test_killed_at_every_touch_of_the_folder(tmp_path: Path) -> None:
    answer_all(tmp_path / "whole", Shard(), rows=10, size=4)
    for number in range(1, 1000):
        folder = tmp_path / f"killed-{number}"
        child = os.fork()
        if child == 0:
            dying_at(number, folder)()
            answer_all(folder, Shard(), rows=10, size=4)
            os._exit(0)
        finished = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        answer_all(folder, Shard(), rows=10, size=4)
        assert content(folder) == content(tmp_path / "whole"), number
        if finished:
            break
    assert 30 < number < 999


def test_other_inputs_are_refused(tmp_path: Path) -> None:
    answer_all(tmp_path, Shard(), rows=10, size=4)
    with pytest.raises(BertftError, match="holds answers with other inputs"):
        answer_all(tmp_path, Shard(), rows=11, size=4)


def test_other_numbers_of_shards_are_refused(tmp_path: Path) -> None:
    answer_all(tmp_path, Shard(1, 2), rows=10, size=4)
    with pytest.raises(BertftError, match="holds answers in 2 shards, not 3"):
        answer_all(tmp_path, Shard(1, 3), rows=10, size=4)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BertftError, match="is not empty"):
        answer_all(tmp_path, Shard(), rows=10, size=4)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_two_processes_do_not_write_one_shard(tmp_path: Path) -> None:
    folder = AnswerFolder(tmp_path, Shard(), suffix=".txt", asked={})
    other = AnswerFolder(tmp_path, Shard(), suffix=".txt", asked={})
    with folder.opened(overwrite=False, watch=Silent()):
        with (
            pytest.raises(RunError, match="being written by another process"),
            other.opened(overwrite=False, watch=Silent()),
        ):
            pytest.fail("both opened it")
        neighbour = AnswerFolder(tmp_path, Shard(1, 1), suffix=".txt", asked={})
        assert neighbour.manifest == folder.manifest


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "a/b", "1/0", "1/99999", "-1/2"])
def test_shards_that_are_none(text: str) -> None:
    with pytest.raises(BertftError, match="not a shard"):
        Shard.parse(text)


def test_a_shard() -> None:
    assert Shard.parse("3/16") == Shard(3, 16)
    assert [part for part in range(8) if Shard(3, 4).holds(part)] == [2, 6]


def test_fingerprints_follow_content(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    path = str(tmp_path / "texts")
    first = fingerprint([path], model)
    assert fingerprint([path], model) == first
    (tmp_path / "texts" / "a.txt").write_text("b")
    assert fingerprint([path], model)["inputs"] != first["inputs"]
    with pytest.raises(BertftError, match="stdin is read only once"):
        fingerprint(["-"], model)
