"""The verb that makes a run answer without torch; app.py adds it to ``bertft``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from bertft.cli.options import DevOption, JsonOption, RunArgument, TrainOption, open_console
from bertft.cli.verb import USE, verb
from bertft.collector import importing
from bertft.words import counted

export_app = typer.Typer()


class EngineName(StrEnum):
    ONNX = "onnx"
    OPENVINO = "openvino"


@verb(
    export_app,
    panel=USE,
    examples=("export demo exported", "export demo fast --to openvino --int8"),
)
def export(
    run: Annotated[str, RunArgument],
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="The new folder.")],
    to: Annotated[
        EngineName, typer.Option("--to", help="What will answer: ONNX Runtime, or OpenVINO.")
    ] = EngineName.ONNX,
    int8: Annotated[
        bool, typer.Option("--int8", help="A quarter of the size, and faster; answers may change.")
    ] = False,
    max_loss: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="POINTS",
            help="What --int8 may cost of the dev score: 0.3 points; ner, qa: 0.5.",
        ),
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Keep it whatever it costs.")
    ] = False,
    train: TrainOption = "",
    dev: DevOption = "",
    json: JsonOption = False,
) -> None:
    """Make a folder that answers without torch, on the CPU, as the run does."""
    console = open_console(offline=False)
    from bertft.runs.first_look import look_at_files
    from bertft.runs.folder import find_run

    find_run(run)
    look_at_files([train, dev])
    with importing():
        from bertft.commands.export import ExportRequest
        from bertft.commands.export import export as run_export

    request = ExportRequest(
        run=run,
        folder=folder,
        engine=to.value,
        int8=int8,
        max_loss=max_loss,
        accept_loss=accept_loss,
        train=train,
        dev=dev,
    )
    content = run_export(request, watch=console)
    console.close()
    if json:
        from bertft.console.output import emit_json

        emit_json(content)
    size = sum(one["bytes"] for one in content["files"].values())
    console.note(f"written: {folder} ({counted(round(size / 1e6), 'megabyte')})")
    console.note(f'next: bertft predict "a text" --run {folder}')
