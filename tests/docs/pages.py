"""What the pages of the documentation hold: Markdown in, its blocks and transcripts out, in order.

```console   `$ command` lines and what they print; `...` stands for any lines, or any text
```sh        commands that a reader changes: run on small files, what they print is not looked at
```python    run page by page, one block after the other
```csv F     the content of the file F (of any language that is not one of these)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "ko")
READMES = {"en": ROOT / "README.md", "ko": ROOT / "README.ko.md"}
DOTS = "..."
HERE_DOCUMENT = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it is the content of, and where it starts."""

    language: str
    file: str
    text: str
    line: int


@dataclass(frozen=True)
class Exchange:
    """A command of a transcript, and the lines that are to follow."""

    command: str
    expected: tuple[str, ...]
    line: int


def pages(language: str) -> list[Path]:
    """The README and every page of a language."""
    return [READMES[language], *sorted((ROOT / "docs" / language).rglob("*.md"))]


def all_pages() -> list[Path]:
    return [page for language in LANGUAGES for page in pages(language)]


def distinct_pages() -> list[Path]:
    """Every page but for translations that say, and so do, what the English page does."""
    translated = [page for page in pages("ko") if deeds(page) != deeds(original(page))]
    return [*pages("en"), *translated]


def original(page: Path) -> Path:
    """The English page that a Korean one translates."""
    if page == READMES["ko"]:
        return READMES["en"]
    return ROOT / "docs" / "en" / page.relative_to(ROOT / "docs" / "ko")


def deeds(page: Path) -> list[tuple[str, str, str]]:
    """What a reader does and is shown: all blocks but pictures and output, without comments."""
    found = [one for one in blocks(page) if one.file or one.language in {"sh", "console", "python"}]
    return [(one.language, one.file, re.sub(r"(?m)\s*# .*$", "", one.text)) for one in found]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, also those in lists."""
    found = []
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "fence":
            assert token.map is not None
            language, _, file = token.info.strip().partition(" ")
            found.append(Block(language, file.strip(), token.content, token.map[0] + 2))
    return found


def commands(block: Block) -> list[str]:
    """The commands of a ```sh block; continued lines are joined, comments go."""
    found: list[list[str]] = []
    waiting = False
    for line in block.text.splitlines():
        if waiting:
            found[-1].append(line)
        elif line.strip() and not line.startswith("#"):
            found.append([line])
        waiting = bool(found) and _is_open(found[-1])
    return ["\n".join(lines) for lines in found]


def exchanges(block: Block) -> list[Exchange]:
    """The commands of a ```console block, each with what is printed below it."""
    found: list[tuple[list[str], list[str], int]] = []
    waiting = False
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if waiting:
            found[-1][0].append(line.removeprefix("> "))
        elif line.startswith("$ "):
            found.append(([line.removeprefix("$ ")], [], number))
        else:
            assert found, f"line {number}: a transcript starts with '$ '"
            found[-1][1].append(line.rstrip())
        waiting = bool(found) and not found[-1][1] and _is_open(found[-1][0])
    return [Exchange("\n".join(given), tuple(out), line) for given, out, line in found]


def _is_open(lines: list[str]) -> bool:
    """Whether a command goes on: its here-document, or a line with a backslash at its end."""
    document = HERE_DOCUMENT.search(lines[0])
    if document:
        return lines[-1] != document[1]
    return lines[-1].endswith("\\")


def same(expected: tuple[str, ...], output: str) -> bool:
    """Whether a command printed what the page shows."""
    lines = "\n".join(line.rstrip() for line in output.splitlines())
    return re.fullmatch("".join(_patterns(expected)), f"{lines}\n" if lines else "") is not None


def _patterns(expected: tuple[str, ...]) -> Iterator[str]:
    for line in expected:
        if line == DOTS:
            yield r"(?:.*\n)*?"
        else:
            yield ".*?".join(re.escape(part) for part in line.split(DOTS)) + r"\n"
