"""Pictures drawn by matplotlib: a chart goes in; SVG for a page or an .svg or .png file comes out.

Text stays text in SVG. In pages colours are CSS variables, so that they follow the page into the
dark; in files they are plain. A PNG shows only characters that a font of this machine has; an SVG
is drawn by whoever opens it. matplotlib is imported when the first picture is drawn.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from xml.etree import ElementTree

from bertft.cache_folder import cache_folder
from bertft.errors import RunError
from bertft.prediction.output import fresh_file
from bertft.reports.fonts import PREFERRED, families
from bertft.terminal import printable
from bertft.watch import Watch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = (".svg", ".png")
ZOOM = 2
"""Pixels of a PNG for one unit of a chart."""
INK, SOFT, LINE = "#1a1a1a", "#666666", "#dddddd"
COLOURS = (
    "#1f5fbf", "#c2570c", "#1a7f37", "#8250df", "#cf222e", "#0b7285", "#8a5a00", "#bf3989",
)  # fmt: skip
VARIABLES = {INK: "--text", SOFT: "--soft", LINE: "--line"} | {
    colour: f"--colour-{number}" for number, colour in enumerate(COLOURS, start=1)
}
"""What a page calls each colour (templates/style.css)."""
STYLE: Mapping[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.labelcolor": SOFT,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": False,
    "font.size": 12,
    "grid.color": LINE,
    "grid.linewidth": 1,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "savefig.dpi": 72 * ZOOM,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.color": SOFT,
    "ytick.major.size": 0,
}
"""A unit of a figure is a pixel: 72 dots are an inch."""
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
NOT_XML = re.compile("[\ufffe\uffff]")


class Chart(Protocol):
    """What can be drawn."""

    @property
    def title(self) -> str: ...

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, in pixels."""
        ...

    @property
    def summary(self) -> str:
        """What it shows, in a sentence, for who does not see it."""
        ...

    def draw(self, figure: Figure) -> None: ...

    def arrange(self, figure: Figure) -> None:
        """What is left to do when all texts are as they will be written."""
        ...


def inline_svg(chart: Chart) -> str:
    """An element for a page: it takes colours and fonts from there, and fills its place."""
    root = ElementTree.fromstring(_drawn(chart, "svg", clear=True)[0])
    _tidy(root, chart)
    del root.attrib["width"], root.attrib["height"]
    for one in root.iter():
        if style := one.get("style"):
            one.set("style", COLOUR.sub(lambda found: f"var({VARIABLES[found[0]]})", style))
    return ElementTree.tostring(root, encoding="unicode")


@contextmanager
def picture_output(out: str, *, overwrite: bool, watch: Watch) -> Iterator[Callable[[Chart], None]]:
    """A function that draws a chart to ``out``, whose suffix is one of ``KINDS``.

    Characters that are not drawn for want of a font are told.

    Raises:
        BertftError: ``out`` exists, and ``overwrite`` is not set.
        DataError: it cannot be written.
    """
    with fresh_file(out, overwrite=overwrite) as partial:

        def draw(chart: Chart) -> None:
            kind = Path(out).suffix.lower().removeprefix(".")
            content, lost = _drawn(chart, kind)
            if kind == "svg":
                root = ElementTree.fromstring(content)
                _tidy(root, chart)
                root.set("font-family", ", ".join((*PREFERRED, "sans-serif")))
                content, lost = ElementTree.tostring(root, encoding="utf-8"), ""
            partial.write_bytes(content)
            if lost:
                many = f"{len(lost)} characters have" if len(lost) > 1 else "1 character has"
                what = f"{many} no font here and cannot be drawn: {lost[:20]}"
                watch.note(f"{what}; install a font for it, or write .svg or .html")

        yield draw


def _drawn(chart: Chart, kind: str, *, clear: bool = False) -> tuple[bytes, str]:
    """A chart as SVG or PNG, always the same for the same chart; and what no font has.

    A ``clear`` one has no background.
    """
    with _matplotlib():
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.text import Text

        # Whoever opens an SVG has other fonts: room is left for wide letters.
        first = "DejaVu Sans" if kind == "svg" else ""
        settings: Any = matplotlib.rcParams
        settings.update(STYLE)
        settings["svg.hashsalt"] = _plain(chart.title)
        settings["font.family"] = families("a가", first=first)[0]
        figure = Figure(figsize=(chart.size[0] / 72, chart.size[1] / 72), dpi=72)
        FigureCanvasAgg(figure)
        chart.draw(figure)
        texts: list[Any] = figure.findobj(Text)
        for text in texts:
            text.set_text(_plain(text.get_text()))
        names, lost = families("".join(text.get_text() for text in texts), first=first)
        for text in texts:
            text.set_fontfamily(names)
        chart.arrange(figure)
        file = io.BytesIO()
        if kind == "svg":
            _write_svg(figure, file, clear=clear)
        else:
            figure.savefig(file, format=kind, metadata={"Software": None}, transparent=clear)
        return file.getvalue(), lost


def _write_svg(figure: Figure, file: io.BytesIO, *, clear: bool) -> None:
    """What ``savefig`` writes, which would draw everything once more to measure it."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    if clear:
        for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
            patch.set_facecolor("none")
            patch.set_edgecolor("none")
    figure.dpi = 72 * ZOOM  # of the images in it
    FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
        file, metadata={"Date": None, "Creator": None}
    )


@contextmanager
def _matplotlib() -> Iterator[None]:
    """matplotlib with its own defaults, whatever is set elsewhere, and silent.

    Its list of fonts is kept in our cache; where that cannot be, it is made anew each time.
    """
    if "matplotlib" not in sys.modules:
        with suppress(RunError):  # without a home it takes a temporary folder
            os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph ")
        matplotlib.rcdefaults()
        yield


# --- SVG as we want it --------------------------------------------------------------------------

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)
FONT = re.compile(r"font: (?:(italic|normal) )?(?:(\d+|bold|normal) )?([\d.]+)px [^;]*")
COLOUR = re.compile("|".join(VARIABLES))
FAMILY = re.compile(r"font-family: [^;]*;? ?")


def _tidy(root: ElementTree.Element, chart: Chart) -> None:
    """Name the picture, drop what nothing needs; what a chart named (gid) becomes a class."""
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for one in root.iter():
        if one.tag == f"{{{SVG}}}g" and (name := one.attrib.pop("id", "")).isalpha():
            one.set("class", name)
        if link := one.attrib.pop(f"{{{XLINK}}}href", ""):
            one.set("href", link)
        if style := one.get("style"):
            style = FONT.sub(_font, style)
            one.set("style", FAMILY.sub("", style))
    label = f"{chart.title}. {chart.summary}" if chart.summary else chart.title
    label = _plain(label)
    root.set("role", "img")
    root.set("aria-label", label)
    title = ElementTree.Element(f"{{{SVG}}}title")
    title.text = label
    root.insert(0, title)
    root.attrib.pop("version", None)
    width, height = chart.size
    root.set("width", f"{width:g}")
    root.set("height", f"{height:g}")


def _plain(text: str) -> str:
    """On one line, and without what XML cannot hold."""
    return " ".join(NOT_XML.sub("\N{REPLACEMENT CHARACTER}", printable(text)).split())


def _font(found: re.Match[str]) -> str:
    """The shorthand of CSS without the family, which is the page's."""
    style, weight, size = found.groups()
    parts = [f"font-size: {size}px"]
    parts += [f"font-weight: {weight}"] * bool(weight) + [f"font-style: {style}"] * bool(style)
    return "; ".join(parts)
