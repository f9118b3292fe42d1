"""The journal: one JSON object per line, all of them readable whenever the run was killed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.training.journal import Journal, cut_back, read_journal
from bertft.watch import StepReport

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


def whole_journal(path: Path, steps: int) -> list[dict[str, object]]:
    """A journal of so many steps, scores after every second one, stopped and gone on half-way."""
    journal = Journal(path)
    journal.write("plan", {"steps": steps})
    journal.write("start", {"step": 0})
    for number in range(1, steps + 1):
        scores = {"accuracy": number / 10} if number % 2 == 0 else None
        journal.step(replace(STEP, step=number, scores=scores))
        if number == steps // 2:
            journal.write("note", {"step": number, "text": "stopped by SIGTERM"})
            journal.write("start", {"step": number})
    journal.write("finish", {"best_step": 4})
    journal.close()
    return list(read_journal(path))


@given(step=st.integers(0, 9), lost=st.integers(0, 400))
def test_cut_back_to_a_step(tmp_path_factory: pytest.TempPathFactory, step: int, lost: int) -> None:
    """What a step and those before it wrote is kept, wherever the last line was cut off."""
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    events = whole_journal(path, 8)
    content = path.read_bytes()[: -lost or None]
    path.write_bytes(content)
    cut_back(path, step=step)
    Journal(path).close()
    whole = content.count(b"\n")
    expected = [
        one for one in events[:whole] if one.get("step", 0) <= step and one["event"] != "finish"
    ]
    assert list(read_journal(path)) == expected
    assert content.startswith(path.read_bytes())


def test_a_damaged_line_does_not_take_the_others_with_it(path: Path) -> None:
    whole_journal(path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = b"\xff" + lines[3][1:]
    path.write_bytes(b"".join(lines))
    cut_back(path, step=2)
    kept = path.read_bytes().splitlines(keepends=True)
    assert kept == lines[: len(kept)]
    assert b'"stopped by SIGTERM"' in kept[-2]


def test_there_may_be_no_journal(path: Path) -> None:
    cut_back(path, step=2)
    assert not path.exists()


def test_a_journal_that_was_removed_is_missed(path: Path) -> None:
    journal = Journal(path)
    journal.step(STEP)
    journal.flush()
    path.unlink()
    journal.step(STEP)
    with pytest.raises(FileNotFoundError, match=r"journal\.jsonl"):
        journal.flush()
    journal.close()
