"""The verbs that look at data; app.py adds them to ``bertft``."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Annotated

import typer

from bertft.cli.options import (
    BadRowOption,
    DevOption,
    InputSetOption,
    JsonOption,
    ModelOption,
    OfflineOption,
    RecipeArgument,
    SeedOption,
    SetOption,
    TestOption,
    TrainOption,
    open_console,
    tell_start,
)
from bertft.cli.verb import DATA, verb
from bertft.collector import importing
from bertft.errors import RecipeError

data_app = typer.Typer()


@verb(
    data_app,
    panel=DATA,
    examples=(
        "check sentiment --train reviews.csv",
        "check sentiment --train reviews.csv --labels --out suspects.csv",
    ),
)
def check(
    recipe: Annotated[str, RecipeArgument],
    train: TrainOption = "",
    dev: DevOption = "",
    test: TestOption = "",
    model: ModelOption = "",
    set_: SetOption = None,
    on_bad_row: BadRowOption = None,
    fix: Annotated[
        str, typer.Option("--fix", metavar="OUT", help="Write repaired copies (qa, ner) to OUT.")
    ] = "",
    examples: Annotated[
        int, typer.Option(min=0, max=20, help="Places that are shown of each finding.")
    ] = 3,
    labels: Annotated[
        bool, typer.Option("--labels", help="Train heads to find labels that are probably wrong.")
    ] = False,
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE", help="Review file (CSV) that --labels writes."),
    ] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 on warnings.")] = False,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """Look for what is amiss with data, without training; exit code 2 with errors."""
    if out and not labels:
        raise RecipeError("--out is where --labels writes", hint="add --labels, or leave it out")
    console = open_console(offline=offline)
    from bertft.jobs.request import TrainRequest
    from bertft.runs.first_look import look_at_labels, look_at_recipe

    out = out or f"{PurePath(recipe).stem}-suspects.csv"
    request = TrainRequest(
        recipe=recipe,
        overrides=(*["training.mode=features"] * labels, *(set_ or ())),
        train=train,
        dev=dev,
        test=test,
        model=model,
        on_bad_row=on_bad_row.value if on_bad_row else "",
        offline=offline,
    )
    checked = look_at_recipe(request, some_files=not json)
    if labels:
        look_at_labels(checked, out=out)
    with importing():
        from bertft.commands.check import check as run_check
        from bertft.commands.check import check_labels

    from bertft.console.findings import show_label_errors, show_report
    from bertft.console.output import emit_json

    report = run_check(checked, fix=fix, offline=offline)
    if not json:
        show_report(console, report, examples=examples)
    found = None
    if labels and not report.count("error"):  # training would stop at them
        found = check_labels(request, out=out, watch=console)
    if json:
        emit_json(report.content(examples=examples) | (found.content(out) if found else {}))
    elif found:
        show_label_errors(console, found, out=out)
    if code := report.exit_code(strict=strict):
        raise typer.Exit(code)


@verb(data_app, panel=DATA, examples=("init reviews.csv", "init news.conll --out news.toml"))
def init(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Your data: a table, JSON, or tagged words.")
    ],
    out: Annotated[
        str, typer.Option("--out", metavar="RECIPE", help="The recipe to write; else beside FILE.")
    ] = "",
    model: ModelOption = "",
    set_: InputSetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing recipe.")] = False,
    offline: OfflineOption = False,
) -> None:
    """Look at a data file, say what it is, and write a recipe for it."""
    console = open_console(offline=offline)
    from bertft.encoder.find import check_name
    from bertft.runs.first_look import look_at_files

    look_at_files([file] * (not Path(file).is_dir()))  # a folder may be one of brat
    if model:
        check_name(model)
    with importing():
        from bertft.commands.init import InitRequest
        from bertft.commands.init import init as run_init
        from bertft.console.proposal import show_proposal

    request = InitRequest(
        file=file,
        out=out,
        model=model,
        overrides=tuple(set_ or ()),
        force=force,
        offline=offline,
    )
    target, proposal = run_init(request)
    show_proposal(console, proposal, target=target)


@verb(
    data_app,
    panel=DATA,
    examples=("curve sentiment --train reviews.csv --features", "curve --resume runs/NAME"),
)
def curve(
    recipe: Annotated[str, RecipeArgument] = "",
    train: TrainOption = "",
    dev: DevOption = "",
    test: TestOption = "",
    model: ModelOption = "",
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder to create.")] = "",
    set_: SetOption = None,
    seed: SeedOption = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each size.")] = 3,
    resume: Annotated[
        str, typer.Option("--resume", metavar="DIR", help="Go on with an interrupted curve.")
    ] = "",
    features: Annotated[
        bool, typer.Option("--features", help="Keep the encoder as it is, train the head: fast.")
    ] = False,
    on_bad_row: BadRowOption = None,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """Would more data help? Train on 1/8, 1/4, 1/2 and all rows; predict 2 and 4 times as many."""
    if bool(recipe) == bool(resume):
        hint = "bertft curve sentiment, or bertft curve --resume runs/NAME"
        raise RecipeError("curve needs a recipe, or --resume with its folder", hint=hint)
    given = (train, dev, test, model, out, set_, features, on_bad_row)
    if resume and (any(given) or seed is not None):
        raise RecipeError("--resume goes on with what it was begun with", hint="leave out the rest")
    console = open_console(offline=offline)
    from bertft.jobs.request import TrainRequest
    from bertft.runs.first_look import look_at_curve, look_at_training
    from bertft.runs.folder import run_folder

    request = TrainRequest(
        recipe=recipe,
        overrides=(*["training.mode=features"] * features, *(set_ or ())),
        train=train,
        dev=dev,
        test=test,
        model=model,
        out=out,
        seed=seed,
        resume=str(run_folder(resume)) if resume else "",
        offline=offline,
        on_bad_row=on_bad_row.value if on_bad_row else "",
    )
    files = []
    if not resume:
        checked = look_at_training(request)
        look_at_curve(checked)
        files = [checked.data.train, *checked.data.further]
    tell_start(console, recipe or request.resume, files)
    with importing():
        from bertft.commands.curve import curve as draw_curve

    folder, content = draw_curve(request, seeds=seeds, watch=console)
    console.close()
    if json:
        from bertft.console.output import emit_json

        emit_json(content)
    else:
        from bertft.console.curve import show_curve

        show_curve(console, content, folder)
