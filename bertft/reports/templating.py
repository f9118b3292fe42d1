"""Pages by Jinja2: a template's name and values go in, HTML comes out in which text stays text.

Every value is escaped, and control characters in it are made printable (terminal.py); only what is
``Markup`` already goes in as it is. Pages load nothing from anywhere, which their policy forbids.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from bertft.terminal import printable

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Markup("\0")
"""Where a page is cut in two; no value can hold it."""


def render(template: str, **values: Any) -> Markup:
    """A template of ``templates/`` with its values."""
    return Markup(_environment().get_template(template).render(values))


def frame(template: str, **values: Any) -> tuple[str, str]:
    """What stands before and after the place ``here`` of a page that is written bit by bit."""
    head, tail = str(render(template, here=HERE, **values)).split(HERE)
    return head, tail


def cut(text: str, most: int = 300) -> str:
    """The text, cut after ``most`` characters, which it says."""
    left = len(text) - most
    return f"{text[:most]}… ({left:,} more characters)" if left > 0 else text


def line(text: object) -> str:
    """On one line: what begins a line means something in Markdown, and a bar ends a cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def code(text: object) -> str:
    """As code in Markdown, between more backticks than the text has in a row."""
    shown = " ".join(str(text).split())
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if "`" in shown else ""
    return f"{fence}{space}{shown}{space}{fence}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("bertft.reports"),
        autoescape=lambda name: not (name or "").endswith(".md.j2"),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(cut=cut, line=line, code=code)
    return made


def _shown(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
