"""check: a recipe's data in, findings out; nothing is trained, and no weights are needed.

    files -> Splits (rows that loaders refuse are collected) -> checks -> Report

Read order: check, then the steps in the order in which ``check`` calls them. What there is to be
found is in ``bertft/checks/``; findings.py asks all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bertft.checks.finding import Finding, Place, Severity, merge, worst_first
from bertft.checks.findings import (
    data_findings,
    facts,
    label_readings,
    make_splits,
    token_findings,
    unknown_labels,
)
from bertft.checks.reading import read_rows
from bertft.checks.refused import Refused
from bertft.checks.repair import repair
from bertft.checks.report import Report
from bertft.contracts import Task
from bertft.encoder.load import Encoder, check_length, load_reader
from bertft.errors import DataError, ModelError, RecipeError, UnreachableError
from bertft.jobs.label_errors import LabelErrors, find_label_errors
from bertft.jobs.prepare import SPLITS, refuse_decomposed_hangul
from bertft.jobs.request import TrainRequest
from bertft.loaders.hub import hub_is_off
from bertft.settings import Recipe
from bertft.tasks import make_task
from bertft.tasks.review import apply_corrections, check_free, write_review
from bertft.watch import Watch


def check(recipe: Recipe, *, fix: str = "", offline: bool = False) -> Report:
    """Look at all data of a recipe.

    Args:
        fix: folder for repaired copies of the files that need it; they are then what is looked at.

    Raises:
        RecipeError: the recipe is at fault, or its task has nothing that could be repaired.
        DataError: a repaired copy cannot be written.
    """
    task = make_task(recipe.task)
    files = {name: getattr(recipe.data, name) for name in SPLITS if getattr(recipe.data, name)}
    if not files:
        raise RecipeError("the recipe names no data", hint="give a file with --train")
    findings: list[Finding] = []
    rows = {}
    with hub_is_off(off=offline):
        if fix:
            files, findings = repair(task, files, recipe.data, folder=Path(fix))
        for name, path in files.items():
            rows[name], refused = read_rows(task, path, recipe.data, split=name)
            findings += refused
    if recipe.data.corrections and rows.get("train"):
        said: list[str] = []
        file = recipe.data.corrections
        rows["train"] = apply_corrections(task, rows["train"], file, tell=said.append)
        findings += [Finding("note", "corrections", "train", one, len(said)) for one in said]
    if recipe.data.further:
        what = "files of data.further, which are not looked at"
        places = tuple(Place(path, 0) for path in recipe.data.further)
        fix = "bertft check RECIPE --train FILE, for each of them"
        findings += [Finding("note", "further", "train", what, len(places), fix=fix, places=places)]
    task, faults = bind_labels(task, rows, files)
    findings += faults
    splits = make_splits(task, rows, files)
    findings += data_findings(splits)
    report = Report(task.name, recipe.model.name, recipe.model.max_length, facts(splits))
    encoder, faults = find_encoder(recipe, rows.get("train", []), offline=offline)
    findings += faults
    if encoder is not None:
        told = token_findings(task, splits, encoder.tokenizer, max_length=report.max_length)
        for name, (counted, found) in told.items():
            report.splits[name]["tokens"] = counted
            findings += found
    else:
        for split in splits:
            findings += task.findings(split, None, max_length=report.max_length)
    report.findings = worst_first(merge(findings))
    return report


def check_labels(request: TrainRequest, *, out: str, watch: Watch) -> LabelErrors:
    """Find labels of the training data that are probably wrong; write them to ``out``, for review.

    Raises:
        BertftError: the recipe, its data or its encoder is at fault, or ``out`` is there already.
    """
    check_free(out)
    found = find_label_errors(request, watch=watch)
    write_review(found.rows, out)
    return found


# --- reading ----------------------------------------------------------------------------------


def bind_labels(
    task: Task[Any], rows: Mapping[str, list[Any]], files: Mapping[str, str]
) -> tuple[Task[Any], list[Finding]]:
    """The task with the labels of train, and what training would refuse about labels."""
    findings: list[Finding] = []
    if rows.get("train"):
        try:
            task = task.learn_labels(rows["train"], path=files["train"])
        except DataError as error:
            place = (Place(error.path or files["train"], error.line, error.reason),)
            what = "labels that leave nothing to learn"
            findings.append(Finding("error", "labels", "train", what, 1, 0, error.hint, place))
            return task, findings
        for split, examples in rows.items():
            findings += label_readings(task, split, examples)
            refused = Refused(files[split])
            for unknown in unknown_labels(task, examples, path=files[split]).values():
                refused(unknown)
            findings += refused.findings(
                severity="error", split=split, read=len(examples) - refused.count
            )
    return task, findings


def find_encoder(
    recipe: Recipe, train: Sequence[Any], *, offline: bool
) -> tuple[Encoder | None, list[Finding]]:
    """The encoder's tokenizer, and what speaks against it; None where it cannot be had."""

    def fault(error: ModelError, code: str) -> list[Finding]:
        severity: Severity = "note" if code == "no-encoder" else "error"
        place = (Place(recipe.model.name, 0, error.message),)
        what = "encoder that cannot be used" if severity == "error" else "checks of tokens left out"
        return [Finding(severity, code, "model", what, 1, 0, error.hint, place)]

    try:
        encoder = load_reader(recipe.model, offline=offline)
    except UnreachableError as error:
        return None, fault(error, "no-encoder")
    except ModelError as error:
        return None, fault(error, "encoder")
    findings: list[Finding] = []
    try:
        check_length(encoder.folder, recipe.model.max_length)
        if not recipe.model.decomposed_hangul:
            refuse_decomposed_hangul(train, encoder)
    except ModelError as error:
        findings += fault(error, "encoder")
    return encoder, findings
