"""The tour as a notebook: docs/LANGUAGE/tour.md in, docs/LANGUAGE/tour.ipynb out.

    python docs/notebook.py             write both languages
    python docs/notebook.py --check     say which are stale; exit code 1 if any is

Blocks of commands and of Python become cells that run them; what the page shows as their output is
the output of the cell, until it is run. All else is text.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from markdown_it.token import Token
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

DOCS = Path(__file__).parent
PAGES = [DOCS / language / "tour.md" for language in ("en", "ko")]
CELLS = ("console", "sh", "python")
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the notebooks of the tour.")
    parser.add_argument("--check", action="store_true", help="write nothing, say what is stale")
    check = parser.parse_args().check
    stale = []
    for page in PAGES:
        path, text = page.with_suffix(".ipynb"), notebook(page.read_text(encoding="utf-8"))
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not check:
                path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{path}: {'stale; run python docs/notebook.py' if check else 'written'}")
    return int(check and bool(stale))


def notebook(page: str) -> str:
    """A page as the text of a notebook; the same page always gives the same text."""
    cells = list(_cells(page))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    made = new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    nbformat.validate(made)
    return str(nbformat.writes(made)) + "\n"


def _cells(page: str) -> Iterator[nbformat.NotebookNode]:
    lines = page.splitlines()
    tokens = [one for one in MarkdownIt().parse(page) if one.level == 0 and one.map]
    start = 0  # of the text that is not in a cell yet
    for number, token in enumerate(tokens):
        if token.type != "fence" or token.info not in CELLS:
            continue
        following = tokens[number + 1] if number + 1 < len(tokens) else None
        below = following if following and _is_output(following) else None
        yield from _text(lines[start : token.map[0]])
        yield _cell(token, shown=below.content if below else "")
        start = (below or token).map[1]
    yield from _text(lines[start:])


def _is_output(token: Token) -> bool:
    return token.type == "fence" and token.info == "text"


def _text(lines: list[str]) -> Iterator[nbformat.NotebookNode]:
    text = "\n".join(lines).strip()
    if text:
        yield new_markdown_cell(text)


def _cell(block: Token, *, shown: str) -> nbformat.NotebookNode:
    """A cell that runs a block; ``shown`` is what stands below it, where it is no transcript."""
    source = block.content.splitlines()
    if block.info == "console":
        shown = "".join(f"{line}\n" for line in source if not line.startswith("$ "))
        source = [line.removeprefix("$ ") for line in source if line.startswith("$ ")]
    outputs = [new_output("stream", name="stdout", text=shown)] if shown else []
    if block.info != "python":
        source = _commands(source)
    return new_code_cell("\n".join(source), outputs=outputs)


def _commands(lines: list[str]) -> list[str]:
    """Lines of a shell as they stand in a cell: one by one, or as a script of bash."""
    if all(line.startswith("bertft ") and not line.endswith("\\") for line in lines):
        return [f"!{line}" for line in lines]
    return ["%%bash", *lines]


if __name__ == "__main__":
    sys.exit(main())
