"""What the ``[task]`` table of a classification recipe says, and what training stores with a model.

Shared with nli.py and regression.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from bertft.errors import RecipeError
from bertft.evaluation.calibration import COLDEST, HOTTEST
from bertft.recipe import parse_options
from bertft.settings import Section
from bertft.tasks.label_names import canonical, one_spelling
from bertft.tasks.scope import ScopeLearned
from bertft.tasks.soft_labels import SOFT_COLUMN
from bertft.tasks.text_rows import TextExample


class ClassificationOptions(Section):
    """The ``[task]`` table of a classification recipe."""

    text_column: str = ""
    """Column of the text; empty looks for text, sentence, document, review, ..."""
    pair_column: str = ""
    """Column of the second text, for sentence pairs."""
    pairs: bool = False
    """True when each row holds two texts (also implied by ``pair_column``)."""
    label_column: str | list[str] = ""
    """Column of the label; empty looks for label, labels, category, intent, ... A list of columns
    that hold 0 or 1, one for each label, implies ``multi_label``."""
    label_names: list[str] = Field(default_factory=list)
    """All labels in the order of their ids, where the data hold numbers, or lists of zeros and
    ones; empty learns them."""
    label_aliases: dict[str, str] = Field(default_factory=dict)
    """Other spellings of labels, e.g. 0 = "negative"; what they are read as is said."""
    multi_label: bool = False
    """True when a text may have several labels, or none."""
    label_separator: str = "|"
    """Between the labels of one text, in files whose cells are text."""
    threshold: float | None = Field(default=None, gt=0, lt=1)
    """Multi-label: a label is given when its probability reaches this; left out, training chooses
    it on dev, and without dev it is 0.5."""
    thresholds: Literal["one", "by_label"] = "one"
    """Multi-label: dev chooses one threshold (highest micro F1), or one by label (each label's
    highest F1, so a higher macro and a lower micro F1); labels too rare on dev keep that of all."""
    regression: bool = False
    """True when the label is a number to be predicted, such as a similarity from 0 to 5."""
    class_weights: Literal["none", "balanced"] = "none"
    """``balanced`` weighs each class by N / (C * its count)."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    out_of_scope: bool | Literal["auto"] = "auto"
    """Tell texts that no label fits. ``auto``: where training data have ``out_of_scope_label``."""
    out_of_scope_label: str = "oos"
    """What gold calls such texts. It is no label to be predicted: in the training data it teaches
    that no label fits, in dev it chooses the threshold."""
    out_of_scope_refused: float | None = Field(default=None, gt=0, lt=1)
    """Share of dev's texts in scope that may be refused; left out: where dev has texts out of
    scope, what the best F1 refuses, else 0.05."""
    long_text: Literal["truncate", "head_tail", "windows"] = "truncate"
    """Texts over max_length: keep the start, keep start and end, or pool over several windows."""
    window_overlap: int = Field(default=32, ge=0)
    """Tokens that neighbouring windows share."""


class ClassificationLearned(Section):
    """What training stores with the model."""

    threshold: float | None = Field(default=None, gt=0, lt=1)
    thresholds: Sequence[Annotated[float, Field(gt=0, lt=1)]] = ()
    temperature: float = Field(default=1.0, ge=COLDEST, le=HOTTEST)
    scaling: Sequence[Sequence[float]] = ()
    out_of_scope: ScopeLearned | None = None


def read_options(settings: Mapping[str, Any]) -> ClassificationOptions:
    """The validated options, label names composed (NFC). Raises RecipeError."""
    options = parse_options(ClassificationOptions, settings)
    names = [one_spelling(name) for name in options.label_names]
    read = [canonical(name) for name in names]
    if twice := [name for name in read if read.count(name) > 1]:
        raise RecipeError(f"[task]: label_names has '{twice[0]}' twice", hint="leave one out")
    aliases = {canonical(key): one_spelling(name) for key, name in options.label_aliases.items()}
    changes: dict[str, Any] = {"label_names": names, "label_aliases": aliases}
    changes |= {"pairs": options.pairs or bool(options.pair_column)}
    changes |= {"multi_label": options.multi_label or isinstance(options.label_column, list)}
    changes |= {"out_of_scope_label": one_spelling(options.out_of_scope_label)}
    options = options.model_copy(update=changes)
    _check_columns(options)
    if options.out_of_scope is True and options.multi_label:
        hint = "leave it out: a text that no label fits is given none"
        raise RecipeError("[task]: out_of_scope does not go with multi_label", hint=hint)
    if options.pairs and options.long_text != "truncate":
        hint = "pairs are truncated from the longer text"
        raise RecipeError(
            f"[task]: long_text = '{options.long_text}' needs single texts", hint=hint
        )
    return options


def _check_columns(options: ClassificationOptions) -> None:
    """Raise RecipeError where a list of label columns is no list of labels."""
    columns = options.label_column
    if isinstance(columns, str):
        return
    if len(set(columns)) < max(2, len(columns)):
        hint = 'as in task.label_column=["toxic", "insult"]'
        raise RecipeError("[task]: label_column needs two columns or more, each once", hint=hint)
    if options.label_names and set(options.label_names) != set(columns):
        what = "[task]: label_names are others than the columns in label_column"
        raise RecipeError(what, hint="leave label_names out: the labels are named by their columns")


def soft_row(
    options: ClassificationOptions, example: TextExample, gold: Any, *, column: str = SOFT_COLUMN
) -> dict[str, Any]:
    """A row in the columns of a recipe's own files; ``column`` is that of gold where it names
    none."""
    names = (options.text_column or "text", options.pair_column or "text_pair")
    label = options.label_column if isinstance(options.label_column, str) else ""
    return dict(zip(names, example.texts, strict=False)) | {label or column: gold}
