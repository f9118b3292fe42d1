"""export: a finished run in; a folder out that answers without torch, compared with the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.contracts import Ranking, SelfSupervised
from bertft.engines.conversion import CALIBRATION, check_conversion
from bertft.errors import BertftError, RunError
from bertft.prediction.exporting import write_export
from bertft.prediction.parity import Parity, compare
from bertft.prediction.predictor import Predictor
from bertft.recipe import load_recipe
from bertft.reports.export_card import export_card
from bertft.runs.examples import some_of, train_and_dev
from bertft.runs.exported import EXPORT, is_export
from bertft.runs.folder import Run, find_run, model_folder
from bertft.runs.writing import write_json
from bertft.training.folders import replace_folder
from bertft.watch import Watch

COMPARED = 1000
"""Examples of dev that both answer, at the most."""
MOST_LOST = {"ner": 0.5, "qa": 0.5}
LOST = 0.3
"""Points of the score that int8 may cost, by task and otherwise."""
SAME, ROUNDING = 0.999, 1e-3
"""Least share of equal answers of float32, and largest difference of their probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What ``bertft export`` is asked for; ``train`` and ``dev`` say where the run's data are."""

    run: str
    folder: str
    engine: str
    int8: bool = False
    max_loss: float | None = None
    accept_loss: bool = False
    train: str = ""
    dev: str = ""


def export(request: ExportRequest, *, watch: Watch) -> dict[str, Any]:
    """Write the folder, whole or not at all; returns what its export.json says.

    Raises:
        BertftError: the run, its data or the folder is at fault, packages are missing, or the
            export answers too differently.
    """
    target = Path(request.folder)
    if target.exists():
        raise RunError(f"{target} exists already", hint="choose another folder")
    check_conversion(request.engine, int8=request.int8)
    run = find_run(request.run)
    watch.note(f"run: {run.path}")
    folder = model_folder(run)
    if is_export(folder):
        raise RunError(f"{folder} is an export already", hint="give the run that it was made of")
    reference = Predictor(folder, device="cpu", precision="fp32")
    if isinstance(reference.task, SelfSupervised):
        what = "a pre-trained encoder has no answers to export"
        raise BertftError(what, hint="fine-tune it first")
    if isinstance(reference.task, Ranking):
        what = "a retrieval run is an encoder of texts, which an export of answers is not"
        hint = f"sentence-transformers exports it: SentenceTransformer('{folder}', backend='onnx')"
        raise BertftError(what, hint=hint)
    given = {"train": request.train, "dev": request.dev}
    splits = train_and_dev(run, reference.task, given=given, watch=watch)
    content: dict[str, Any] = {}

    def write(partial: Path) -> None:
        content.update(
            write_export(
                reference,
                some_of(splits["train"], CALIBRATION),
                partial,
                engine=request.engine,
                int8=request.int8,
                name=run.path.resolve().name,
            )
        )
        split = "dev" if "dev" in splits else "train"
        parity = _compare(run, reference, some_of(splits[split], COMPARED), partial)
        content.update(split=split, parity=parity.content())
        watch.note(_told(parity, split))
        _refuse(parity, request, reference.task.name)
        write_json(partial / EXPORT, content)
        (partial / "README.md").write_text(export_card(content, reference.task), encoding="utf-8")

    target.parent.mkdir(parents=True, exist_ok=True)
    watch.note(f"converting for {request.engine}, which takes a minute or so")
    replace_folder(target, write)
    return content


def _compare(run: Run, reference: Predictor, examples: list[Any], partial: Path) -> Parity:
    metric = load_recipe(str(run.path / "recipe.toml")).training.metric
    answers = [one.answer(examples) for one in (reference, Predictor(partial))]
    return compare(reference.task, examples, *answers, metric=metric)


def _told(parity: Parity, split: str) -> str:
    equal = "" if parity.equal is None else f"{parity.equal:.2%} of answers say the same, "
    what = "number" if parity.equal is None else "probability"
    return (
        f"{split}, {parity.examples:,} examples: {equal}largest difference of a {what} "
        f"{parity.largest:.2g}; {parity.metric} {parity.expected:.4f} -> {parity.score:.4f}"
    )


def _refuse(parity: Parity, request: ExportRequest, task: str) -> None:
    """Raise BertftError for an export that answers too differently, unless that is accepted."""
    if request.accept_loss:
        return
    most = MOST_LOST.get(task, LOST) if request.max_loss is None else request.max_loss
    hint = "--accept-loss keeps it all the same"
    if request.int8 and parity.loss > most:
        lost = f"int8 costs {parity.loss:.2f} points of {parity.metric}, more than {most:g}"
        raise BertftError(f"{lost}: nothing is written", hint=f"leave --int8 out; {hint}")
    is_other = (parity.equal or 1.0) < SAME or parity.largest > ROUNDING
    if not request.int8 and is_other:
        raise BertftError("the export answers otherwise: nothing is written", hint=hint)
