"""Suggestions as a person gets them in a table: an empty column for the label, and what a model
says beside it. A guess is never in the column of the label: what is left empty is refused by train.
"""

from __future__ import annotations

from dataclasses import replace

from bertft.loaders.column_names import LABEL, named
from bertft.prediction.predicted import Given, Predicted
from bertft.prediction.tables import INPUTS

LABEL_COLUMN = "label"
LEFT_OUT = ("scores", "truncated")
"""What an answer says beyond what who labels needs."""


def to_label(one: Predicted) -> Predicted:
    """The same with a column for the label, empty where the table had none."""
    answer = {name: value for name, value in one.answer.items() if name not in LEFT_OUT}
    given = one.row
    if given is None:
        fields = {name: answer[name] for name in INPUTS if name in answer}
        given = Given(tuple(fields), fields)
    if not named(given.columns, LABEL):
        fields = {**given.fields, LABEL_COLUMN: ""}
        given = Given((*given.columns, LABEL_COLUMN), fields)
    return replace(one, answer=answer, row=given)
