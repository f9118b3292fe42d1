"""What goes up to the Hub, or went, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertft.words import counted, size

if TYPE_CHECKING:
    from bertft.commands.push import Pushed
    from bertft.console.console import Console


def show_push(console: Console, pushed: Pushed) -> None:
    """Files with sizes; of a dry run the card, else where it is and how it is used."""
    rows = [(name, size(count)) for name, count in pushed.files.items()]
    console.show_table(("file", "size"), rows)
    total = size(sum(pushed.files.values()))
    console.say(f"{counted(len(rows), 'file')}, {total} in all, from {pushed.folder}")
    console.say("")
    if not pushed.url:
        console.say(pushed.card)
        console.say(f"nothing was sent: without --dry-run this goes to {pushed.repo}")
        return
    console.say(f"pushed  {pushed.url}")
    console.say(f"next    bertft train RECIPE --model {pushed.repo}")
