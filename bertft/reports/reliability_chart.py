"""Reliability: the share of right predictions by confidence goes in; a matplotlib figure comes out
(picture.py writes it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertft.reports.charts import heading
from bertft.reports.picture import COLOURS, INK, LINE, SOFT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Bins = Sequence[tuple[int, float, float]]
"""(count, mean confidence, share that is right), each of about as many predictions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityChart:
    """How many of the predictions of about one confidence are right; ``before`` calibration, too,
    where there was any."""

    title: str
    bins: Bins
    before: Bins = ()
    size: tuple[float, float] = (420, 380)

    @property
    def summary(self) -> str:
        return "; ".join(
            f"confidence {confidence:.2f}: {right:.2f} right, of {count}"
            for count, confidence, right in self.bins
        )

    def draw(self, figure: Figure) -> None:
        figure.set_layout_engine("constrained", w_pad=6 / 72, h_pad=6 / 72)
        axes = figure.subplots()
        ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
        axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)), gid="ideal")
        for bins, colour, kind in ((self.before, SOFT, "before"), (self.bins, COLOURS[0], "dot")):
            axes.plot(
                [confidence for _, confidence, _ in bins],
                [right for _, _, right in bins],
                color=colour, marker="o", markersize=5, linewidth=1.5, gid=kind, clip_on=False,
                alpha=0.6 if kind == "before" else 1,
            )  # fmt: skip
        axes.annotate("well calibrated", xy=(0.34, 0.36), xytext=(-6, 4), ha="right",
                      textcoords="offset points", color=SOFT, fontsize=11)  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(0, 1), yticks=ticks)
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.grid(False, axis="x")
        axes.set_xlabel("confidence")
        grey = "; grey: before calibration" if self.before else ""
        heading(axes, self.title, f"share that is right{grey}")
        axes.spines["bottom"].set_color(LINE)

    def arrange(self, figure: Figure) -> None:
        pass
