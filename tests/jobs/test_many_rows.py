"""Many rows are kept as bytes and flat arrays, and their words remembered: nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
from stopping import outcome

from bertft import rows
from bertft.commands.train import train
from bertft.encoder import encoded_rows
from bertft.encoder.encoded_rows import EncodedRows
from bertft.jobs import prepare
from bertft.tasks import long_text


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("training.freeze=layers:1",),
        ("training.mode=features",),
        ("training.mode=few-shot",),
        ("task.long_text=windows", "task.window_overlap=2", "model.max_length=8"),
        ("data.train_share=0.5",),
    ],
)
def test_the_run_is_the_same_to_the_last_bit(ask, monkeypatch, settings):
    few = train(ask("few", *settings))
    monkeypatch.setattr(rows, "MANY", 5)
    monkeypatch.setattr(rows, "IN_MEMORY", 200)  # bytes: the rest goes to a file
    monkeypatch.setattr(encoded_rows, "MANY", 1)
    monkeypatch.setattr(long_text, "MANY", 1)
    monkeypatch.setattr(long_text, "CHUNK", 5)
    made: list[Any] = []
    compact, read_splits = prepare.compact, prepare.read_splits
    read: list[Any] = []

    def seen(encoded: Any) -> Any:
        made.append(compact(encoded))
        return made[-1]

    def also_seen(*given: Any, **more: Any) -> Any:
        read.append(read_splits(*given, **more))
        return read[-1]

    monkeypatch.setattr(prepare, "compact", seen)
    monkeypatch.setattr(prepare, "read_splits", also_seen)
    many = train(ask("many", *settings))
    assert len(made) == 2
    assert all(isinstance(one, EncodedRows) for one in made)
    assert read
    assert not isinstance(read[0][0]["train"], list)
    assert few is not None
    assert many is not None
    assert outcome(many.run) == outcome(few.run)
