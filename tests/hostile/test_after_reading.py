"""Odd but readable rows through all that follows after reading; ``make fuzz`` takes thousands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import after_reading
from after_reading import TASKS, follow

from bertft.encoder.load import load_tokenizer


@pytest.mark.parametrize("name", TASKS)
def test_nothing_stumbles_over_what_was_read(name, tiny, tmp_path):
    tokenizer = load_tokenizer(tiny)
    faults = [
        fault for seed in range(12) if (fault := follow(name, tokenizer, tmp_path, seed=seed))
    ]
    assert not faults


def test_a_fault_is_seen(tiny, tmp_path, monkeypatch):
    def broken(*given: object, **named: object) -> None:
        from bertft.tasks import make_task

        make_task({"name": "qa"}).decode(None, [])  # type: ignore[arg-type]

    monkeypatch.setattr(after_reading, "_follow", broken)
    assert "Error" in follow("nli", load_tokenizer(tiny), tmp_path, seed=1)
