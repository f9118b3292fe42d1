"""What a terminal would obey does not reach it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.console.console import Console
from bertft.terminal import Terminal, printable, shown


@given(st.text(st.characters(exclude_categories=[])))
def test_printable_text_can_be_written_and_obeys_nobody(text: str) -> None:
    made = printable(text)
    made.encode()
    assert len(made) == len(text)
    assert not any(c < " " and c not in "\t\n" for c in made)
    assert printable(made) == made


@pytest.mark.parametrize("sign", ["\x1b[31m", "\x9b2J", "\x07", "\r", "\u202e", "\ud800", "\x7f"])
def test_what_is_obeyed(sign: str) -> None:
    assert printable(sign)[0] == "\ufffd"


@pytest.mark.parametrize("text", ["a\tb\n", "가　나", "é", "👨‍👩‍👧", "[red]", ":x:"])
def test_what_is_text_stays(text: str) -> None:
    assert printable(text) == text


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_programs_get_the_text_as_it_is() -> None:
    pipe, screen = io.StringIO(), Screen()
    assert shown(pipe) is pipe
    assert isinstance(shown(screen), Terminal)
    shown(screen).write("\x1b[2Ja")
    assert screen.getvalue() == "\ufffd[2Ja"


@pytest.mark.parametrize("text", ["[red]", "[/]", "\\[b]", ":x:", "a\\", "[link=x]"])
def test_markup_in_data_is_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.note(text)
    console.say(text)
    console.error(text)
    console.show_table([text], [[text]])
    assert capsys.readouterr().err.count(text) == 5


def test_a_name_that_is_no_utf8_is_refused_whatever_the_locale(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.csv"
    Path(os.fsdecode(name)).write_text("text,label\n", encoding="utf-8")
    for locale in ("C.UTF-8", "C"):
        command = [sys.executable, "-m", "bertft", "train", "sentiment", "--train", name]
        environment = {**os.environ, "LC_ALL": locale}
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"not a name in UTF-8; rename the file" in done.stderr


def test_a_pipe_gets_utf8_whatever_the_encoding_of_the_terminal() -> None:
    command = [sys.executable, "-m", "bertft", "recipes", "show", "sentiment-ko"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("utf-8").startswith("#")
