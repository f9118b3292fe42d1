"""curve: a recipe trained on ever more of its data; what twice as much would give.

    recipe -> a run for each share and seed (train) -> points -> power law -> curve.json, curve.html

The points are runs in one folder, so that what was done is kept when the curve is interrupted. The
largest share comes first: in features mode its states serve all others.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from bertft.commands.train import train
from bertft.errors import Interrupted
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.reports.curve_page import curve_page
from bertft.runs.curve import (
    RESULT,
    SHARES,
    Curve,
    discard_weights,
    new_curve,
    open_curve,
    read_points,
)
from bertft.runs.curve_result import curve_content
from bertft.runs.first_look import look_at_curve
from bertft.runs.folder import Run
from bertft.runs.writing import new_file, write_json
from bertft.watch import Silent, Watch


class Quiet(Silent):
    """Passes on how far things are, not what is said: the first point has said it."""

    def __init__(self, watch: Watch) -> None:
        self.advance = watch.advance  # type: ignore[method-assign]


def curve(
    request: TrainRequest, *, seeds: int = 3, watch: Watch | None = None
) -> tuple[Path, dict[str, Any]]:
    """The folder of the curve, and what its curve.json says. ``request.resume`` is such a folder.

    Raises:
        BertftError: the recipe, its data or the folder is at fault.
        Interrupted: SIGINT or SIGTERM came; what is done is kept.
    """
    watch = watch or Silent()
    drawn = _opened(request, seeds=seeds)
    if not request.resume:
        watch.note(f"learning curve: {drawn.folder}; its runs keep scores, not weights")
    first = True
    for share in reversed(SHARES):
        for seed in drawn.seeds:
            if not drawn.is_done(share, seed):
                _train(drawn, share, seed, request, watch=watch if first else Quiet(watch))
                first = False
                _tell(drawn, share, seed, watch=watch)
            discard_weights(drawn.point(share, seed))
    content = curve_content(read_points(drawn), name=drawn.name)
    write_json(drawn.folder / RESULT, content)
    with new_file(drawn.folder / "curve.html") as file:
        file.write(curve_page(content))
    return drawn.folder, content


def _opened(request: TrainRequest, *, seeds: int) -> Curve:
    if request.resume:
        return open_curve(Path(request.resume))
    recipe = read_recipe(request)
    look_at_curve(recipe)
    first = recipe.training.seed
    name = Path(request.recipe).stem
    return new_curve(request.out, recipe, name=name, seeds=range(first, first + seeds))


def _train(
    drawn: Curve, share: Fraction, seed: int, request: TrainRequest, *, watch: Watch
) -> None:
    """Train a point, or go on with it."""
    point = drawn.point(share, seed)
    if (point / "recipe.toml").is_file():
        asked = TrainRequest(recipe="", resume=str(point), offline=request.offline)
    else:
        asked = TrainRequest(recipe=str(drawn.recipe), seed=seed, offline=request.offline)
        base = read_recipe(asked)
        part = base.data.train_share * float(share)
        asked = replace(asked, overrides=(f"data.train_share={part}",), out=str(point))
    try:
        result = train(asked, watch=watch)
    except Interrupted as stop:
        what = str(stop).partition(";")[0]
        hint = f"go on with: bertft curve --resume {drawn.folder}"
        raise Interrupted(f"{what}; {hint}", signal_number=stop.exit_code - 128) from None
    assert result is not None


def _tell(drawn: Curve, share: Fraction, seed: int, *, watch: Watch) -> None:
    """Say what a point came to."""
    scores = Run(drawn.point(share, seed)).scores
    metric = scores["metric"]
    value = scores["metrics"][metric]["value"]
    rows = "all rows" if share == 1 else f"{share} of the rows"
    watch.note(f"{rows}, seed {seed}: {scores['split']} {metric} {value:.4f}")
