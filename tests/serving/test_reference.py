"""The page of all paths: what stands on it is true, in both languages."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_server import Live, serving
from pages import Page

from bertft.serving import reference
from bertft.serving.korean import KOREAN, korean
from bertft.serving.page import POLICY

KINDS = ("nli", "qa", "ner")


@pytest.fixture(scope="module")
def live(
    bases: dict[str, Path], pretrained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    runs = {kind: bases[kind] for kind in KINDS} | {"masks": pretrained}
    with serving(runs, tmp_path_factory.mktemp("served")) as found:
        yield found


def read(live: Live, language: str) -> tuple[Page, str, Any]:
    status, content, headers = live.ask(f"/docs?language={language}")
    assert status == 200
    return Page(content), content, headers


def test_every_line_for_a_terminal_is_answered(live: Live) -> None:
    page, _, headers = read(live, "en")
    lines = [text for name, text in page.texts if name == "code" and text.startswith("curl ")]
    _, described, _ = live.ask("/openapi.json")
    assert len(lines) == len(described["paths"])
    for line in lines:
        _, address, *rest = shlex.split(line)
        path = address.removeprefix(live.address)
        body = json.loads(rest[1]) if rest else None
        assert rest[:1] in ([], ["-d"])
        status, content, _ = live.ask(path, body)
        assert status == 200, (line, content)
    assert headers["content-security-policy"] == POLICY
    assert page.scripts == []


def test_a_line_is_pasted_into_a_shell(live: Live) -> None:
    page, _, _ = read(live, "ko")
    line = next(text for _, text in page.texts if text.startswith("curl ") and "/qa " in text)
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout).keys() == {"answer", "score", "start", "end"}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_fields_have_their_types_limits_and_defaults(live: Live, language: str) -> None:
    page, _, _ = read(live, language)
    items, required = {"en": ("items", "required"), "ko": ("개", "필수")}[language]
    space = " " if language == "en" else ""
    for row in (
        ["inputs", "string | object | (string | object)[]", "", required],
        ["inputs.text_pair", "string", "", required],
        ["inputs.question", "string", "", required],
        ["parameters.top_k", "integer", "≥ 1, ≤ 100", ""],
        ["parameters.targets", "string[]", f"≤ 100{space}{items}", ""],
        ["normalize", "boolean", "", "true"],
        ["encoding_format", '"float" | "base64"', "", '"float"'],
        ["inputs[].datatype", '"BYTES"', "", required],
        ["parameters.coverage", "number", "> 0, < 1", ""],
    ):
        assert row in page.rows, row


def test_all_that_it_says_is_said_in_korean(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    said: set[str] = set()

    def recorded(text: str, *values: object) -> str:
        said.add(text)
        return korean(text, *values)

    monkeypatch.setitem(reference.LANGUAGES, "ko", recorded)
    for host in ("localhost:1", "localhost:2"):  # a page that is not kept from before
        assert live.ask("/docs?language=ko", Host=host)[0] == 200
    assert said - KOREAN.keys() == set()
    assert len(said) > 30


def test_whoever_asks_names_no_other_place(trained: Path, tmp_path: Path) -> None:
    with serving({"film": trained}, tmp_path, key="k" * 20) as live:
        odd = 'localhost"><b>;rm'
        status, content, _ = live.ask("/docs", Host=odd, Accept_Language="ko-KR,ko")
        assert status == 200
        page = Page(content)
        assert page.tags.count("b") == page.tags.count("details"), "no element of its own"
        line = next(text for _, text in page.texts if text.startswith("curl ") and "embed" in text)
        assert shlex.split(line)[1].startswith("http://" + odd)
        assert 'Authorization: Bearer $BERTFT_KEY"' in line
        assert "이 서버의 경로" in page.words
