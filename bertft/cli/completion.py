"""What a shell completes: recipes, runs, models, settings and formats, without anything heavy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def _paths(incomplete: str, pattern: str) -> list[str]:
    """Files of one kind, and folders, that begin like this."""
    folder = Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent)
    found = (
        [*folder.glob(pattern), *(path for path in folder.glob("*/"))] if folder.is_dir() else []
    )
    return [f"{path}/" if path.is_dir() else str(path) for path in found if path.name[0] != "."]


def recipes(incomplete: str) -> list[str]:
    from bertft.recipe import bundled_recipes

    return _starting([*bundled_recipes(), *_paths(incomplete, "*.toml")], incomplete)


def runs(incomplete: str) -> list[str]:
    """Runs by name; by path where one was begun."""
    from bertft.runs.folder import RUNS, finished_runs, unfinished_runs

    found = [run.path for run in (*finished_runs(), *unfinished_runs())]
    names = [str(path.relative_to(RUNS)) for path in found]
    return _starting([*names, *map(str, found)] if "/" in incomplete else names, incomplete)


def recipes_or_runs(incomplete: str) -> list[str]:
    return sorted({*recipes(incomplete), *runs(incomplete)})


def models(incomplete: str) -> list[str]:
    from bertft.encoder.zoo import ZOO

    return _starting([*ZOO, *_paths(incomplete, "*/")], incomplete)


def settings(incomplete: str) -> list[str]:
    from bertft.settings import all_settings

    return _starting([f"{key}=" for key in all_settings()], incomplete)


def formats(incomplete: str) -> list[str]:
    from bertft.prediction.formats import FORMATS

    return _starting([*FORMATS, "html", "xlsx"], incomplete)
