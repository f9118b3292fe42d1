"""The journal: one JSON object per line, all of them readable whenever the run was killed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bertft.contracts import StepReport
from bertft.training.journal import Journal, read_journal

STEP = StepReport(
    epoch=1,
    step=7,
    total_steps=9,
    loss=0.1 + 0.2,
    learning_rate=1e-5,
    gradient_norm=1 / 3,
    examples=32,
    tokens=411,
    seconds=0.25,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def write(path: Path, *reports: StepReport, note: str = "") -> None:
    journal = Journal(path)
    for report in reports:
        journal.step(report)
    if note:
        journal.write("note", {"text": note})
    journal.close()


def test_a_step_is_one_line_with_all_figures(path: Path) -> None:
    """Numbers come back as they were, to the last bit."""
    write(path, STEP)
    (event,) = read_journal(path)
    assert event.pop("seconds") >= 0
    assert event == {
        "event": "step",
        "epoch": 1,
        "step": 7,
        "loss": 0.1 + 0.2,
        "learning_rate": 1e-5,
        "gradient_norm": 1 / 3,
        "examples": 32,
        "tokens": 411,
        "step_seconds": 0.25,
    }


def test_scores_and_the_reason_to_stop_have_lines_of_their_own(path: Path) -> None:
    scored = replace(STEP, scores={"accuracy": 0.5}, is_best=True)
    write(path, STEP, scored, replace(scored, is_best=False, stop_reason="no better score"))
    events = list(read_journal(path))
    assert [event["event"] for event in events] == [
        "step", "step", "scores", "step", "scores", "note",
    ]  # fmt: skip
    scores = [event for event in events if event["event"] == "scores"]
    assert [event["is_best"] for event in scores] == [True, False]
    assert scores[0]["scores"] == {"accuracy": 0.5}
    assert (scores[0]["step"], scores[0]["split"]) == (7, "dev")
    assert "no better score" in events[-1]["text"]


def test_every_line_is_on_disk_at_once(path: Path) -> None:
    journal = Journal(path)
    for count in range(1, 4):
        journal.step(STEP)
        assert len(list(read_journal(path))) == count
    journal.close()


def test_texts_stay_as_they_are(path: Path) -> None:
    text = "한국어 “texts”\nand lines\u2028of \x00 all kinds"
    write(path, note=text)
    assert [event["text"] for event in read_journal(path)] == [text]
    assert "한국어" in path.read_text(encoding="utf-8")


def test_a_run_that_goes_on_adds_to_its_journal(path: Path) -> None:
    write(path, STEP)
    write(path, replace(STEP, step=8))
    assert [event["step"] for event in read_journal(path)] == [7, 8]


def test_seconds_do_not_go_back(path: Path) -> None:
    write(path, *[STEP] * 20)
    seconds = [event["seconds"] for event in read_journal(path)]
    assert seconds == sorted(seconds)


def test_a_last_line_that_was_cut_is_left_out(path: Path) -> None:
    write(path, STEP, note="stopped")
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    for end in range(first, len(content) - 1):
        path.write_bytes(content[:end])
        found = list(read_journal(path))
        assert [event["event"] for event in found] == ["step"], end


def test_a_last_line_that_was_cut_inside_a_character_is_left_out(path: Path) -> None:
    write(path, STEP, note="끝")
    content = path.read_bytes()
    path.write_bytes(content[: content.index("끝".encode()) + 1])
    assert [event["event"] for event in read_journal(path)] == ["step"]


def test_a_cut_line_does_not_swallow_the_lines_of_a_resumed_run(path: Path) -> None:
    write(path, STEP, STEP)
    path.write_bytes(path.read_bytes()[:-10])
    write(path, replace(STEP, step=8), replace(STEP, step=9))
    assert [event["step"] for event in read_journal(path)] == [7, 8, 9]


def test_every_line_is_json_on_its_own(path: Path) -> None:
    write(path, STEP, replace(STEP, scores={"accuracy": 1.0}), note="done")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["step", "step", "scores", "note"]
