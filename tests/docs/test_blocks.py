"""Pages are read as they are meant: their blocks, the commands in them, what is to be printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs.pages import Block, blocks, commands, deeds, exchanges, original, pages, same

PAGE = """\
# A page

- In a list:

  ```sh
  bertft check sentiment  # look
  ```

```csv reviews.csv
text,label
```
"""


def test_blocks_have_their_language_their_file_and_their_line(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    assert blocks(tmp_path / "page.md") == [
        Block("sh", "", "bertft check sentiment  # look\n", 6),
        Block("csv", "reviews.csv", "text,label\n", 10),
    ]


def test_a_comment_is_no_deed_and_a_number_is_one(tmp_path: Path) -> None:
    said = {"a": "bertft x  # one", "b": "bertft x  # two", "c": "bertft y  # one"}
    done = {}
    for name, line in said.items():
        (tmp_path / name).write_text(f"Prose {name}\n```sh\n{line}\n```\n", encoding="utf-8")
        done[name] = deeds(tmp_path / name)
    assert done["a"] == done["b"] != done["c"]


def test_every_translation_has_its_original() -> None:
    assert sorted(original(page) for page in pages("ko")) == sorted(pages("en"))


def test_commands_are_lines_but_for_what_belongs_together() -> None:
    text = "# first\nbertft a \\\n  --b\n\ncat > f <<'END'\none\n# two\nEND\nbertft c\n"
    assert commands(Block("sh", "", text, 1)) == [
        "bertft a \\\n  --b",
        "cat > f <<'END'\none\n# two\nEND",
        "bertft c",
    ]


def test_a_transcript_is_commands_with_what_they_print() -> None:
    text = (
        "$ cat > f <<END\n> $ one\n> END\n$ cat f\n$ one\n...\n$ bertft \\\n> --version\nbertft 1\n"
    )
    found = exchanges(Block("console", "", text, 10))
    assert [(one.command, one.expected, one.line) for one in found] == [
        ("cat > f <<END\n$ one\nEND", (), 10),
        ("cat f", (), 13),
        ("one", ("...",), 14),
        ("bertft \\\n--version", ("bertft 1",), 16),
    ]


def test_a_transcript_starts_with_a_command() -> None:
    with pytest.raises(AssertionError, match="line 7: a transcript starts with"):
        exchanges(Block("console", "", "printed\n", 7))


@pytest.mark.parametrize(
    ("expected", "output", "equal"),
    [
        (("a", "b"), "a\nb\n", True),
        (("a", "b"), "a  \nb", True),
        (("a",), "a\nb\n", False),
        (("a", "..."), "a\nb\nc\n", True),
        (("a", "..."), "a\n", True),
        (("...", "c"), "a\nb\nc\n", True),
        (("...", "b"), "a\nb\nc\n", False),
        (("a 0... c",), "a 0.5 c\n", True),
        (("a 0... c",), "a 0.5\n c\n", False),
        (("a.c",), "abc\n", False),
        ((), "", True),
        ((), "a\n", False),
    ],
)
def test_dots_stand_for_any_lines_or_any_text(
    expected: tuple[str, ...], output: str, equal: bool
) -> None:
    assert same(expected, output) is equal
