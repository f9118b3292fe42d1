"""Bars: words with their shares go in; a matplotlib figure comes out (picture.py writes it)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertft.reports.picture import COLOURS, SOFT

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Bar:
    """A name and its value; without a value it is the heading of those below."""

    name: str
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Bars under a title, and what is said of them."""

    title: str
    said: Sequence[str]
    bars: Sequence[Bar]


WIDTH, ROW, TOP, GAP = 640, 20, 10, 26
NAMES, VALUES = 180, 64
"""Widths of what stands left and right of the bars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """Panels from top to bottom: bars run right from zero, or left where they are negative."""

    title: str
    panels: Sequence[Panel]

    @property
    def size(self) -> tuple[float, float]:
        return WIDTH, TOP + sum(_height(one) + GAP for one in self.panels)

    @property
    def summary(self) -> str:
        return "; ".join(one.title for one in self.panels)

    def draw(self, figure: Figure) -> None:
        height = self.size[1]
        top = height - TOP
        for panel in self.panels:
            top = _panel(figure, panel, top=top, height=height) - GAP

    def arrange(self, figure: Figure) -> None:
        pass


def _height(panel: Panel) -> float:
    return ROW * (1 + len(panel.said) + len(panel.bars))


def _panel(figure: Figure, panel: Panel, *, top: float, height: float) -> float:
    """Draw a panel below ``top``; gives where it ends."""

    def write(text: str, x: float, y: float, **style: Any) -> None:
        figure.text(x / WIDTH, y / height, text, va="center", **style)

    write(panel.title, 12, top - ROW / 2, fontweight="bold", fontsize=13)
    for number, line in enumerate(panel.said, start=1):
        write(line, 12, top - ROW * (number + 0.5), color=SOFT)
    top -= ROW * (1 + len(panel.said))
    bottom = top - ROW * len(panel.bars)
    wide = WIDTH - NAMES - VALUES
    axes = figure.add_axes((NAMES / WIDTH, bottom / height, wide / WIDTH, (top - bottom) / height))
    axes.set_axis_off()
    axes.set_ylim(len(panel.bars) - 0.5, -0.5)
    values = [one.value for one in panel.bars if one.value is not None]
    low, high = min([0.0, *values]), max([0.0, *values])
    axes.set_xlim(low, high if high > low else low + 1)
    axes.axvline(0, color=SOFT, linewidth=1, clip_on=False)
    for row, one in enumerate(panel.bars):
        y = top - ROW * (row + 0.5)
        if one.value is None:
            write(one.name, 12, y, color=SOFT)
            continue
        colour = COLOURS[0] if one.value >= 0 else COLOURS[1]
        axes.barh(row, one.value, height=0.72, color=colour, gid="bar")
        axes.patches[-1].set_gid("bar")
        write(one.name, NAMES - 10, y, ha="right")
        write(f"{one.value:+.3f}" if low < 0 else f"{one.value:.3f}", WIDTH - 12, y, ha="right",
              color=SOFT)  # fmt: skip
    return bottom
