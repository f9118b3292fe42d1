"""The site: every page of docs/, both languages, made by Sphinx without a network.

    make docs                                    build/site/index.html
    python -m sphinx -c docs . build/site        the same, by hand

The pages are plain Markdown. Here they get what only a site has: a tree of contents, read from the
links of each language's index.md; a link to the same page in the other language; and a search that
finds Korean words by what they begin with, since particles follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import sphinx.search
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

project = "bertft"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["README*.md", "CHANGELOG.md", "CONTRIBUTING.md", "*/README.md", "docs/**"]
exclude_patterns = ["build", "dist", "runs", ".*", "**/*.ipynb"]
html_theme = "furo"
html_title = "bertft"
html_additional_pages = {"index": "start.html"}
templates_path = ["templates"]
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
highlight_language = "text"
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # transcripts leave lines out, JSON too

LANGUAGES = {"en": ("ko", "한국어"), "ko": ("en", "English")}
"""The folder of a language -> that of the other, and its name."""
HANGUL = re.compile(r"[가-힣]{2,}")


class Search(SearchEnglish):
    """English words by their stems; Korean ones as they are, and by each of their beginnings."""

    def split(self, input: str) -> list[str]:
        words = super().split(input)
        korean = [part for word in words for part in HANGUL.findall(word)]
        return words + [word[:end] for word in korean for end in range(2, len(word) + 1)]


def add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """A tree of contents below each index, a part for each of its headings."""
    if PurePosixPath(page).name == "index":
        source[0] += "\n" + "\n".join(_contents(source[0]))


def _contents(text: str) -> Iterator[str]:
    for part in re.split(r"^## ", text, flags=re.M):
        heading, _, body = part.partition("\n")
        linked = re.findall(r"\]\(([^):#]+)\.md\)", body)
        pages = [one for one in dict.fromkeys(linked) if not re.match(r"\.\./(en|ko)/", one)]
        if pages:
            caption = "" if heading.startswith(("#", "[")) else f":caption: {heading}\n"
            yield f"```{{toctree}}\n:hidden:\n{caption}\n" + "\n".join(pages) + "\n```\n"


def set_language(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object
) -> None:
    """The language of a page, and above it a link to the other one, unless it has one."""
    folder, _, rest = page.removeprefix("docs/").partition("/")
    if folder not in LANGUAGES or "body" not in context:
        return
    context["language"] = folder
    other, name = LANGUAGES[folder]
    address = app.builder.get_relative_uri(page, f"docs/{other}/{rest}")
    if f'href="{address}"' not in context["body"]:
        link = f'<a href="{address}" lang="{other}" hreflang="{other}">{name}</a>'
        context["body"] = f'<p class="language">{link}</p>\n{context["body"]}'


def setup(app: Sphinx) -> None:
    sphinx.search.languages["en"] = Search
    for language in ("csv", "tsv", "conll", "jsonl"):
        app.add_lexer(language, TextLexer)
    app.connect("source-read", add_contents)
    app.connect("html-page-context", set_language)
