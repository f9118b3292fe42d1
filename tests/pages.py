"""How tests read pages: HTML goes in; elements, attributes and text come out.

A page that loads something, or runs what it should not, is refused.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link"}
LOADING = {"link", "img", "iframe", "object", "embed", "base", "form", "audio", "video", "image"}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
SCRIPTS = POLICY.replace("base-uri", "script-src 'unsafe-inline'; base-uri")


class Page(HTMLParser):
    """Reads a page; every tag must be closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.scripts: list[str] = []
        self.words = ""
        self.texts: list[tuple[str, str]] = []
        """(name of the element, text in it), in order."""
        self.rows: list[list[str]] = []
        """Cells of all tables, row by row."""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            self.scripts[-1] += data
        elif self.open[-1:] != ["style"]:
            self.words += data
            if {"td", "th"} & set(self.open):
                self.rows[-1][-1] += data
            self.texts.append((self.open[-1] if self.open else "", data))

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every element with the names of its attributes: what no text may change."""
        return [(tag, tuple(one)) for tag, one in zip(self.tags, self.attributes, strict=True)]

    def values(self, tag: str, name: str) -> list[str | None]:
        """One attribute of all elements of a name."""
        found = zip(self.tags, self.attributes, strict=True)
        return [one.get(name) for other, one in found if other == tag]


def checked(text: str, *, policy: str = POLICY) -> Page:
    """The page, which loads nothing, and runs only what its policy lets it."""
    page = Page(text)
    assert page.values("meta", "http-equiv").count("Content-Security-Policy") == 1
    assert policy in page.values("meta", "content")
    assert not LOADING & set(page.tags)
    assert ("script" in page.tags) <= (policy == SCRIPTS)
    for one in page.attributes:
        assert not {"src", "srcset", "action", "xlink:href"} & one.keys()
        assert not [name for name in one if name.startswith("on")]
        assert str(one.get("href", "#")).startswith("#"), "a place in the page itself"
    styles = " ".join(str(one.get("style", "")) for one in page.attributes)
    sheets = "".join(re.findall(r"<style>(.*?)</style>", text, re.S))
    assert not re.search(r"url\((?!#)|@import|expression", styles + sheets)
    return page
