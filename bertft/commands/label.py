"""label: a file of texts in, the same rows with the labels that a person gives, out."""

from __future__ import annotations

from bertft.errors import BertftError
from bertft.loaders.named import check_inputs
from bertft.runs.folder import find_run, model_folder
from bertft.runs.stored import read_card
from bertft.selection.sheet import LabelRequest, Sheet, open_sheet
from bertft.tasks import bound_task
from bertft.watch import Watch


def sheet_to_label(request: LabelRequest, *, watch: Watch) -> Sheet:
    """The rows to be asked about. Raises BertftError for a file or labels at fault."""
    check_inputs([request.file])
    return open_sheet(request, watch=watch)


def labels_of(run: str) -> tuple[tuple[str, ...], bool]:
    """The labels of a run, and whether a text may have several. Raises RunError."""
    task = bound_task(read_card(model_folder(find_run(run))))
    if task.name not in ("classification", "nli") or not task.labels:
        hint = "bertft suggest --format doccano, or label-studio, writes what such tools read"
        what = f"label asks for labels of whole texts; the task of {run} is {task.name}"
        raise BertftError(what, hint=hint)
    return task.labels, bool(getattr(getattr(task, "options", None), "multi_label", False))
