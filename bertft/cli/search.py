"""The verb that searches for settings; app.py adds it to ``bertft``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bertft.cli import completion
from bertft.cli.options import (
    BadRowOption,
    DevOption,
    DryRunOption,
    FeaturesOption,
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
from bertft.cli.verb import TRAIN, verb
from bertft.collector import importing

if TYPE_CHECKING:
    from bertft.search.request import SweepRequest

search_app = typer.Typer()


@verb(
    search_app,
    panel=TRAIN,
    examples=(
        "sweep sentiment --over training.learning_rate=1e-5..5e-4:log --trials 20",
        "sweep sentiment --features --over training.epochs=5,10,20 --train reviews.csv",
    ),
)
def sweep(
    recipe: Annotated[str, RecipeArgument] = "",
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="KEY=VALUES",
            help="Search a setting: KEY=LOW..HIGH, LOW..HIGH:log, or A,B,C.",
            autocompletion=completion.settings,
        ),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Trainings to choose from.")] = 20,
    train: TrainOption = "",
    dev: DevOption = "",
    test: TestOption = "",
    model: ModelOption = "",
    out: Annotated[
        str, typer.Option("--out", metavar="FOLDER", help="Folder to create for the sweep.")
    ] = "",
    set_: SetOption = None,
    seed: SeedOption = None,
    features: FeaturesOption = False,
    resume: Annotated[
        str, typer.Option(metavar="FOLDER", help="Go on with an interrupted sweep.")
    ] = "",
    on_bad_row: BadRowOption = None,
    dry_run: DryRunOption = False,
    offline: OfflineOption = False,
) -> None:
    """Search for the best settings on dev: trials, a report, and the winning recipe."""
    from bertft.errors import RecipeError

    if bool(recipe) == bool(resume):
        hint = "bertft sweep sentiment --over KEY=VALUES, or bertft sweep --resume FOLDER"
        raise RecipeError("sweep needs a recipe, or --resume with a folder", hint=hint)
    given = (over, train, dev, test, model, out, set_, features, on_bad_row, dry_run)
    if resume and (any(given) or seed is not None or trials != 20):
        hint = "leave out all other flags"
        raise RecipeError("--resume goes on with what the sweep was asked for", hint=hint)
    console = open_console(offline=offline)
    from bertft.jobs.request import TrainRequest
    from bertft.runs.folder import run_folder
    from bertft.search.request import SweepRequest

    request = SweepRequest(
        train=TrainRequest(
            recipe=recipe,
            overrides=(*["training.mode=features"] * features, *(set_ or ())),
            train=train,
            dev=dev,
            test=test,
            model=model,
            out=out,
            seed=seed,
            offline=offline,
            dry_run=dry_run,
            on_bad_row=on_bad_row.value if on_bad_row else "",
        ),
        over=tuple(over or ()),
        trials=trials,
        resume=str(run_folder(resume)) if resume else "",
    )
    _look(request)
    tell_start(console, "sweep", [recipe or request.resume])
    with importing():
        from bertft.commands.sweep import sweep as run_sweep
    from bertft.console.sweep import show_sweep

    result = run_sweep(request, watch=console)
    if result is not None:
        show_sweep(console, result)


def _look(request: SweepRequest) -> None:
    """What can be refused before torch is imported."""
    from pathlib import Path

    from bertft.runs.first_look import look_at_training
    from bertft.search.folder import open_sweep
    from bertft.search.request import look_at_sweep
    from bertft.search.study import check_installed

    if request.resume:
        open_sweep(Path(request.resume))
    else:
        look_at_training(request.train)
        look_at_sweep(request)
    check_installed()
