"""What the verbs of the command line share: their common options, and the console."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bertft.cli import completion
from bertft.training import processes

if TYPE_CHECKING:
    from bertft.console.console import Console


class OnBadRow(StrEnum):
    """What happens to rows that cannot be used."""

    STOP = "stop"
    SKIP = "skip"


class Device(StrEnum):
    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Precision(StrEnum):
    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


TrainOption = Annotated[str, typer.Option("--train", metavar="FILE", help="Your training data.")]
DevOption = Annotated[
    str, typer.Option("--dev", metavar="FILE", help="Data that choose the best model.")
]
TestOption = Annotated[
    str, typer.Option("--test", metavar="FILE", help="Data for the final scores.")
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="An encoder: a name (bertft models list), Hub id or folder.",
        autocompletion=completion.models,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one setting, e.g. training.epochs=2.",
        autocompletion=completion.settings,
    ),
]
RecipeArgument = typer.Argument(
    metavar="RECIPE",
    help="A bundled recipe (bertft recipes list) or a TOML file.",
    autocompletion=completion.recipes,
)
RunArgument = typer.Argument(
    metavar="RUN",
    help="A run: its name under runs/, or its folder.",
    autocompletion=completion.runs,
)
SeedOption = Annotated[
    int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of every random choice.")
]
NewRunOption = Annotated[str, typer.Option("--out", metavar="RUN", help="Run directory to create.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, tell the cost; write nothing.")
]
InputSetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="How the file is written, e.g. data.encoding=cp949 or task.text_column=body.",
        autocompletion=completion.settings,
    ),
]
FeaturesOption = Annotated[
    bool, typer.Option("--features", help="Keep the encoder as it is, train the head: fast.")
]
BadRowOption = Annotated[
    OnBadRow | None,
    typer.Option("--on-bad-row", help="Stop at a row that cannot be used, or skip and count it."),
]
DeviceOption = Annotated[Device, typer.Option(help="Where to compute.")]
PrecisionOption = Annotated[
    Precision, typer.Option(help="Number format; auto measures whether bf16 pays.")
]
MinConfidenceOption = Annotated[
    float | None,
    typer.Option("--min-confidence", metavar="P", help="Withhold answers of a lower probability."),
]
TargetAccuracyOption = Annotated[
    float | None,
    typer.Option(
        "--target-accuracy",
        metavar="A",
        help="Withhold answers so that this share of the rest is right, by dev.",
    ),
]
CoverageOption = Annotated[
    float | None,
    typer.Option(
        "--coverage", metavar="C", help="Sets of labels that hold the right one with probability C."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Never use the network.")]


def tell_start(console: Console, what: str, files: Sequence[str]) -> None:
    """Say what begins, before the libraries are loaded, which takes seconds."""
    some = ", ".join(name.removeprefix("bundled:") for name in files[:3])
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    console.note(f"{what}: reading {some}{more}; loading torch ..." if some else f"{what} ...")


_opened: list[Console] = []


def open_console(*, offline: bool = False, streams: bool = False) -> Console:
    """The console of a verb; with ``offline`` no library reaches for a hub from now on.

    ``streams``: the verb's answers go to stdout while it works, so that a bar on the same terminal
    would be in their way.
    """
    from bertft.console.console import Console

    if offline:
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    bar = not (streams and sys.stdout is not None and sys.stdout.isatty())
    _opened.append(Console(quiet=not processes.is_main(), bar=bar))
    return _opened[-1]


def close_consoles() -> None:
    """Take bars away that a command has left, so that an error has a line of its own."""
    while _opened:
        _opened.pop().close()
