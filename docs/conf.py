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
from sphinx.addnodes import toctree
from sphinx.application import Sphinx
from sphinx.environment.adapters.toctree import TocTree
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
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}
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
    introduction, *parts = re.split(r"^## ", text, flags=re.M)
    for part in parts or [f"\n{introduction}"]:
        heading, _, body = part.partition("\n")
        pages = dict.fromkeys(re.findall(r"\]\(([^):#]+)\.md\)", body))
        caption = f":caption: {heading}\n" if heading else ""
        yield f"```{{toctree}}\n:hidden:\n{caption}\n" + "\n".join(pages) + "\n```\n"


def set_language(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object
) -> None:
    """The language of a page, the contents beside it, and a link to the other language."""
    folder, _, rest = page.removeprefix("docs/").partition("/")
    if folder not in LANGUAGES or "body" not in context:
        return
    context["language"] = folder
    context["toctree"] = lambda **_: _tree(app, page, index=f"docs/{folder}/index")
    other, name = LANGUAGES[folder]
    address = app.builder.get_relative_uri(page, f"docs/{other}/{rest}")
    if f'href="{address}"' not in context["body"]:
        link = f'<a href="{address}" lang="{other}" hreflang="{other}">{name}</a>'
        context["body"] = context["body"].replace("</h1>", f"</h1>\n<p>{link}</p>", 1)


def _tree(app: Sphinx, page: str, *, index: str) -> str:
    """The contents of an index as they stand beside a page."""
    found = [
        TocTree(app.env).resolve(page, app.builder, one, titles_only=True, includehidden=True)
        for one in app.env.get_doctree(index).findall(toctree)
    ]
    return "".join(app.builder.render_partial(one)["fragment"] for one in found if one)


def setup(app: Sphinx) -> None:
    sphinx.search.languages["en"] = Search
    for language in ("csv", "tsv", "conll", "jsonl"):
        app.add_lexer(language, TextLexer)
    app.connect("source-read", add_contents)
    app.connect("html-page-context", set_language, priority=400)  # furo reads the contents at 500
