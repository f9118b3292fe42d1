"""What the code says stands on the pages: generated ones are fresh, messages are its own."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LANGUAGES = ("en", "ko")
PACKAGE = ROOT / "bertft"
OF_OTHERS = ("input should be a valid integer, not", "no space left on device; the last")
"""Messages that come from pydantic or the system."""


# --- generated pages ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_what_the_code_says(generate: ModuleType) -> None:
    assert generate.stale_pages() == []


def test_a_page_that_was_changed_by_hand_is_stale(
    generate: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = generate.pages()
    page = DOCS / "ko" / "reference" / "verbs.md"
    monkeypatch.setattr(generate, "pages", lambda: content | {page: content[page] + "more\n"})
    monkeypatch.setattr("sys.argv", ["generate.py", "--check"])
    with pytest.raises(SystemExit, match=r"ko/reference/verbs\.md") as end:
        generate.main()
    assert "en/reference" not in str(end.value)


def test_every_verb_and_every_setting_has_its_place(generate: ModuleType) -> None:
    """By a recipe that is written out, and by verbs that show every kind of argument."""
    from bertft.recipe import Recipe

    content = generate.pages()
    for language in LANGUAGES:
        keys = content[DOCS / language / "reference" / "recipe-keys.md"]
        recipe = Recipe(task={"name": "any"}).resolved()
        for section in ("model", "data", "training"):
            assert [name for name in recipe[section] if f"`{section}.{name}`" not in keys] == []
        verbs = content[DOCS / language / "reference" / "verbs.md"]
        for shown in ("bertft runs compare [OPTIONS] A B", "`--normalize`, `--no-normalize`"):
            assert shown in verbs


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace('"Show tracebacks."', '"Show no tracebacks."'), 2),
        (lambda text: text + '"A text of nobody." = "아무도 쓰지 않는 글"\n', 1),
    ],
    ids=["missing and unused", "unused"],
)
def test_translations_that_lack_or_are_left_over_are_named(
    generate: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    change: Callable[[str], str],
    told: int,
) -> None:
    strings = tmp_path / "strings.toml"
    strings.write_text(change(generate.STRINGS.read_text(encoding="utf-8")), encoding="utf-8")
    monkeypatch.setattr(generate, "STRINGS", strings)
    with pytest.raises(generate.TranslationError) as error:
        generate.pages()
    assert len(str(error.value).splitlines()) == 1 + told


# --- messages -------------------------------------------------------------------------------------


def texts_in_the_code() -> str:
    """All constant texts of the package, those between the values of f-strings too."""
    nodes = (
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )
    found = (node.value for node in nodes if isinstance(node, ast.Constant))
    return "\n".join(text for text in found if isinstance(text, str))


@pytest.mark.parametrize("language", LANGUAGES)
def test_messages_in_troubleshooting_are_those_of_the_code(language: str) -> None:
    text = (DOCS / language / "troubleshooting.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    messages = [one for row in rows for one in re.findall("`([^`]+)`", row)]
    assert len(messages) > 50
    code = texts_in_the_code()
    lost = [
        message
        for message in messages
        if not message.startswith(OF_OTHERS)
        and not all(part.strip(" :;,()") in code for part in message.split("..."))
    ]
    assert lost == []
