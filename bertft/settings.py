"""The typed schema of a recipe: every setting that changes a result, with its default and its unit.

Unknown keys are refused; the task's own options stay raw in ``task`` until the task validates them
with ``recipe.parse_options``.
"""

from __future__ import annotations

import hashlib
import json
import re
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

DecayRate = Annotated[float, Field(ge=0, lt=1)]
FEATURES = {"epochs": 10, "batch_size": 32, "learning_rate": 1e-3, "evaluate_every": 0}
"""Defaults of features mode: a head alone takes larger steps than an encoder, and more of them."""
FURTHER = {("features", "ner"): {"learning_rate": 3e-2}}
"""What differs by mode and task: a tag is read from one token by one linear layer, which 1e-3
leaves unfit (one seed: test F1 of wnut17, on which it was chosen, 0.096, 0.222 with 1e-2, 0.292
with 3e-2; of the bundled ner, looked at afterwards, 0.258 and 0.500)."""

FEW_SHOT: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 32,
    "learning_rate": 1e-4,
    "evaluate_every": 0,
    "layer_decay": 1.0,
    "keep": "last",
}
"""Defaults of few-shot mode: on rows of sst2 and banking77 that neither learned nor tested, a few
steps helped, and more of them, or larger ones, lost that again."""
LORA = {"learning_rate": 1e-3, "layer_decay": 1.0}
"""Defaults of LoRA: adapters start at nothing and take larger steps than weights do. On rows of
sst2's train, scored on others of it: 3e-4 0.839, 1e-3 0.871 (2,000 rows); 1e-3 0.860, 3e-3 0.838
(1,000 rows; all weights 0.842)."""
DEFAULTS_OF: dict[str, dict[str, Any]] = {
    "features": FEATURES,
    "few-shot": FEW_SHOT,
    "lora": LORA,
}
"""Mode -> what takes the place of what a recipe sets for fine-tuning."""


LAYERS = "layers:"
FROZEN_RATE = 2.0
"""With frozen layers those above learn at this many times the rate that a recipe sets for all of
them. On 1,000 rows of each, scored on others of train: sst2 (two seeds) accuracy 0.813, so 0.837;
banking77 0.673 and 0.790; wnut17 F1 0.313 and 0.457."""


def check_freeze(text: str) -> str:
    """``none``, ``encoder``, or ``layers:4``."""
    count = text.removeprefix(LAYERS)
    if text in ("none", "encoder") or (text != count and re.fullmatch("[0-9]{1,4}", count)):
        return text
    told = "write none, encoder, or layers:4 for the embeddings and the lowest four layers"
    raise PydanticCustomError("freeze", told)


def check_fold(text: str) -> str:
    """``2/5``, or "" for none."""
    number, _, count = text.partition("/")
    digits = number.isdecimal() and count.isdecimal()
    if text and not (digits and 1 <= int(number) <= int(count) and int(count) >= 2):
        raise PydanticCustomError("fold", "a fold is written as 2/5, the second of five")
    return text


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
    features and few-shot mode where the encoder allows it, else the first token. Of ``retrieval``
    what a vector is; ``auto``: what the encoder's folder says, else the mean."""
    layers: int | list[int] = 0
    """Layers of the encoder that are kept: 4 is so many, evenly spread from the first to the last;
    [1, 3, 6] are those, counted from 1; 0 is all of them."""


class DataSettings(Section):
    """Where the examples are and how their files are written."""

    train: str = ""
    further: list[str] = []
    """More files of training examples, beside ``train``."""
    dev: str = ""
    test: str = ""
    dev_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the training rows held out as dev set when ``dev`` is empty; 0 trains on all rows:
    the last weights are kept, and nothing is scored, tuned or calibrated on dev."""

    train_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the training rows that are used, each label in its proportion; with one seed a
    smaller share is part of each larger one (``bertft curve``)."""
    corrections: str = ""
    """Reviewed suspects of ``bertft check RECIPE --labels``: labels of training rows that were
    confirmed in the column ``corrected`` take the place of those in the files."""
    fold: Annotated[str, AfterValidator(check_fold)] = ""
    """``2/5``: the second of five parts of the training rows is the test set (``--folds`` trains a
    run for each). Labels are spread evenly, and rows that belong together stay together: questions
    on one passage, pairs with one premise, equal texts."""
    group_column: str = ""
    """Column of the training files (an author, a document, a patient): rows that have one value of
    it belong together, and are never divided between train, dev and a fold."""

    @property
    def has_dev(self) -> bool:
        return bool(self.dev) or self.dev_share > 0

    header: bool | Literal["auto"] = "auto"
    """False for CSV/TSV files whose first line is data; ``columns`` then names the columns, or they
    are called column1, column2, ...; ``auto``: true, unless the first line is plainly data."""
    columns: list[str] = []
    delimiter: str = ""
    """Field separator; empty for comma in .csv and tab in .tsv, or else ; | tab or comma where only
    one of them divides the lines evenly."""
    quoting: Literal["auto", "standard", "none"] = "auto"
    """``standard``: RFC 4180; ``none``: quotes are text; ``auto``: standard for .csv; for .tsv what
    the first quotes show."""
    encoding: str = "auto"
    """A name such as cp949, utf-16 or cp1252; ``auto``: UTF-8, or what the start of the file shows
    where that is certain."""
    sheet: str = ""
    """Sheet of a workbook; empty for the first."""
    on_bad_row: Literal["stop", "skip"] = "stop"
    """``skip`` leaves out rows that cannot be used, and counts them."""


class TrainingSettings(Section):
    """How the weights are learned."""

    mode: Literal["fine-tune", "features", "few-shot", "lora"] = "fine-tune"
    """``features``: the encoder stays as it is and reads each text once; only the head (and the
    pooler, which belongs to it) learns, from these vectors. ``few-shot``, for labels of texts: the
    encoder learns which texts have the same label, then the head is fitted to its vectors.
    ``lora``: the head learns, and of the encoder small adapters alone ([lora]; the extra
    ``lora``)."""
    epochs: int = Field(default=3, ge=1)
    batch_size: int = Field(default=32, ge=1)
    """Sequences in one forward pass (of ``retrieval`` pairs); several processes share them."""
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
    freeze: Annotated[str, AfterValidator(check_freeze)] = "none"
    """``encoder`` trains only the head (and the pooler, which belongs to it); ``layers:4`` leaves
    the embeddings and the lowest four layers as they are, without dropout: what they make of a
    text is computed once and kept (in the cache, where it has room), and nothing is computed back
    through them. Those above learn at twice the rate that a recipe sets for all of them."""
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
    keep_state: bool = False
    """Keep ``last/`` (weights and optimizer as they were after the last step) of a finished run; it
    goes with the end of the training otherwise, for nothing goes on from it."""
    tracker: Literal["none", "tensorboard", "wandb", "mlflow", "trackio"] = "none"
    """Also tell losses and scores to a tracker of experiments, through Accelerate; its files are in
    ``RUN/tracker``. ``wandb`` stays offline unless WANDB_MODE says otherwise."""


class LoraSettings(Section):
    """Adapters of ``training.mode = "lora"``: of W + alpha / rank * B A, B and A learn."""

    rank: int = Field(default=8, ge=1)
    """Rows of A, and columns of B."""
    alpha: float = Field(default=16.0, gt=0)
    """What an adapter adds is scaled by ``alpha / rank``."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Of what an adapter reads, while training; beside the encoder's own (``training.dropout``)."""
    targets: list[str] = []
    """Linear layers that get adapters, by their last names (query, value); empty for all of the
    encoder's. Layers that ``training.freeze`` leaves as they are get none."""


class StaticSettings(Section):
    """A static model (``bertft distil --to static``): token vectors, and a head on their sum."""

    dimensions: int = Field(default=256, ge=1)
    """Principal components of the encoder's token vectors that are kept."""
    hidden: int = Field(default=512, ge=1)
    """Units between the sum of vectors and the labels."""
    epochs: int = Field(default=50, ge=1)
    """At the most; the one of the lowest loss on held-out texts is kept."""
    patience: int = Field(default=5, ge=1)
    """Stop after this many epochs without a lower loss on held-out texts."""
    batch_size: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)


class Recipe(Section):
    """A whole experiment. ``task`` holds the task's name and its raw options."""

    description: str = ""
    model: ModelSettings = ModelSettings()
    task: dict[str, Any]
    data: DataSettings = DataSettings()
    training: TrainingSettings = TrainingSettings()
    lora: LoraSettings = LoraSettings()

    def resolved(self) -> dict[str, Any]:
        """Every setting written out, defaults included."""
        return self.model_dump(mode="json")

    def hash(self) -> str:
        """SHA-256 over the resolved settings: equal hashes mean the same experiment."""
        return hashlib.sha256(json.dumps(self.resolved(), sort_keys=True).encode()).hexdigest()

    def to_toml(self) -> str:
        return tomli_w.dumps(self.resolved())


def all_settings() -> list[str]:
    """Every setting as ``--set`` names it, the task's own aside."""
    found = []
    for section, field in Recipe.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            found += [f"{section}.{name}" for name in kind.model_fields]
    return found


def settings_named(name: str) -> list[str]:
    """The settings that a bare name (epochs) may mean: of that name, else the nearest."""
    names = {key.rpartition(".")[2]: key for key in all_settings()}
    exact = [key for key in all_settings() if key.rpartition(".")[2] == name]
    return exact or [names[near] for near in get_close_matches(name, names, n=1, cutoff=0.8)]
