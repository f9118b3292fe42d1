"""The verbs that list, show and keep in order: recipes, models, runs, cache.

They are part of ``bertft`` itself (app.py adds them).
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bertft.cli import completion
from bertft.cli.options import JsonOption, RecipeArgument, RunArgument, open_console
from bertft.cli.verb import LISTS, Group, verb
from bertft.words import counted


def _group(help: str) -> typer.Typer:
    return typer.Typer(cls=Group, no_args_is_help=True, help=help)


lists_app = typer.Typer()
recipes_app = _group("Bundled recipes: list, show, copy.")
models_app = _group("Encoders by name: list, show, convert.")
runs_app = _group("Runs: list, show, compare, clean.")
cache_app = _group("What features mode and search keep on disk: list, clear.")
lists_app.add_typer(recipes_app, name="recipes", rich_help_panel=LISTS)
lists_app.add_typer(models_app, name="models", rich_help_panel=LISTS)
lists_app.add_typer(runs_app, name="runs", rich_help_panel=LISTS)
lists_app.add_typer(cache_app, name="cache", rich_help_panel=LISTS)


@verb(lists_app, panel=LISTS, examples=("doctor", "doctor --probe"))
def doctor(
    probe: Annotated[
        bool, typer.Option("--probe", help="Measure the speed anew, for later runs too.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """What this machine can do: versions, device, measured speed, models at hand."""
    from bertft.commands.doctor import examine

    facts = examine(probe=probe)
    if json:
        show_facts(facts, json=True)
        return
    found = facts.pop("advice")
    show_facts(facts, json=False)
    console = open_console()
    for line in found:
        console.note(line)


@verb(recipes_app, name="list", examples=("recipes list", "recipes list --json"))
def recipes_list(json: JsonOption = False) -> None:
    """Bundled recipes, one to a line."""
    from bertft.commands.recipes import list_recipes

    show_rows(list_recipes(), json=json)


@verb(recipes_app, name="show", examples=("recipes show sentiment", "recipes show my.toml"))
def recipes_show(
    name: Annotated[str, RecipeArgument],
) -> None:
    """A recipe's text on stdout."""
    from bertft.commands.recipes import show_recipe
    from bertft.console.output import emit

    emit(show_recipe(name).rstrip())


@verb(recipes_app, name="copy", examples=("recipes copy sentiment", "recipes copy ner my.toml"))
def recipes_copy(
    name: Annotated[str, RecipeArgument],
    to: Annotated[str, typer.Argument(help="File or folder; default: NAME.toml here.")] = "",
) -> None:
    """Copy a recipe to a file of your own, to change it."""
    from bertft.commands.recipes import copy_recipe

    target = copy_recipe(name, to)
    open_console().say(f"{target} written; train with: bertft train {target}")


@verb(models_app, name="list", examples=("models list", "models list --language ko"))
def models_list(
    language: Annotated[
        str, typer.Option(help="Only models for this language: en, ko, multi.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """The model zoo: names for --model with their sizes, languages and licences."""
    from bertft.commands.models import list_models

    rows = [
        {
            "name": one.name,
            "layers": one.layers,
            "hidden": one.hidden,
            "parameters": f"{one.parameters / 1e6:.1f} M",
            "language": "/".join(one.languages),
            "licence": one.licence,
            "hub": one.hub_id,
        }
        for one in list_models(language=language)
    ]
    show_rows(rows, json=json)


@verb(models_app, name="show", examples=("models show minilm", "models show klue-bert-base --json"))
def models_show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A name of bertft models list.", autocompletion=completion.models
        ),
    ],
    json: JsonOption = False,
) -> None:
    """All facts of one model."""
    from bertft.commands.models import show_model

    show_facts(show_model(name), json=json)


@verb(
    models_app,
    name="convert",
    examples=("models convert old-model new-model", "models convert ./kobert ./kobert-safe"),
)
def models_convert(
    folder: Annotated[str, typer.Argument(help="A model folder with pytorch_model.bin.")],
    to: Annotated[str, typer.Argument(help="Folder to create, with model.safetensors.")],
) -> None:
    """Make safetensors of old pickled weights; only tensors are read from them."""
    from bertft.commands.models import convert_model

    open_console().say(f"{convert_model(folder, to)} written; train with --model {to}")


@verb(runs_app, name="list", examples=("runs list", "runs list --json"))
def runs_list(json: JsonOption = False) -> None:
    """Runs under runs/, oldest first, and what goes on with those that are unfinished."""
    from bertft.commands.runs import list_runs
    from bertft.console.output import emit_json
    from bertft.console.runs import show_runs

    console = open_console()
    rows = list_runs(tell=console.note)
    if json:
        emit_json(rows)
    else:
        show_runs(console, rows)


@verb(runs_app, name="show", examples=("runs show demo", "runs show demo --json"))
def runs_show(run: Annotated[str, RunArgument], json: JsonOption = False) -> None:
    """A run as a page: what it was made of, how long it took, its scores."""
    from bertft.commands.runs import show_run

    facts = show_run(run)
    if json:
        show_facts(facts, json=True)
        return
    from bertft.console.runs import show_run as show_page

    show_page(open_console(), facts)


@verb(
    runs_app,
    name="compare",
    examples=("runs compare first second", "runs compare runs/a/eval/test-1 runs/b/eval/test-1"),
)
def runs_compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", help="A run, or a folder of eval --out.", autocompletion=completion.runs
        ),
    ],
    b: Annotated[
        str,
        typer.Argument(
            metavar="B",
            help="Another, scored on the same examples.",
            autocompletion=completion.runs,
        ),
    ],
    json: JsonOption = False,
) -> None:
    """Score differences of two runs on the same examples, with a paired test."""
    from bertft.runs.compare import compare_runs

    result = compare_runs(a, b)
    if json:
        show_facts(result, json=True)
        return
    from bertft.console.runs import show_comparison

    show_comparison(result)


@verb(runs_app, name="clean", examples=("runs clean", "runs clean --evals --unfinished --yes"))
def runs_clean(
    evals: Annotated[bool, typer.Option("--evals", help="Evaluations (RUN/eval/*) too.")] = False,
    unfinished: Annotated[bool, typer.Option("--unfinished", help="Unfinished runs too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove what no model needs: checkpoints of finished runs, untrained encoders; asks first."""
    from bertft.console.runs import show_leftovers
    from bertft.errors import RunError
    from bertft.runs.cleaning import find_leftovers, remove_leftovers

    console = open_console()
    leftovers = find_leftovers(evals=evals, unfinished=unfinished)
    if not leftovers:
        console.say("nothing can go")
        return
    show_leftovers(console, leftovers)
    if not yes and not sys.stdin.isatty():
        raise RunError("nothing was removed", hint="say --yes where nobody can be asked")
    if not yes and not typer.confirm("Remove them?", err=True):
        console.say("nothing was removed")
        return
    removed, kept = remove_leftovers(leftovers)
    for reason in kept:
        console.note(f"left: {reason}")
    console.say(f"{counted(len(removed), 'folder')} removed")


@verb(cache_app, name="list", examples=("cache list", "cache list --json"))
def cache_list(json: JsonOption = False) -> None:
    """Encoder states and passages on disk; the ones used last come last."""
    from bertft.cache_folder import cache_folder
    from bertft.commands.cache import show_cache

    show_rows(show_cache(), json=json)
    if not json:
        open_console().say(f"in {cache_folder()}")


@verb(cache_app, name="clear", examples=("cache clear", "cache clear && bertft cache list"))
def cache_clear() -> None:
    """Remove them; features mode and search encode their texts again."""
    from bertft.cache_folder import cache_folder
    from bertft.commands.cache import clear_cache

    count, size = clear_cache()
    files = counted(count, "file")
    open_console().say(f"{files} ({size / 2**20:,.1f} MiB) removed from {cache_folder()}")


def show_rows(rows: list[dict[str, object]] | list[dict[str, str]], *, json: bool) -> None:
    from bertft.console.output import emit_json, emit_table

    if json:
        emit_json(rows)
    elif rows:
        emit_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        open_console().say("none")


def show_facts(facts: dict[str, object], *, json: bool) -> None:
    from bertft.console.output import emit_facts, emit_json

    if json:
        emit_json(facts)
    else:
        emit_facts(facts)
