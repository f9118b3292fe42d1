"""The verb that writes scripts for many machines; app.py adds it to ``bertft``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from bertft.cli.options import open_console
from bertft.cli.verb import TRAIN, verb
from bertft.words import counted

launch_app = typer.Typer()


class Kind(StrEnum):
    SLURM = "slurm"
    TORCHRUN = "torchrun"
    RAY = "ray"


@verb(
    launch_app,
    panel=TRAIN,
    examples=(
        "launch --print slurm --processes 4 --gpu train nsmc --out runs/nsmc",
        "launch --print ray --machines 8 predict big.csv --run nsmc --out answers/",
    ),
    options_first=True,
)
def launch(
    context: typer.Context,
    command: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND", help="train or predict, as on one machine."),
    ],
    kind: Annotated[Kind, typer.Option("--print", help="What starts the script.")],
    machines: Annotated[int, typer.Option(min=1, help="How many machines there are.")] = 2,
    processes: Annotated[int, typer.Option(min=1, help="Processes of each machine.")] = 1,
    gpu: Annotated[bool, typer.Option("--gpu", help="Each process has a GPU of its own.")] = False,
    interface: Annotated[
        str, typer.Option(metavar="NAME", help="The network between them, such as eth0.")
    ] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where processes meet.")] = 29500,
) -> None:
    """Write the script that trains, or predicts, on many machines; nothing is started."""
    console = open_console()
    from bertft.commands.launch import check_inputs, check_verb
    from bertft.commands.launch import launch as write_script
    from bertft.console.output import emit
    from bertft.jobs.scripts import Launch

    check_verb(command[0])
    given = _parsed(context, command)
    told = check_inputs(command[0], given)
    what = Launch(
        arguments=tuple(command),
        machines=machines,
        processes=processes,
        gpu=gpu,
        interface=interface,
        port=port,
    )
    script = write_script(kind.value, what, out=given["out"], shard=given.get("shard", ""))
    console.close()
    emit(script.text.rstrip("\n"))
    console.note(f"checked by {' and '.join(script.checked) or 'nothing: there is no bash here'}")
    many = f"{counted(machines, 'machine')}, which need the same files under the same names"
    console.note(
        f"for {many}: a shared folder" if machines > 1 else "for this machine, or one like it"
    )
    if told:
        console.note(told)


def _parsed(context: typer.Context, command: list[str]) -> dict[str, Any]:
    """The options of a command, which are checked now and not when its turn comes."""
    group = context.find_root()
    parser = group.command.get_command(group, command[0])  # type: ignore[attr-defined]
    found: dict[str, Any] = parser.make_context(command[0], command[1:], parent=group).params
    return found
