"""The typed recipe: TOML file + ``--set`` overrides in, one frozen validated Recipe out.

Unknown keys are refused with the nearest valid one. Every setting that changes a result is a field
here, with its default and its unit; the task's own options stay raw in ``task`` until the task
validates them with ``parse_options``.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bertft.errors import RecipeError, did_you_mean

BUNDLED = "bundled:"
HUB = "hub:"
LARGEST = 2**20  # bytes of a recipe

DecayRate = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Base of every recipe section: frozen, unknown keys refused, no silent type changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ModelSettings(Section):
    """Which encoder is fine-tuned."""

    name: str = "minilm"
    """A zoo alias, a Hub id or a folder."""
    revision: str = ""
    """Commit, tag or branch of a Hub model; empty for its main branch (the commit is recorded)."""
    max_length: int = Field(default=128, ge=8)
    """Longest input in tokens, [CLS] and [SEP] included."""
    decomposed_hangul: bool = False
    """Allow Korean text with a tokenizer that splits Hangul syllables into jamo."""
    pooling: Literal["auto", "first", "mean"] = "auto"
    """What the head of a text reads: its first token's state, or the mean of all its tokens', for
    which a layer that averages is put on the encoder (encoder/averaging.py). ``auto``: the mean in
    features mode where the encoder allows it, else the first token."""


class DataSettings(Section):
    """Where the examples are and how their files are written."""

    train: str = ""
    further: list[str] = []
    """More files of training examples, beside ``train``."""
    dev: str = ""
    test: str = ""
    dev_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the training rows held out as dev set when ``dev`` is empty."""
    header: bool = True
    """False for CSV/TSV files whose first line is data; ``columns`` then names the columns."""
    columns: list[str] = []
    delimiter: str = ""
    """Field separator; empty for comma in .csv and tab in .tsv."""
    quoting: Literal["auto", "standard", "none"] = "auto"
    """``standard``: RFC 4180; ``none``: quotes are text; ``auto``: standard for .csv, else none."""
    encoding: str = "utf-8"
    on_bad_row: Literal["stop", "skip"] = "stop"
    """``skip`` leaves out rows that cannot be used, and counts them."""


class TrainingSettings(Section):
    """How the weights are learned."""

    mode: Literal["fine-tune", "features"] = "fine-tune"
    """``features``: the encoder stays as it is and reads each text once; only the head (and the
    pooler, which belongs to it) learns, from these vectors."""
    epochs: int = Field(default=3, ge=1)
    batch_size: int = Field(default=32, ge=1)
    """Sequences in one forward pass; several processes share them."""
    gradient_accumulation: int = Field(default=1, ge=1)
    """Batches per optimizer step; the loss is averaged over all of them together."""
    learning_rate: float = Field(default=5e-5, gt=0)
    """Peak learning rate, reached after the warm-up."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps over which the learning rate rises linearly from 0."""
    schedule: Literal["linear", "constant"] = "linear"
    weight_decay: float = Field(default=0.01, ge=0)
    """Applied to weight matrices only, never to biases and LayerNorm."""
    adam_betas: tuple[DecayRate, DecayRate] = Field(default=(0.9, 0.999), strict=False)
    adam_epsilon: float = Field(default=1e-8, gt=0)
    dropout: float = Field(default=-1.0, ge=-1, lt=1)
    """Of hidden states and attention weights in training; below 0: as the model's config says."""
    max_gradient_norm: float = Field(default=1.0, ge=0)
    """Gradients are scaled down to this norm; 0 switches clipping off."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Learning rate of each layer as a share of the one above it; 1 is the same everywhere."""
    freeze: Literal["none", "encoder"] = "none"
    """``encoder`` trains only the head (and the pooler, which belongs to it)."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, more time."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    evaluate_every: int = Field(default=0, ge=0)
    """Optimizer steps between evaluations on dev; 0 evaluates after each epoch."""
    early_stopping: int = Field(default=0, ge=0)
    """Stop after this many evaluations without a better score; 0 never stops early."""
    metric: str = ""
    """Dev score that selects the best checkpoint; empty for the task's own."""
    keep: Literal["best", "last"] = "best"
    """Weights that the run ends with: those of the best dev score, or the last ones. On a small dev
    set the best is mostly luck, and the last had the whole schedule, down to a rate of 0."""
    seed: int = Field(default=13, ge=0, lt=2**32)
    save_every: int = Field(default=0, ge=0)
    """Optimizer steps between checkpoints, beside that of each evaluation; 0 saves every five
    minutes (less often where saving would take more than 2 % of the time)."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """Checkpoints kept while training, ``last/`` included: if it is damaged the one before it is
    used."""


FEATURES = {"epochs": 10, "batch_size": 32, "learning_rate": 1e-3, "evaluate_every": 0}
"""Defaults of features mode: a head alone takes larger steps than an encoder, and more of them."""


class Recipe(Section):
    """A whole experiment. ``task`` holds the task's name and its raw options."""

    description: str = ""
    model: ModelSettings = ModelSettings()
    task: dict[str, Any]
    data: DataSettings = DataSettings()
    training: TrainingSettings = TrainingSettings()

    def resolved(self) -> dict[str, Any]:
        """Every setting written out, defaults included."""
        return self.model_dump(mode="json")

    def hash(self) -> str:
        """SHA-256 over the resolved settings: equal hashes mean the same experiment."""
        return hashlib.sha256(json.dumps(self.resolved(), sort_keys=True).encode()).hexdigest()

    def to_toml(self) -> str:
        return tomli_w.dumps(self.resolved())


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
        origins[_apply(merged, override)] = f"--set {override}"
    _set_for_features(merged, written=settings, overridden=origins)
    recipe = validate(Recipe, merged, where=where, origins=origins)
    if not isinstance(recipe.task.get("name"), str):
        raise RecipeError(f"{where}: [task] has no name", hint='write: name = "classification"')
    return recipe


def _set_for_features(
    merged: dict[str, Any], *, written: Mapping[str, Any], overridden: Iterable[str]
) -> None:
    """In features mode, put FEATURES in the place of what a recipe sets for fine-tuning."""
    training, before = merged.get("training"), written.get("training", {})
    if not isinstance(training, dict) or training.get("mode") != "features":
        return
    own = before if before.get("mode") == "features" else {}
    for name, value in FEATURES.items():
        if name not in own and f"training.{name}" not in overridden:
            training[name] = value


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


def _apply(settings: dict[str, Any], override: str) -> str:
    """Set ``section.key=value``, where the value is TOML, else plain text; returns the key."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) < 2 or not all(parts):
        hint = "write it as training.epochs=2"
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
