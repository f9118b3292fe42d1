"""One file of each kind through all verbs; ``make fuzz`` takes hundreds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import valid_fuzzing
from valid_fuzzing import fuzz_valid
from valid_tasks import MAKERS


@pytest.mark.parametrize("name", MAKERS)
def test_valid_files_go_through_every_verb(name, tiny, tmp_path):
    tally = fuzz_valid(name, MAKERS[name], tiny, tmp_path, inputs=1, seed=7)
    assert not tally.faults
    assert tally.commands >= 4


def test_what_is_made_differs_and_can_be_made_again(tmp_path):
    def made(seed: int) -> tuple[str, bytes]:
        sample = MAKERS["classification"](Random(seed), tmp_path)
        return sample.told, sample.train.read_bytes()

    assert made(1) == made(1)
    assert len({made(seed)[0] for seed in range(20)}) > 10


@pytest.mark.parametrize(
    ("code", "out", "kind"),
    [(1, "", "crashes"), (2, "", "refused"), (0, "", "lost"), (None, "", "crashes")],
)
def test_the_fuzzer_sees_what_is_amiss(code, out, kind, tmp_path, monkeypatch):
    def command(*arguments: str) -> tuple[int, str, str]:
        if code is None:
            raise KeyError("x")
        if arguments[0] == "check":
            return code, json.dumps({"splits": {}, "findings": []}), "error"
        return code, json.dumps({"n": 6}) if arguments[0] == "eval" else out, ""

    monkeypatch.setattr(valid_fuzzing, "command", command)
    tally = fuzz_valid("nli", MAKERS["nli"], tmp_path, tmp_path, inputs=1, seed=1)
    assert len(getattr(tally, kind)) == len(tally.faults) >= 1
