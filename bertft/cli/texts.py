"""What the verbs share that read texts with an encoder: options, requests, answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bertft.cli import completion
from bertft.cli.options import (
    Device,
    OnBadRow,
    Precision,
)

if TYPE_CHECKING:
    from bertft.console.console import Console
    from bertft.console.inside import Answers
    from bertft.inside.request import EncoderRequest
    from bertft.prediction.texts import TextRequest

Texts = Annotated[
    list[str],
    typer.Argument(
        metavar="TEXT_OR_FILE...",
        help="Texts in quotes, or text, CSV, TSV, Excel, JSONL or Parquet files; - for stdin.",
    ),
]
LengthOption = Annotated[
    int | None, typer.Option("--max-length", min=8, help="Longest input in tokens.")
]
InputFormatOption = Annotated[
    str, typer.Option("--input-format", help="Format of stdin: txt, csv, tsv or jsonl.")
]
TopK = typer.Option(min=1, help="How many to name.")
RunOption = Annotated[
    str,
    typer.Option(
        "--run", metavar="RUN", help="A run instead of a model.", autocompletion=completion.runs
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an existing --out.")]


def text_request(
    arguments: Sequence[str],
    input_format: str,
    overrides: Sequence[str] | None,
    on_bad_row: OnBadRow | None,
) -> TextRequest:
    """What is asked of the texts, once their files are found to be there."""
    from bertft.loaders.named import names_file
    from bertft.runs.first_look import look_at_files

    look_at_files(filter(names_file, arguments))
    from bertft.prediction.texts import TextRequest

    return TextRequest(
        arguments=tuple(arguments),
        input_format=input_format,
        overrides=tuple(overrides or ()),
        on_bad_row=on_bad_row.value if on_bad_row else "",
    )


def encoder_request(
    model: str,
    run: str,
    *,
    max_length: int | None = None,
    device: Device = Device.AUTO,
    precision: Precision = Precision.FP32,
    offline: bool,
) -> EncoderRequest:
    """What is asked of the encoder, once its run, or its name, is found to be right."""
    from bertft.encoder.find import check_name
    from bertft.inside.request import EncoderRequest
    from bertft.runs.folder import find_run

    if run:
        find_run(run)
    elif model:
        check_name(model)
    return EncoderRequest(
        model=model,
        run=run,
        max_length=max_length,
        device=device.value,
        precision=precision.value,
        offline=offline,
    )


def show_answers(
    answers: Answers, *, as_lines: bool, console: Console, table: Callable[[Answers], None]
) -> None:
    """Answers as JSON lines while they come, or as a table."""
    from bertft.console.output import emit_line

    if not as_lines:
        answers = list(answers)
        console.close()
        table(answers)
        return
    for answer in answers:
        emit_line(answer)
    console.close()
