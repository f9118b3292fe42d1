"""predict on a terminal: what a person sees, and the prompt, in a pseudo-terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

BERTFT = str(Path(sys.executable).parent / "bertft")
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
FLAGS = ["--run", "demo", "--device", "cpu", "--precision", "fp32"]
Start = Callable[..., pexpect.spawn]


@pytest.fixture
def start(trained: Path, tmp_path: Path) -> Start:
    """Starts ``bertft predict`` on a terminal, in a folder where the run demo is."""
    shutil.copytree(trained, tmp_path / "runs" / "demo")

    def start(*arguments: str, columns: int = 80) -> pexpect.spawn:
        environment = {**os.environ, "TERM": "xterm-256color"}
        for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
            environment.pop(name, None)
        return pexpect.spawn(
            BERTFT,
            ["predict", *arguments, *FLAGS],
            cwd=str(tmp_path),
            env=environment,
            dimensions=(40, columns),
            encoding="utf-8",
            timeout=60,
        )

    return start


def screen(child: pexpect.spawn) -> list[str]:
    """All lines up to the end of the program."""
    if child.after is not pexpect.EOF:
        child.expect(pexpect.EOF)
    child.wait()  # close would end it by a signal
    child.close()
    return [line.rstrip() for line in CODES.sub("", child.before).splitlines()]


@pytest.mark.parametrize("columns", [80, 120])
def test_answers_are_a_table_on_a_terminal(start: Start, tmp_path: Path, columns: int) -> None:
    long = "a good film " * 12 + "end"
    (tmp_path / "in.txt").write_text(f"i love it\n{long}\n영화 정말 좋다\n", encoding="utf-8")
    child = start("in.txt", columns=columns)
    lines = screen(child)
    assert child.exitstatus == 0
    head = next(place for place, line in enumerate(lines) if line.startswith("label"))
    assert lines[head].split() == ["label", "probability", "text"]
    assert re.fullmatch(r"(good|bad) +[01]\.\d{4} +i love it", lines[head + 1])
    column = lines[head].index("text")
    shown = " ".join(line[column:].strip() for line in lines[head + 2 :] if line.strip())
    assert shown.startswith(long)
    assert any(line.endswith("영화 정말 좋다") for line in lines)
    assert all(len(line) <= columns for line in lines if not line.startswith("·"))
    assert not any(line.startswith("{") for line in lines)


def test_a_format_or_a_pipe_gets_lines(start: Start, tmp_path: Path) -> None:
    lines = screen(start("a film", "--format", "jsonl"))
    assert [json.loads(line)["text"] for line in lines if line.startswith("{")] == ["a film"]


def test_the_prompt_answers_line_by_line(start: Start) -> None:
    child = start()
    child.expect("Ctrl-D ends")
    child.expect("text> ")
    child.sendline("a good film")
    child.expect("probability")
    child.expect(r"(good|bad) .*a good film")
    child.expect("text> ")
    child.sendline("")
    child.expect("text> ")
    child.sendline("영화")
    child.expect(r"(good|bad) .*영화")
    child.expect("text> ")
    child.send("\x1b[A\x1b[A")  # the history: the line before the last
    child.expect("a good film")
    child.sendline("")
    child.expect(r"(good|bad) .*a good film")
    child.expect("text> ")
    child.sendeof()
    assert screen(child)[-1] == ""
    assert child.exitstatus == 0


def test_control_c_ends_the_prompt_in_good_order(start: Start) -> None:
    child = start()
    child.expect("text> ")
    for _ in range(6):  # Python misses a signal between the prompt and its wait for keys
        child.sendintr()
        # Long enough for a busy machine: a second signal would meet a process that is ending.
        if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=10) == 0:
            break
    lines = screen(child)
    assert child.exitstatus == 0
    assert not any("Traceback" in line or "error" in line for line in lines)
