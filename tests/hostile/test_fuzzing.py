"""A few broken files for every reader; ``make fuzz`` takes tens of thousands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing import fuzz, lay_out
from readers import readers

from bertft.errors import BertftError

INPUTS = 40
MEBI = 1024
"""Memory that no reader may add, in MiB."""


@pytest.fixture(scope="module")
def place(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("place"), trained)


@pytest.fixture(scope="module")
def every_reader(trained: Path):
    return readers(trained)


def test_readers_read_what_is_whole(every_reader, place):
    for reader in every_reader:
        for sample in reader.samples:
            (place / reader.file).write_bytes(sample)
            assert reader.read(place) > 0, reader.name


def test_no_reader_stumbles(every_reader, place):
    for reader in every_reader:
        tally = fuzz(reader, place, inputs=max(1, INPUTS // reader.cost), seed=7)
        assert not tally.crashes, f"{reader.name}: {tally.crashes}"
        assert tally.peak < MEBI, reader.name


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (KeyError("x"), "KeyError"),
        (RecursionError("x"), "RecursionError"),
        (BertftError(""), "without a word"),
        (SystemExit(1), "SystemExit"),
    ],
)
def test_the_fuzzer_sees_a_crash(every_reader, place, error, fault, monkeypatch):
    from dataclasses import replace

    def read(folder: Path) -> int:
        raise error

    (found,) = fuzz(replace(every_reader[0], read=read), place, inputs=1, seed=1).crashes
    assert fault in found


def test_the_fuzzer_sees_a_hang(every_reader, place, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr("fuzzing.SECONDS", 0.1)

    def read(folder: Path) -> int:
        while True:
            pass

    (found,) = fuzz(replace(every_reader[0], read=read), place, inputs=1, seed=1).crashes
    assert "TooSlow" in found
