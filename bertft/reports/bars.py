"""Bars: words with their shares, or the share of right predictions by confidence, go in; a
matplotlib figure comes out (picture.py writes it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertft.reports.charts import heading
from bertft.reports.picture import COLOURS, INK, LINE, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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


# --- calibration --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityChart:
    """How many of the predictions of about one confidence are right.

    ``bins`` are (count, mean confidence, share that is right), from 0 to 1 in equal steps.
    """

    title: str
    bins: Sequence[tuple[int, float, float]]
    size: tuple[float, float] = (420, 380)

    @property
    def summary(self) -> str:
        return "; ".join(
            f"confidence {confidence:.2f}: {right:.2f} right, of {count}"
            for count, confidence, right in self.bins
            if count
        )

    def draw(self, figure: Figure) -> None:
        figure.set_layout_engine("constrained", w_pad=6 / 72, h_pad=6 / 72)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        width = 1 / len(self.bins)
        middles = [(number + 0.5) * width for number in range(len(self.bins))]
        ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
        for middle, (count, confidence, right) in zip(middles, self.bins, strict=True):
            if count:
                (bar,) = upper.bar(middle, right, width * 0.9, color=COLOURS[0], alpha=0.55)
                bar.set_gid("bar")
                upper.plot(confidence, right, marker="o", color=COLOURS[0], markersize=5, gid="dot")
                lower.bar(middle, count, width * 0.9, color=SOFT, alpha=0.6)
        upper.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)), gid="ideal")
        upper.annotate("well calibrated", xy=(0.34, 0.36), xytext=(-6, 4), ha="right",
                       textcoords="offset points", color=SOFT, fontsize=11)  # fmt: skip
        upper.set(xlim=(0, 1), ylim=(0, 1), yticks=ticks)
        upper.grid(False, axis="x")
        lower.grid(False, axis="x")
        lower.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        _counts(lower, max(count for count, _, _ in self.bins))
        lower.set_xlabel("confidence")
        heading(upper, self.title, "share that is right; below: number of predictions")
        for axes in (upper, lower):
            axes.spines["bottom"].set_color(LINE)

    def arrange(self, figure: Figure) -> None:
        pass


def _counts(axes: Axes, most: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylim(0, max(1, most) * 1.05)
