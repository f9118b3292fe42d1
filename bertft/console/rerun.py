"""A repeated run for a person: whether it came to the same, and what was not as before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertft.words import counted

if TYPE_CHECKING:
    from bertft.commands.rerun import Repeat
    from bertft.console.console import Console


def show_repeat(console: Console, repeat: Repeat) -> None:
    """The main score before and now, then the differences."""
    name, was, now = repeat.metric, repeat.was, repeat.now
    console.say("")
    if repeat.is_same:
        many = counted(len(now), "score")
        console.say(f"the same: {name} {now[name]:.4f}, and all {many} to the last digit")
    else:
        console.say(
            f"not the same: {name} was {was.get(name, float('nan')):.4f}, is {now[name]:.4f}"
        )
        if repeat.others:
            console.say(f"{repeat.others:,} of {repeat.predictions:,} predictions are others")
    for what in repeat.changed:
        console.note(f"changed: {what}")
    if not repeat.changed:
        console.note("versions, machine, device, precision and threads are as they were")
    if not repeat.is_same and not repeat.changed:
        console.note("what differs is not recorded: a GPU adds up in no fixed order, for one")
    console.say(f"saved   {repeat.run} (repeats {repeat.repeats})")
