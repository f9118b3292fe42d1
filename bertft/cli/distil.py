"""The verb by which a run teaches a smaller one; app.py adds it to ``bertft``."""

from __future__ import annotations

from typing import Annotated

import typer

from bertft.cli import completion
from bertft.cli.options import (
    Device,
    DeviceOption,
    NewRunOption,
    OfflineOption,
    Precision,
    PrecisionOption,
    RunArgument,
    SeedOption,
    SetOption,
    open_console,
    tell_start,
)
from bertft.cli.train import show_result
from bertft.cli.verb import TRAIN, verb
from bertft.collector import importing
from bertft.errors import BertftError

distil_app = typer.Typer()
STATIC = "static"
"""What is no encoder: vectors of tokens."""


@verb(
    distil_app,
    panel=TRAIN,
    examples=(
        "distil runs/large texts.txt --layers 3 --out runs/small",
        "distil runs/a texts.csv --teacher runs/b --to static --out runs/fast",
    ),
)
def distil(
    run: Annotated[str, RunArgument],
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Texts without labels: any file predict reads."),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="MODEL",
            help="The student's encoder: a name, Hub id or folder; or static, for numpy alone.",
            autocompletion=completion.models,
        ),
    ] = "",
    layers: Annotated[
        str,
        typer.Option(
            "--layers",
            metavar="N|A,B,C",
            help="Keep so many layers, evenly spread, or those: of the teacher without --to.",
        ),
    ] = "",
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            "--teacher",
            metavar="RUN",
            help="A further run that teaches: their mean is learned.",
            autocompletion=completion.runs,
        ),
    ] = None,
    out: NewRunOption = "",
    set_: SetOption = None,
    seed: SeedOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.AUTO,
    offline: OfflineOption = False,
) -> None:
    """A run teaches a smaller model: it learns the run's probabilities of unlabelled texts."""
    from bertft.encoder.find import check_name
    from bertft.runs.first_look import look_at_files
    from bertft.runs.folder import find_run, free_run_folder

    console = open_console(offline=offline)
    for name in (run, *(teacher or ())):
        find_run(name)
    check_layers(layers)
    if to and to != STATIC:
        check_name(to)
    look_at_files(files)
    if out:
        free_run_folder(out, recipe="")
    tell_start(console, "distil", files)
    with importing():
        from bertft.commands.distil import DistilRequest
        from bertft.commands.distil import distil as run_distil

    request = DistilRequest(
        run=run,
        files=tuple(files),
        to=to,
        teachers=tuple(teacher or ()),
        layers=layers,
        out=out,
        overrides=tuple(set_ or ()),
        seed=seed,
        device=device.value,
        precision=precision.value,
        offline=offline,
    )
    if to == STATIC:
        from bertft.commands.distil_static import distil_static
        from bertft.console.scores import show_scores

        made = distil_static(request, watch=console)
        show_scores(console, made.scores)
        console.say("")
        console.say(f"saved   {made.run}/best (token vectors: numpy and tokenizers answer)")
        console.say(f"next    bertft predict texts.txt --run {made.run}")
        return
    result = run_distil(request, watch=console)
    if result is not None:
        show_result(console, result)


def check_layers(text: str) -> None:
    """Raise BertftError for what is neither a number of layers nor a list of them."""
    if text and not all(one.strip().isascii() and one.strip().isdigit() for one in text.split(",")):
        hint = "--layers 3 for so many, --layers 1,3,6 for those"
        raise BertftError(f"--layers {text}: no number, and no list of numbers", hint=hint)
