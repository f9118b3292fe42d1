"""The folder of a learning curve: which runs it has, and what they came to.

FOLDER/curve.json            the result, once all is done
FOLDER/plan.json             shares, seeds and the recipe, from the start
FOLDER/RECIPE-curve.toml     what each point is trained by
FOLDER/1-of-8/seed-13/       a run, but for its weights: its scores are what it was for
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

from bertft.errors import RunError
from bertft.evaluation.statistic import Statistic
from bertft.loaders.files import STDIN
from bertft.recipe import HUB, load_recipe
from bertft.runs.compare import predictions, statistic_of
from bertft.runs.folder import Run, new_run_folder
from bertft.runs.inputs import recorded_recipe
from bertft.runs.stored import read_json
from bertft.runs.writing import new_file, write_json
from bertft.settings import Recipe
from bertft.tasks import make_task
from bertft.training.folders import discard_folder
from bertft.training.journal import read_journal

PLAN = "plan.json"
RESULT = "curve.json"
SHARES = (Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1))


@dataclass(frozen=True, slots=True)
class Curve:
    """A folder and its plan; ``recipe`` is the file that each point is trained by."""

    folder: Path
    name: str
    seeds: tuple[int, ...]

    @property
    def recipe(self) -> Path:
        return self.folder / f"{self.name}-curve.toml"

    def point(self, share: Fraction, seed: int) -> Path:
        """The run of a share and a seed."""
        return self.folder / f"{share.numerator}-of-{share.denominator}" / f"seed-{seed}"

    def is_done(self, share: Fraction, seed: int) -> bool:
        return (self.point(share, seed) / "scores.json").exists()


def new_curve(out: str, recipe: Recipe, *, name: str, seeds: Sequence[int]) -> Curve:
    """Create the folder. Raises RunError where it is there already, or cannot be made."""

    def write(folder: Path) -> None:
        with new_file(Curve(folder, name, ()).recipe) as file:
            file.write(recorded_recipe(recipe).to_toml())
        write_json(folder / PLAN, {"recipe": name, "seeds": list(seeds)})

    folder = new_run_folder(out, recipe=f"{name}-curve", write=write)
    return Curve(folder, name, tuple(seeds))


def open_curve(folder: Path) -> Curve:
    """The curve of a folder, to go on with. Raises RunError where it is none."""
    plan = read_json(folder / PLAN)
    try:
        curve = Curve(folder, str(plan["recipe"]), tuple(map(int, plan["seeds"])))
    except (KeyError, TypeError, ValueError):
        hint = "give the folder of an interrupted 'bertft curve'"
        raise RunError(f"{folder} is no learning curve (no {PLAN})", hint=hint) from None
    if not curve.seeds or not curve.recipe.is_file():
        raise RunError(f"{folder} is no learning curve (no {curve.recipe.name})")
    return curve


def discard_weights(point: Path) -> None:
    """Remove the weights of a run that was scored."""
    for name in ("best", "last"):
        if (point / name).is_dir():
            discard_folder(point / name)


@dataclass(frozen=True, slots=True)
class Point:
    """What a run came to; ``count`` are its training examples."""

    share: Fraction
    seed: int
    count: int
    scores: Mapping[str, Any]
    statistic: Statistic


def read_points(curve: Curve) -> list[Point]:
    """All points, the smallest share first.

    Raises:
        RunError: one is damaged, or was not trained on the data of the others.
    """
    recipe = load_recipe(str(curve.recipe))
    points = []
    data: dict[str, str] = {}
    for share, seed in product(SHARES, curve.seeds):
        run = Run(curve.point(share, seed))
        task = make_task(recipe.task).bind(run.environment["labels"], {})
        statistic = statistic_of(task, predictions(str(run.path)), str(run.path))
        points.append(Point(share, seed, _count(run.path), run.scores, statistic))
        for one in run.environment["data"].values():
            # What comes from a hub is told by the examples that were used of it.
            if one["path"].startswith(HUB) or one["path"] == STDIN:
                continue
            if data.setdefault(one["path"], one["sha256"]) != one["sha256"]:
                what = f"{one['path']} was changed while the curve was drawn"
                raise RunError(what, hint="draw it anew: bertft curve, with another --out")
    return points


def _count(run: Path) -> int:
    for event in read_journal(run / "journal.jsonl"):
        if event.get("event") == "plan":
            return int(event["examples"]["train"])
    raise RunError(f"{run}/journal.jsonl: no plan in it", hint="remove that run, and --resume")
