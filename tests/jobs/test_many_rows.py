"""Many rows are kept in flat arrays, and their words are remembered: nothing else changes by it."""

from __future__ import annotations

from typing import Any

import pytest
from stopping import outcome

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
    monkeypatch.setattr(encoded_rows, "MANY", 1)
    monkeypatch.setattr(long_text, "MANY", 1)
    monkeypatch.setattr(long_text, "CHUNK", 5)
    made: list[Any] = []
    compact = prepare.compact

    def seen(encoded: Any) -> Any:
        made.append(compact(encoded))
        return made[-1]

    monkeypatch.setattr(prepare, "compact", seen)
    many = train(ask("many", *settings))
    assert len(made) == 2
    assert all(isinstance(one, EncodedRows) for one in made)
    assert few is not None
    assert many is not None
    assert outcome(many.run) == outcome(few.run)
