"""The verbs that score and answer; app.py adds them to ``bertft``."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated, TextIO

import typer

from bertft.cli import completion
from bertft.cli.options import (
    BadRowOption,
    CoverageOption,
    Device,
    DeviceOption,
    InputSetOption,
    JsonOption,
    MinConfidenceOption,
    OfflineOption,
    Precision,
    PrecisionOption,
    TargetAccuracyOption,
    open_console,
)
from bertft.cli.texts import encoder_request
from bertft.cli.verb import USE, verb
from bertft.collector import importing
from bertft.errors import BertftError, RunError
from bertft.words import counted

answer_app = typer.Typer()


@verb(answer_app, name="eval", panel=USE, examples=("eval demo --data test.csv", "eval sentiment"))
def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE_OR_RUN",
            help="A run, or a recipe for its newest run.",
            autocompletion=completion.recipes_or_runs,
        ),
    ] = "",
    data: Annotated[str, typer.Option("--data", metavar="FILE", help="Score on this file.")] = "",
    run: Annotated[
        str,
        typer.Option(
            "--run", metavar="RUN", help="The run to score.", autocompletion=completion.runs
        ),
    ] = "",
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Where scores are written.")
    ] = "",
    min_confidence: MinConfidenceOption = None,
    target_accuracy: TargetAccuracyOption = None,
    coverage: CoverageOption = None,
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.AUTO,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """Score a run on its test data, or on a file of yours."""

    if not (run or target):
        raise RunError(
            "eval needs a run or a recipe", hint="bertft eval sentiment, or bertft eval runs/NAME"
        )
    console = open_console(offline=offline)
    from bertft.runs.first_look import look_at_files, look_at_run

    look_at_files([data])
    look_at_run(run or target, overrides=set_ or ())
    with importing():
        from bertft.commands.evaluate import evaluate as run_evaluation
        from bertft.prediction.certainty import Certainty

    certainty = Certainty(
        min_confidence=min_confidence, target_accuracy=target_accuracy, coverage=coverage
    )
    folder, scores = run_evaluation(
        run or target,
        data=data,
        out=out,
        overrides=tuple(set_ or ()),
        on_bad_row=on_bad_row.value if on_bad_row else "",
        device=device.value,
        precision=precision.value,
        certainty=certainty,
        watch=console,
    )
    console.close()
    if json:
        from bertft.console.output import emit_json

        emit_json(scores)
    else:
        from bertft.console.scores import show_scores

        show_scores(console, scores)
    console.note(f"written: {folder}/scores.json, {folder}/report.html")


@verb(
    answer_app,
    panel=USE,
    examples=('predict "What a film."', "predict reviews.xlsx --run demo --out answers.xlsx"),
)
def predict(
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT_OR_FILE]...",
            show_default=False,
            help="Texts in quotes, or text, CSV, TSV, Excel, JSONL or Parquet files; - for stdin; "
            "nothing at all to be asked for texts.",
        ),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="The run; newest if left out. Several answer each text together.",
            autocompletion=completion.runs,
        ),
    ] = None,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write here, not to stdout; into a FOLDER/ in parts, which goes on after a kill.",
        ),
    ] = "",
    labels: Annotated[
        str,
        typer.Option(
            "--labels",
            metavar="A,B,C",
            help="Without training: the label that suits; NAME=DESCRIPTION, or a file of these.",
        ),
    ] = "",
    model: Annotated[
        str, typer.Option("--model", metavar="MODEL", help="The encoder that --labels compares by.")
    ] = "",
    shard: Annotated[
        str,
        typer.Option("--shard", metavar="K/N", help="Of a FOLDER/, every N-th part from K on."),
    ] = "",
    part_rows: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Rows of a part; 10,000.")
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            autocompletion=completion.formats,
            help="jsonl, csv, tsv, xlsx, parquet, txt, doccano, label-studio; conll, html.",
        ),
    ] = "",
    input_format: Annotated[
        str, typer.Option("--input-format", help="Format of stdin: txt, csv, tsv or jsonl.")
    ] = "",
    question: Annotated[
        str, typer.Option("--question", metavar="Q", help="Ask this of each passage (qa models).")
    ] = "",
    top_k: Annotated[
        int | None, typer.Option(min=1, help="The K most probable labels, or best answers.")
    ] = None,
    whole_file: Annotated[bool, typer.Option("--whole-file", help="One text per file.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing --out.")
    ] = False,
    min_confidence: MinConfidenceOption = None,
    target_accuracy: TargetAccuracyOption = None,
    coverage: CoverageOption = None,
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.AUTO,
    offline: OfflineOption = False,
) -> None:
    """Answer texts, and those of files, in input order: a table on a terminal, else JSON lines."""
    on_terminal = _is_terminal(sys.stdout) and not out and not format
    if not texts and not (on_terminal and _is_terminal(sys.stdin)):
        hint = 'give "a text in quotes", a file, or - for stdin'
        raise BertftError("no text and no file", hint=hint)
    if model and not labels:
        raise BertftError("--model goes with --labels", hint="a trained model is named by --run")
    if model and run:
        hint = "leave out --model or --run"
        raise BertftError("--labels asks an encoder or an nli run", hint=hint)
    if labels and not texts:
        raise BertftError("--labels needs texts", hint='give "a text in quotes", or a file')
    console = open_console(offline=offline, streams=not out)
    from bertft.loaders.named import check_inputs
    from bertft.runs.first_look import look_at_run

    check_inputs(texts or ())
    first, *beside = run or [""]
    if not labels or first:
        look_at_run(first, overrides=() if labels else set_ or ())
        for one in beside:
            look_at_run(one)
    with importing():
        from bertft.commands.predict import open_predictor, predict_files
        from bertft.commands.predict_request import PredictRequest
        from bertft.console.predictions import show_predictions
        from bertft.prediction.certainty import Certainty

    certainty = Certainty(
        min_confidence=min_confidence, target_accuracy=target_accuracy, coverage=coverage
    )
    request = PredictRequest(
        files=tuple(texts or ()),
        run=first,
        beside=tuple(beside),
        out=out,
        format=format,
        input_format=input_format,
        question=question,
        top_k=top_k,
        certainty=certainty,
        whole_file=whole_file,
        overwrite=overwrite,
        shard=shard,
        part_rows=part_rows,
        overrides=tuple(set_ or ()),
        on_bad_row=on_bad_row.value if on_bad_row else "",
        device=device.value,
        precision=precision.value,
    )
    if not texts:
        if beside:
            raise BertftError("several --run need texts", hint='give "a text in quotes", or a file')
        from bertft.console.prompt import converse

        converse(open_predictor(request, watch=console), console, top_k=top_k)
        return
    show = partial(show_predictions, top_k=top_k) if on_terminal else None
    if labels:
        from bertft.commands.predict_labels import predict_labels

        encoder = encoder_request(model, "", device=device, precision=precision, offline=offline)
        done = predict_labels(request, labels, encoder, watch=console, show=show)
    elif beside:
        from bertft.commands.predict_together import predict_together

        done = predict_together(request, watch=console, show=show)
    else:
        done = predict_files(request, watch=console, show=show)
    console.close()
    console.note(f"{counted(done, 'text')} predicted" + (f": {out}" if out else ""))


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
