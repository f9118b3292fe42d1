"""A verb of the command line: flags without a type beside them, two examples below its options, and
a hint where an option was meant that is a setting of the recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from bertft.errors import RecipeError

TRAIN, USE, DATA = "Train", "Use a trained model", "Look at data"
DOCUMENTS = "Find in your own documents"
INSIDE, HEADS, LISTS = "Look inside an encoder", "Ask its pre-training heads", "Keep in order"
"""The groups of verbs in ``bertft --help``, in the order in which they are added."""


class Group(TyperGroup):
    """Verbs that belong together."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _plain(super().get_params(ctx))


class Verb(TyperCommand):
    """A command whose faults lead on."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _plain(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual; an option that does not exist but names a setting becomes a RecipeError."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            name = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
            takes_settings = any("--set" in one.opts for one in self.params)
            if type(error).__name__ != "NoSuchOption" or not takes_settings:
                raise
            if found := _setting(name):
                hint = f"--set {found}={_value_after(error, given)}"
                raise RecipeError(f"no option --{name.replace('_', '-')}", hint=hint) from None
            raise


def _plain(options: list[Any]) -> list[Any]:
    """Options with no type beside their flags, where typer 0.29 writes <bool>."""
    for one in options:
        if getattr(one, "is_flag", False):
            one.metavar = ""
    return options


def _setting(name: str) -> str:
    from bertft.settings import settings_named

    found = settings_named(name)
    return found[0] if found else ""


def _value_after(error: Exception, given: list[str]) -> str:
    """What was written after the option; ``...`` where nothing was."""
    option = getattr(error, "option_name", "")
    for number, argument in enumerate(given):
        if argument.startswith(f"{option}="):
            return argument.partition("=")[2]
        if argument == option and number + 1 < len(given):
            return given[number + 1]
    return "..."


def verb(
    app: typer.Typer,
    *,
    name: str | None = None,
    panel: str | None = None,
    examples: tuple[str, str],
    options_first: bool = False,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a function to ``app`` as a verb, with two examples of its use.

    ``options_first``: what stands behind its first argument is not for this verb.
    """
    lines = "\n".join(f"  bertft {example}" for example in examples)
    return app.command(
        name,
        cls=Verb,
        rich_help_panel=panel,
        epilog=f"Examples:\n{lines}",
        context_settings={"allow_interspersed_args": not options_first},
    )
