"""What a sweep searches: ``--over KEY=LOW..HIGH[:log]`` or ``KEY=A,B,C`` in, Dimensions out.

The ends of a range and all choices are validated as the recipe validates a setting, so that no
trial fails of a slip. Nothing heavy is imported here.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bertft.errors import RecipeError, did_you_mean
from bertft.recipe import validate
from bertft.settings import Recipe, all_settings, settings_named
from bertft.tasks import make_task

Params = dict[str, Any]
"""Settings of a trial: the value of each key that is searched."""

COMPARED = {
    "training.seed": "a seed is luck, not a setting: '--seeds K' of train measures it",
    "training.metric": "trials are compared by one score: --set training.metric=NAME",
}
"""Settings that say by what trials are compared: they are the same for all of them."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A setting and its values: ``choices``, or from ``low`` to ``high`` (whole where both are)."""

    key: str
    said: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False

    @property
    def count(self) -> float:
        """How many values there are; infinite for a range of fractions."""
        if self.choices:
            return len(self.choices)
        return self.high - self.low + 1 if isinstance(self.low, int) else math.inf


def read_space(
    recipe: Recipe, searched: Sequence[str], *, overrides: Sequence[str] = ()
) -> list[Dimension]:
    """The dimensions of ``--over`` flags, each value valid in the recipe.

    Raises:
        RecipeError: a flag is not of that form, its setting does not exist, or a value is none.
    """
    if not searched:
        hint = "bertft sweep sentiment --over training.learning_rate=1e-5..5e-4:log"
        raise RecipeError("a sweep needs settings to search", hint=hint)
    space = [_dimension(recipe, text) for text in searched]
    keys = [one.key for one in space]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise RecipeError(f"--over names {twice[0]} twice", hint="give all its values at once")
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key in keys:
            raise RecipeError(f"{key} is both set and searched", hint="leave out --set, or --over")
    return space


def setting(key: str, value: Any) -> str:
    """As ``--set`` reads it."""
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def _dimension(recipe: Recipe, text: str) -> Dimension:
    key, equals, values = text.partition("=")
    key, values = key.strip(), values.strip()
    flag = f"--over {text}"
    if "." not in key:
        meant = settings_named(key) if key else []
        hint = f"write it as {meant[0]}={values}" if meant else "as in training.epochs=2,3,5"
        raise RecipeError(f"{flag}: not of the form section.key=VALUES", hint=hint)
    _check_key(key, flag)
    if not equals or not values:
        hint = f"{key}=LOW..HIGH, {key}=LOW..HIGH:log or {key}=A,B,C"
        raise RecipeError(f"{flag}: no values to search", hint=hint)
    low, dots, rest = values.partition("..")
    is_range = dots and "," not in values and not low.endswith("/") and low != ""
    found = _range(key, low, rest, flag) if is_range else _choices(key, values, flag)
    ends = found.choices or (found.low, found.high)
    kinds = {type(_checked(recipe, key, value, flag)) for value in ends}
    if is_range and kinds == {float}:
        return Dimension(key, text, low=float(found.low), high=float(found.high), log=found.log)
    return Dimension(key, text, found.choices, found.low, found.high, found.log)


def _check_key(key: str, flag: str) -> None:
    if key.startswith("data."):
        hint = "train on each, and compare the runs on one test file"
        raise RecipeError(f"{flag}: scores of other data are not compared", hint=hint)
    if key in COMPARED:
        raise RecipeError(f"{flag}: not to be searched", hint=COMPARED[key])
    if not key.startswith("task.") and key not in all_settings():
        near = did_you_mean(key, all_settings())
        hint = near if near.startswith("did") else "the settings are listed in recipe-keys.md"
        raise RecipeError(f"{flag}: unknown key '{key}'", hint=hint)


def _range(key: str, low: str, rest: str, flag: str) -> Dimension:
    high, _, scale = rest.partition(":")
    ends = [_number(low, flag), _number(high, flag)]
    if scale not in ("", "log"):
        raise RecipeError(f"{flag}: unknown scale '{scale}'", hint=did_you_mean(scale, ["log"]))
    if ends[0] >= ends[1]:
        raise RecipeError(f"{flag}: the range is empty", hint="write the lower end first")
    if scale and ends[0] <= 0:
        raise RecipeError(f"{flag}: a log scale starts above 0", hint="raise the lower end")
    return Dimension(key, flag, low=ends[0], high=ends[1], log=scale == "log")


def _number(text: str, flag: str) -> float:
    try:
        number = int(text) if re.fullmatch(r"\s*[+-]?\d+\s*", text) else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        hint = "LOW..HIGH are numbers; separate other values by commas"
        raise RecipeError(f"{flag}: '{text}' is no number", hint=hint)
    return number


def _choices(key: str, values: str, flag: str) -> Dimension:
    try:
        found = list(tomllib.loads(f"value = [{values}]")["value"])
    except ValueError:
        found = [_plain(part.strip()) for part in values.split(",")]
    if "" in found:
        raise RecipeError(f"{flag}: a value is empty", hint="leave out the comma")
    if len(found) < 2:
        only = json.dumps(found[0]) if found else "..."
        hint = f"--set {key}={only}, or more values"
        raise RecipeError(f"{flag}: one value leaves nothing to search", hint=hint)
    texts = [json.dumps(one, default=str) for one in found]
    if twice := [text for text in texts if texts.count(text) > 1]:
        raise RecipeError(f"{flag}: {twice[0]} stands there twice", hint="leave one out")
    return Dimension(key, flag, choices=tuple(found))


def _plain(text: str) -> Any:
    """A TOML value, else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text


def _checked(recipe: Recipe, key: str, value: Any, flag: str) -> Any:
    """The value as the recipe, or the task, takes it. Raises RecipeError where it does not."""
    section, _, name = key.partition(".")
    settings = recipe.resolved()
    settings[section] = {**settings[section], name: value}
    made = validate(Recipe, settings, where=flag, origins={key: flag})
    if section != "task":
        return getattr(getattr(made, section), name)
    try:
        task: Any = make_task(made.task)
    except RecipeError as error:
        raise RecipeError(f"{flag}: {error.message}", hint=error.hint) from None
    return getattr(task.options, name, value)


def table(space: Sequence[Dimension]) -> Mapping[str, str]:
    """Key -> its values as they were written."""
    return {one.key: one.said.partition("=")[2].strip() for one in space}
