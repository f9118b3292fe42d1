"""The pages as written: links lead somewhere, languages say the same, nothing is left out."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from docs.pages import LANGUAGES, READMES, ROOT, all_pages, blocks, commands, exchanges, name, pages
from docs.stand_ins import RECIPES, StandIns, kind_of
from markdown_it import MarkdownIt

from bertft.recipe import bundled_recipes

INSIDE = {
    "tokenize", "embed", "similar", "context", "fill-mask", "next-sentence", "score", "search",
    "summarise", "bertscore", "align",
}  # fmt: skip
"""Verbs that read a bare encoder, whatever was trained."""
DOCS = ROOT / "docs"
OTHERS = [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", DOCS / "index.md", DOCS / "llms.txt"]
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")
COMMENT = re.compile(r"(^|\s+)#\s.*$", re.M)
PAGES = pytest.mark.parametrize("page", [*all_pages(), *OTHERS], ids=name)
ENGLISH = pytest.mark.parametrize("page", pages("en"), ids=name)
EACH = pytest.mark.parametrize("language", LANGUAGES)


def counterpart(page: Path) -> Path:
    """The same page in the other language."""
    pairs = {READMES["en"]: READMES["ko"], READMES["ko"]: READMES["en"]}
    if page in pairs:
        return pairs[page]
    language, *rest = page.relative_to(DOCS).parts
    return DOCS.joinpath("ko" if language == "en" else "en", *rest)


def anchors(page: Path) -> set[str]:
    """What the headings of a page are linked by, as GitHub names them."""
    found = set()
    counts: Counter[str] = Counter()
    for _, heading in headings(page):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{name}-{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return found


def headings(page: Path) -> list[tuple[str, str]]:
    """(h1, h2, ...; text) of each heading."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [
        (token.tag, "".join(child.content for child in tokens[number + 1].children or []))
        for number, token in enumerate(tokens)
        if token.type == "heading_open"
    ]


def prose(page: Path) -> str:
    """A page without code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub("`[^`]*`", "", text)


def broken_links(page: Path) -> list[str]:
    """Links of a page that lead to no file, or to no heading of a file."""
    broken = []
    for path, anchor in LINK.findall(prose(page)):
        target = page.parent / path if path else page
        if not target.exists():
            broken.append(path)
        elif anchor and anchor not in anchors(target):
            broken.append(f"{path}#{anchor}")
    return broken


@PAGES
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_to_no_page_or_heading_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# One `two`-three, 넷\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md#one-two-three-넷) [b](there.md#four) [c](gone.md) [d](https://x.org/y)\n"
        "`[f](no.md)`\n\n"
        "```sh\n[e](nowhere.md)\n```\n",
        encoding="utf-8",
    )
    assert broken_links(page) == ["there.md#four", "gone.md"]


@PAGES
def test_a_page_speaks_of_no_place_on_somebody_s_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"(?:/home|/root|/Users)/\S*", text) == []


def test_every_page_is_there_in_both_languages() -> None:
    assert [name(page) for page in all_pages() if not counterpart(page).exists()] == []


@ENGLISH
def test_both_languages_have_the_same_parts(page: Path) -> None:
    """As many headings of each level, tables, and blocks of each language."""

    def parts(text: str) -> Counter[str]:
        tokens = MarkdownIt().enable("table").parse(text)
        return Counter(
            token.tag if token.type == "heading_open" else f"{token.type} {token.info.split()[:1]}"
            for token in tokens
            if token.type in ("heading_open", "table_open", "fence")
        )

    english, korean = (one.read_text(encoding="utf-8") for one in (page, counterpart(page)))
    assert parts(english) == parts(korean)
    assert parts(english)["h1"] == 1


@ENGLISH
def test_concepts_and_reference_have_the_same_code(page: Path) -> None:
    """But for comments, which are translated. Other Korean pages have Korean examples."""
    if page.parent.name in ("concepts", "reference"):
        english, korean = (
            [(block.language, COMMENT.sub("", block.text)) for block in blocks(one)]
            for one in (page, counterpart(page))
        )
        assert english == korean


@pytest.mark.parametrize("page", pages("ko"), ids=name)
def test_the_korean_page_is_in_korean(page: Path) -> None:
    hangul, latin = (len(re.findall(kind, prose(page))) for kind in ("[가-힣]", "[A-Za-z]"))
    assert hangul > latin / 4


@ENGLISH
def test_both_languages_show_the_same_commands(page: Path) -> None:
    """The Korean page may show Korean recipes; verbs and tasks are the same."""
    assert shown(page) == shown(counterpart(page))


def shown(page: Path) -> set[tuple[str, str]]:
    """(verb, task), where the verb depends on the task."""
    found = set()
    recipe = "sentiment"
    for line in shell_lines(page):
        words = shlex.split(line, comments=True)
        if words[:1] != ["bertft"] or len(words) < 2:
            continue
        if words[1] in ("train", "check") and words[2] in bundled_recipes():
            recipe = words[2]
        tied = words[1] not in INSIDE | {"models", "recipes", "pretrain"}
        found.add((words[1], kind_of(recipe) if tied else ""))
    return found


def shell_lines(page: Path) -> list[str]:
    lines = []
    for block in blocks(page):
        if block.language == "sh":
            lines += commands(block)
        elif block.language == "console":
            lines += [exchange.command for exchange in exchanges(block)]
    return [line.replace("\\\n", " ").split("\n")[0] for line in lines]


@EACH
def test_every_task_is_trained_somewhere(language: str) -> None:
    trained = {kind for page in pages(language) for verb, kind in shown(page) if verb == "train"}
    assert set(RECIPES) <= trained


@EACH
def test_every_recipe_is_named(language: str) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in pages(language))
    assert [one for one in bundled_recipes() if f"`{one}`" not in text] == []


@EACH
def test_the_readme_is_short_and_names_every_verb(language: str, stand_ins: StandIns) -> None:
    text = READMES[language].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200
    done = stand_ins.shell.run("bertft --help", folder=stand_ins.folder)
    verbs = re.findall(r"^│ ([a-z][a-z-]*)  ", done.output, re.M)
    assert len(verbs) > 10, done.output
    assert [verb for verb in verbs if not re.search(rf"`(?:bertft )?{verb}`", text)] == []


@EACH
def test_the_contents_name_every_page(language: str) -> None:
    """In index.md; those of the English ones in llms.txt too."""
    folder = DOCS / language
    files = {str(one.relative_to(folder)) for one in folder.rglob("*.md")} - {"index.md"}
    index = (folder / "index.md").read_text(encoding="utf-8")
    assert files <= {path for path, _ in LINK.findall(index)}
    if language == "en":
        linked = LINK.findall((DOCS / "llms.txt").read_text(encoding="utf-8"))
        assert {f"en/{one}" for one in files} <= {path for path, _ in linked}


@pytest.mark.parametrize("page", READMES.values(), ids=name)
def test_make_has_the_targets_that_pages_name(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(
        re.findall(r"^make ([a-z]+)|`make ([a-z]+)", page.read_text(encoding="utf-8"), re.M)
    )
    assert named
    for target in {one or other for one, other in named}:
        assert re.search(rf"^{target}:", makefile, re.M), f"make {target}"


def test_the_notebooks_are_those_of_the_pages() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "notebook.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
