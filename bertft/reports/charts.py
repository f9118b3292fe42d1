"""Lines: values by step or layer go in, a matplotlib figure comes out (picture.py writes it).

Each line is named at its end. Bars are drawn by bars.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertft.reports.picture import COLOURS, INK, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
"""So that more lines than colours are told apart."""
SMALL = 0.005
"""An axis that ends below it has numbers like 2.5e-5."""
BESIDE = 1.06
"""Where the names of lines stand, in widths of the axes."""
LETTERS = 15
"""Pixels between the names of two lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line. A ``faint`` one lies behind the next, in its colour, and has no name."""

    name: str
    points: Sequence[Point]
    dots: bool = False
    faint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """Lines over whole numbers; ``bounds`` are values that no axis goes beyond.

    ``mark`` is a place to draw a line at, and its name.
    """

    title: str
    across: str
    up: str
    series: Sequence[Series]
    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    mark: tuple[float, str] | None = None
    size: tuple[float, float] = (420, 270)

    @property
    def summary(self) -> str:
        ends = (
            f"{one.name} from {one.points[0][1]:.4g} to {one.points[-1][1]:.4g}".strip()
            for one in self.series
            if one.points and not one.faint
        )
        return "; ".join(ends)

    def draw(self, figure: Figure) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        figure.set_layout_engine("constrained", w_pad=6 / 72, h_pad=6 / 72)
        axes = figure.subplots()
        number = 0
        for one in self.series:
            colour, dash = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % 3]
            _line(axes, one, colour, dash)
            number += not one.faint
        last = max((place for one in self.series for place, _ in one.points), default=0)
        most = 13 if last < 13 else 6
        axes.xaxis.set_major_locator(MaxNLocator(nbins=most, integer=True, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.grid(False, axis="x")
        axes.set_xlabel(self.across)
        low, high = self._fit(axes)
        small = high < SMALL
        write = FuncFormatter(lambda value, _: short(value, small=small))
        axes.yaxis.set_major_formatter(write)
        up = f"{self.up}, axis starts at {short(low, small=small)}" if low > 0 else self.up
        heading(axes, self.title, up)
        if self.mark:
            place, name = self.mark
            axes.axvline(place, color=SOFT, linewidth=1, linestyle=(0, (4, 3)), gid="mark")
            _above(axes, place, name)
        _name_lines(axes, [one for one in self.series if not one.faint])

    def arrange(self, figure: Figure) -> None:
        """Names make room for each other."""
        from matplotlib.text import Annotation

        names: list[Any] = [one for one in figure.findobj(Annotation) if one.get_gid() == "name"]
        layout = figure.get_layout_engine()
        assert layout is not None
        layout.execute(figure)  # only now the height of the axes is known
        (axes,) = figure.axes
        low, high = axes.get_ylim()
        unit = (high - low) / axes.bbox.height * figure.dpi / 72
        places = apart([one.xy[1] / unit for one in names], least=LETTERS)
        for name, place in zip(names, places, strict=True):
            name.set_position((BESIDE, place * unit))
        figure.set_layout_engine("none")  # names that move up or down take no other room

    def _fit(self, axes: Axes) -> tuple[float, float]:
        """Set round limits that the values fill."""
        from matplotlib.ticker import MaxNLocator

        found = [value for one in self.series for _, value in one.points]
        low, high = min(found), max(found)
        room = 0.04 * (high - low) or abs(high) * 0.05 or 0.5
        low, high = max(self.bounds[0], low - room), min(self.bounds[1], high + room)
        ticks = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        inside = [float(tick) for tick in ticks if self.bounds[0] <= tick <= self.bounds[1]]
        axes.set_yticks(inside)
        limits = min([low, *inside]), max([high, *inside])
        axes.set_ylim(*limits)
        return limits


def short(value: float, *, small: bool = False) -> str:
    """A number as it stands at an axis: 0.25, or 2.5e-5 where all are ``small``."""
    if not value or not small:
        return f"{value:.6g}"
    digits, exponent = f"{value:.3e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def _line(axes: Axes, one: Series, colour: str, dash: Any) -> None:
    axes.plot(
        [place for place, _ in one.points],
        [value for _, value in one.points],
        color=colour,
        linestyle=dash,
        marker="o" if one.dots else "",
        markersize=5,
        linewidth=1 if one.faint else 2,
        alpha=0.35 if one.faint else 1,
        clip_on=False,
        gid="faint" if one.faint else "series",
    )


def heading(axes: Axes, title: str, said: str) -> None:
    """A title above the axes, and below it what they show."""
    axes.set_title(title, loc="left", fontweight="bold", fontsize=13, color=INK, pad=26)
    place = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(said, xy=(0, 1), xytext=(0, 10), ha="left", color=SOFT, **place)  # type: ignore[arg-type]


def _above(axes: Axes, place: float, name: str) -> None:
    """A name at the top of a place, on the side where there is more room."""
    low, high = axes.get_xlim()
    left = place > (low + high) / 2
    axes.annotate(
        name,
        xy=(place, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if left else 4, -2),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top",
        fontsize=11,
        color=SOFT,
    )


def _name_lines(axes: Axes, series: Sequence[Series]) -> None:
    """Write each name beside the end of its line."""
    from matplotlib.transforms import blended_transform_factory

    beside = blended_transform_factory(axes.transAxes, axes.transData)
    for number, one in enumerate(series):
        if not one.name or not one.points:
            continue
        colour = COLOURS[number % len(COLOURS)]
        axes.annotate(
            one.name,
            xy=one.points[-1],
            xytext=(BESIDE, one.points[-1][1]),
            textcoords=beside,
            va="center",
            color=colour,
            gid="name",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.8,
                "alpha": 0.6,
                "shrinkA": 2,
                "shrinkB": 5,
                "relpos": (0, 0.5),
            },
        )


def apart(places: Sequence[float], *, least: float) -> list[float]:
    """Places in the same order, moved as little as it takes to lie ``least`` from each other."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    groups: list[tuple[float, int]] = []  # (middle, how many)
    for index in order:
        middle, count = places[index], 1
        while groups and middle - groups[-1][0] < least * (count + groups[-1][1]) / 2:
            before, many = groups.pop()
            middle, count = (before * many + middle * count) / (many + count), many + count
        groups.append((middle, count))
    spread = [
        middle + (number - (count - 1) / 2) * least
        for middle, count in groups
        for number in range(count)
    ]
    found = [0.0] * len(places)
    for index, place in zip(order, spread, strict=True):
        found[index] = place
    return found
