"""The documentation holds together: generated pages are fresh, both languages are page by page the
same, and every link leads somewhere."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LANGUAGES = ("en", "ko")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
HEADING = re.compile(r"^(#+) +(.+?) *$", re.M)
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")
PACKAGE = ROOT / "bertft"
OF_OTHERS = ("input should be a valid integer, not", "no space left on device; the last")
"""Messages that come from pydantic or the system."""
COMMENT = re.compile(r"(^|\s+)#\s.*$", re.M)


def pages_of(language: str) -> list[str]:
    return sorted(
        str(path.relative_to(DOCS / language)) for path in (DOCS / language).rglob("*.md")
    )


PAGES = pages_of("en")
LINKING = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def prose(text: str) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", text)


def headings(text: str) -> list[tuple[int, str]]:
    """(level, text) of each heading."""
    return [(len(marks), title) for marks, title in HEADING.findall(prose(text))]


def anchors(text: str) -> Iterator[str]:
    """What the headings of a page are linked by, as GitHub names them."""
    seen: dict[str, int] = {}
    for _, title in headings(text):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        name = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        count = seen.get(name, 0)
        seen[name] = count + 1
        yield f"{name}-{count}" if count else name


def broken_links(page: Path) -> list[str]:
    """Links of a page that lead to no file, or to no heading of a file."""
    text = page.read_text(encoding="utf-8")
    broken = []
    for target, anchor in LINK.findall(re.sub("`[^`]*`", "", prose(text))):
        file = (page.parent / target) if target else page
        if not file.exists():
            broken.append(target)
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            broken.append(f"{target}#{anchor}")
    return broken


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


# --- both languages -------------------------------------------------------------------------------


def test_every_page_is_there_in_both_languages() -> None:
    assert PAGES
    assert pages_of("ko") == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_headings(page: str) -> None:
    levels = [
        [level for level, _ in headings((DOCS / language / page).read_text(encoding="utf-8"))]
        for language in LANGUAGES
    ]
    assert levels[0] == levels[1]
    assert levels[0][0] == 1
    assert levels[0].count(1) == 1


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_code(page: str) -> None:
    """But for comments, which are translated."""
    blocks = [
        [
            (kind, COMMENT.sub("", code))
            for kind, code in FENCE.findall((DOCS / language / page).read_text(encoding="utf-8"))
        ]
        for language in LANGUAGES
    ]
    assert blocks[0] == blocks[1]


@pytest.mark.parametrize("page", PAGES)
def test_the_korean_page_is_in_korean(page: str) -> None:
    text = prose((DOCS / "ko" / page).read_text(encoding="utf-8"))
    hangul, latin = (len(re.findall(kind, text)) for kind in ("[가-힣]", "[A-Za-z]"))
    assert hangul > latin / 4


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_to_no_page_or_heading_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# One `two`-three, 넷\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md#one-two-three-넷) [b](there.md#four) [c](gone.md) [d](https://x.org/y)\n"
        "`[f](no.md)`\n"
        "```sh\n[e](nowhere.md)\n```\n",
        encoding="utf-8",
    )
    assert broken_links(page) == ["there.md#four", "gone.md"]


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
