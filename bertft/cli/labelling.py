"""The verbs that lead from texts to labels: suggest, label; app.py adds them to ``bertft``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bertft.cli import completion
from bertft.cli.options import (
    BadRowOption,
    Device,
    DeviceOption,
    InputSetOption,
    ModelOption,
    OfflineOption,
    Precision,
    PrecisionOption,
    open_console,
)
from bertft.cli.texts import OverwriteOption
from bertft.cli.verb import DATA, verb
from bertft.collector import importing
from bertft.words import counted

labelling_app = typer.Typer()


@verb(
    labelling_app,
    panel=DATA,
    examples=(
        "suggest texts.csv --count 50 --out to-label.csv",
        "suggest texts.csv --run reviews --out to-label.xlsx",
    ),
)
def suggest(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Texts without labels: any file predict reads."),
    ],
    run: Annotated[
        str,
        typer.Option(
            "--run",
            metavar="RUN",
            help="What learned from the labels so far; without it, texts that differ.",
            autocompletion=completion.runs,
        ),
    ] = "",
    count: Annotated[int, typer.Option(min=1, help="How many to suggest.")] = 50,
    labelled: Annotated[
        list[str] | None,
        typer.Option(
            "--labelled", metavar="FILE", help="Its texts are left out, as those of the run are."
        ),
    ] = None,
    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help="Write here, not to stdout.")
    ] = "",
    format: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="csv, tsv, xlsx, doccano or label-studio."),
    ] = "",
    overwrite: OverwriteOption = False,
    model: ModelOption = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice.")] = 0,
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.AUTO,
    offline: OfflineOption = False,
) -> None:
    """Which texts to label next: those a run is unsure of, or such as differ."""
    from bertft.runs.first_look import look_at_files
    from bertft.runs.folder import find_run
    from bertft.selection.request import SuggestRequest

    console = open_console(offline=offline, streams=not out)
    request = SuggestRequest(
        files=tuple(files),
        run=run,
        model=model,
        count=count,
        labelled=tuple(labelled or ()),
        out=out,
        format=format,
        overwrite=overwrite,
        seed=seed,
        overrides=tuple(set_ or ()),
        on_bad_row=on_bad_row.value if on_bad_row else "",
        device=device.value,
        precision=precision.value,
        offline=offline,
    )
    request.check()
    look_at_files([*files, *request.labelled])
    if run:
        find_run(run)
    with importing():
        from bertft.commands.suggest import suggest as run_suggest

    done = run_suggest(request, watch=console)
    console.close()
    console.note(f"{counted(done, 'text')} to label" + (f": {out}" if out else ""))


@verb(
    labelling_app,
    panel=DATA,
    examples=(
        'label to-label.csv --labels "positive,negative"',
        "label to-label.csv --run reviews",
    ),
)
def label(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A table or text file, such as suggest writes.")
    ],
    labels: Annotated[
        str, typer.Option("--labels", metavar="A,B,C", help="The labels to choose from.")
    ] = "",
    run: Annotated[
        str,
        typer.Option("--run", metavar="RUN", help="Its labels.", autocompletion=completion.runs),
    ] = "",
    several: Annotated[
        bool, typer.Option("--several", help="A text may have several labels, or none.")
    ] = False,
    out: Annotated[
        str,
        typer.Option(
            "--out", metavar="FILE", help="CSV of the rows with a label; FILE.labelled.csv."
        ),
    ] = "",
    set_: InputSetOption = None,
) -> None:
    """Label texts in the terminal, one key a label; the same command goes on."""
    from bertft.commands.label import labels_of, sheet_to_label
    from bertft.console.labelling import Labelling
    from bertft.selection.sheet import LabelRequest

    console = open_console(streams=True)
    names = [name.strip() for name in labels.split(",") if name.strip()]
    if run:
        known, of_run = labels_of(run)
        names, several = [*known, *(one for one in names if one not in known)], several or of_run
    request = LabelRequest(
        file=file,
        labels=tuple(dict.fromkeys(names)),
        several=several,
        out=out,
        overrides=tuple(set_ or ()),
    )
    sheet = sheet_to_label(request, watch=console)
    asking = Labelling(sheet, read_key=_read_key)
    asking.run()
    left = len(sheet.entries) - len(sheet.given)
    console.note(f"{counted(asking.new, 'new label')}, {left:,} left: {sheet.path}")


def _read_key() -> str:
    """A key of the terminal, or the next character of stdin where that is none."""
    if sys.stdin is not None and sys.stdin.isatty():
        return typer.getchar()
    found = sys.stdin.read(1) if sys.stdin is not None else ""
    return found
