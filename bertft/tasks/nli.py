"""Natural language inference: a premise and a hypothesis go in, one of three labels comes out.

It is classification of pairs whose labels are known by name. Numbers (GLUE and XNLI write 0, 1, 2)
are mapped only when the recipe declares their order in ``label_names``: data sets differ in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertft.errors import RecipeError
from bertft.tasks.classification import Classification
from bertft.tasks.classification_options import read_options

LABELS = ("entailment", "neutral", "contradiction")
NO_AGREEMENT = frozenset({"-", "-1", -1, "", None})
"""Gold of rows on which the annotators did not agree (SNLI, MultiNLI)."""


def from_options(settings: Mapping[str, Any]) -> Classification:
    """The task of a recipe's ``[task]`` table. Raises RecipeError for options that do not fit."""
    options = read_options(settings)
    for option in ("multi_label", "regression"):
        if getattr(options, option):
            hint = 'use name = "classification" with pairs = true'
            raise RecipeError(f"[task]: {option} is no option of nli", hint=hint)
    if options.out_of_scope is True:
        raise RecipeError("[task]: out_of_scope is no option of nli", hint="leave it out")
    spelled = {kind(name): name for name in LABELS for kind in (str.upper, str.capitalize)}
    changes = {"pairs": True, "label_aliases": spelled | options.label_aliases}
    return Classification(
        options.model_copy(update=changes),
        name="nli",
        standard=LABELS,
        keys=("premise", "hypothesis"),
        left_out=NO_AGREEMENT,
    )
