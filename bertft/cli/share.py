"""The verb that gives a model to others; app.py adds it to ``bertft``."""

from __future__ import annotations

from typing import Annotated

import typer

from bertft.cli.options import RunArgument, open_console
from bertft.cli.verb import USE, verb

share_app = typer.Typer()


@verb(
    share_app,
    panel=USE,
    examples=("push demo OWNER/NAME --dry-run", "push runs/demo OWNER/NAME --private"),
)
def push(
    run: Annotated[str, RunArgument],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The model on the Hub.")],
    private: Annotated[
        bool, typer.Option("--private", help="Only its owner, and who they let, can see it.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="It may exist: this is a new commit there.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show files, sizes and the card; send nothing.")
    ] = False,
) -> None:
    """Put the model of a run on the Hugging Face Hub, with its card; never data or predictions."""
    console = open_console()
    from bertft.commands.push import push as run_push
    from bertft.console.push import show_push

    show_push(
        console,
        run_push(run, repo, private=private, update=update, dry_run=dry_run, watch=console),
    )
