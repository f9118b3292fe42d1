"""The typed recipe: TOML file + ``--set`` overrides in, one frozen validated Recipe out.

Unknown keys are refused with the nearest valid one. Every setting that changes a result is a field
here, with its default and its unit; the task's own options stay raw in ``task`` until the task
validates them with ``parse_options``.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bertft.errors import RecipeError, did_you_mean
from bertft.settings import (
    DEFAULTS_OF,
    FROZEN_RATE,
    FURTHER,
    LAYERS,
    Recipe,
    TrainingSettings,
    settings_named,
)

BUNDLED = "bundled:"
HUB = "hub:"
LARGEST = 2**20  # bytes of a recipe
RECIPES_OF = {
    **dict.fromkeys((".csv", ".tsv", ".jsonl", ".parquet", ".xlsx", ".txt"), "sentiment"),
    ".conll": "ner",
    ".json": "qa",
}
"""Suffix of a data file -> a recipe for such data, for who gives the file as the recipe."""


def changes(was: Any, now: Any, *, key: str = "") -> list[str]:
    """Every difference of two nested mappings, as "training.epochs was 2, is 3"."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        names = dict.fromkeys([*was, *now])
        inner = ((f"{key}.{name}" if key else str(name), name) for name in names)
        return [
            text for at, name in inner for text in changes(was.get(name), now.get(name), key=at)
        ]
    return [] if was == now else [f"{key} was {_short(was)}, is {_short(now)}"]


S = TypeVar("S", bound=BaseModel)


def bundled_root() -> Path:
    """The folder of ``recipes/`` and ``data/``: inside the wheel, or the checkout's root."""
    package = Path(__file__).resolve().parent
    inside = package / "_bundled"
    return inside if inside.is_dir() else package.parent


def bundled_recipes() -> dict[str, Path]:
    """Name -> file of every recipe that comes with bertft."""
    files = (bundled_root() / "recipes").glob("*.toml")
    return {path.stem: path for path in sorted(files, key=lambda path: path.stem)}


def find_recipe(name: str) -> Path:
    """The file of a bundled recipe or of a path. Raises RecipeError when there is none."""
    recipes = bundled_recipes()
    if name in recipes:
        return recipes[name]
    path = Path(name)
    if recipe := RECIPES_OF.get(Path(name.removesuffix(".gz")).suffix.lower()):
        hint = f"bertft init {name} looks at it and writes one"
        hint += f"; for the recipe {recipe}: bertft train {recipe} --train {name}"
        raise RecipeError(f"{name} is a data file, not a recipe", hint=hint)
    if path.is_file():
        return path
    if path.suffix == ".toml" or "/" in name:
        raise RecipeError(
            f"no recipe file {name}", hint="'bertft recipes list' names the bundled ones"
        )
    raise RecipeError(f"no recipe '{name}'", hint=did_you_mean(name, recipes))


def load_recipe(name: str, *, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe by name or path and apply ``section.key=value`` overrides in order."""
    path = find_recipe(name)
    return parse_recipe(_read_toml(path), overrides=overrides, where=str(path))


def parse_recipe(
    settings: Mapping[str, Any], *, overrides: Iterable[str] = (), where: str
) -> Recipe:
    """Validate settings as a Recipe; ``where`` names their origin in error messages."""
    merged = json.loads(json.dumps(settings, default=str))
    origins = {}
    for override in overrides:
        origins[apply_override(merged, override)] = f"--set {override}"
    _set_for_mode(merged, written=settings, overridden=origins)
    recipe = validate(Recipe, merged, where=where, origins=origins)
    if not isinstance(recipe.task.get("name"), str):
        raise RecipeError(f"{where}: [task] has no name", hint='write: name = "classification"')
    return recipe


def _set_for_mode(
    merged: dict[str, Any], *, written: Mapping[str, Any], overridden: Iterable[str]
) -> None:
    """Put the defaults of another mode in the place of what a recipe sets for fine-tuning."""
    training, before = merged.get("training"), written.get("training", {})
    if not isinstance(training, dict):
        return
    mode = training.get("mode", "fine-tune")
    if mode == "fine-tune" and "training.learning_rate" not in overridden:
        _set_for_frozen(training, before)
    if not isinstance(mode, str) or mode not in DEFAULTS_OF:
        return
    own = before if before.get("mode") == mode else {}
    task = merged.get("task")
    kind = str(task.get("name")) if isinstance(task, dict) else ""
    for name, value in (DEFAULTS_OF[mode] | FURTHER.get((mode, kind), {})).items():
        if name not in own and f"training.{name}" not in overridden:
            training[name] = value


def _set_for_frozen(training: dict[str, Any], before: Mapping[str, Any]) -> None:
    """A higher rate where layers are frozen, unless the recipe freezes them and sets its own."""
    frozen, own = (str(one.get("freeze", "")).startswith(LAYERS) for one in (training, before))
    rate = training.get("learning_rate", TrainingSettings().learning_rate)
    if frozen and not (own and "learning_rate" in before) and isinstance(rate, float):
        training["learning_rate"] = FROZEN_RATE * rate


def parse_options(options: type[S], task: Mapping[str, Any]) -> S:
    """A task's own options from the raw ``[task]`` table."""
    raw = {key: value for key, value in task.items() if key != "name"}
    return validate(options, raw, where="[task]")


def validate(
    model: type[S],
    settings: Mapping[str, Any],
    *,
    where: str,
    origins: Mapping[str, str] | None = None,
) -> S:
    """Settings as ``model``; the first fault becomes a one-line RecipeError.

    ``where`` names the origin of the settings, ``origins`` that of single keys.
    """
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        fault = error.errors()[0]
    keys = [str(part) for part in fault["loc"]]
    name = ".".join(keys)
    for key, origin in (origins or {}).items():
        if f"{name}.".startswith(f"{key}.") or key.startswith(f"{name}."):
            where = origin
    if fault["type"] == "extra_forbidden":
        valid = _fields_at(model, keys[:-1])
        raise RecipeError(f"{where}: unknown key '{name}'", hint=did_you_mean(keys[-1], valid))
    if fault["type"] == "literal_error" and isinstance(fault["input"], str):
        valid = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        hint = did_you_mean(fault["input"], valid)
        raise RecipeError(f"{where}: {name}: not {_short(fault['input'])}", hint=hint)
    reason = fault["msg"][0].lower() + fault["msg"][1:]
    given = "" if fault["type"] == "missing" else f", not {_short(fault['input'])}"
    raise RecipeError(f"{where}: {name}: {reason}{given}")


def _short(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _fields_at(model: type[BaseModel], keys: list[str]) -> list[str]:
    """Valid keys of the section that ``keys`` lead to."""
    for key in keys:
        inner = model.model_fields[key].annotation if key in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def _read_toml(path: Path) -> dict[str, Any]:
    text = recipe_text(path)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        found = re.search(r"\(at line (\d+)", str(error))
        where = f"{path}:{found.group(1)}" if found else str(path)
        reason = re.sub(r" \(at .*\)$", "", str(error))
        raise RecipeError(f"{where}: not valid TOML: {reason}", hint="texts need quotes") from None


def recipe_text(path: Path) -> str:
    """A recipe file as it is written. Raises RecipeError when it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: not UTF-8 text", hint="save it as UTF-8") from None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > LARGEST:
        raise RecipeError(f"{path}: more than {LARGEST >> 20} MiB", hint="is it a recipe?")
    return text


def apply_override(settings: dict[str, Any], override: str) -> str:
    """Set ``section.key=value``, where the value is TOML, else plain text; returns the key."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) < 2 or not all(parts):
        meant = settings_named(parts[0]) if len(parts) == 1 and parts[0] else []
        hint = f"write it as {f'{meant[0]}={text}' if meant else 'training.epochs=2'}"
        raise RecipeError(f"--set {override}: not of the form section.key=value", hint=hint)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
        json.dumps(value)
    except (ValueError, RecursionError, TypeError):  # not TOML, or a date, which no setting is
        value = text.strip()
    *sections, last = parts
    for name in sections:
        inner = settings.setdefault(name, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"--set {override}: '{name}' is not a section")
        settings = inner
    settings[last] = value
    return ".".join(parts)
