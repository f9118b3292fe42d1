"""What was found in files, for a person: where it stands, and its text; the prompt that asks for
questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from rich.console import Console as RichConsole
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bertft.console.predictions import in_sentence
from bertft.contracts import Answer
from bertft.terminal import printable
from bertft.words import counted

MOST = 400
"""Characters of a passage that are shown."""
UNITS = ("line", "page", "paragraph")


def place_of(answer: Answer) -> str:
    """``report.pdf, page 3``, ``faq.csv, line 2, id 7``."""
    numbers = [f"{unit} {answer[unit]}" for unit in UNITS if unit in answer]
    own = [f"id {answer['id']}"] if "id" in answer else []
    return printable(", ".join([answer["file"], *numbers, *own]))


def show_found(answers: Iterable[Answer]) -> None:
    """Passages on stdout, best first."""
    console = RichConsole(highlight=False, emoji=False)
    for one in answers:
        scores = "relevance" if "relevance" in one else "similarity"
        head = Text(f"{one['rank']}  {place_of(one)}", style="bold")
        console.print(head.append(f"  {scores} {one[scores]:.4f}", style="dim"))
        if "question" in one:
            console.print(
                Padding(Text(_short(one["question"]), style="italic"), (0, 0, 0, 3), expand=False)
            )
        console.print(Padding(Text(_short(one["text"])), (0, 0, 0, 3), expand=False))


def show_answers(answers: Iterable[Answer]) -> None:
    """Answers on stdout, best first, each lit up in its sentence."""
    console = RichConsole(highlight=False, emoji=False)
    for one in answers:
        if one["no_answer"]:
            console.print("no answer found", style="bold")
            console.print(Text(f"   nearest: {place_of(one)}", style="dim"))
            console.print(
                Padding(Text(_short(one["passage"]), style="dim"), (0, 0, 0, 3), expand=False)
            )
            continue
        head = Text(f"{one['rank']}  {printable(one['answer'])}", style="bold")
        console.print(head.append(f"  {one['score']:.4f}  {place_of(one)}", style="dim"))
        sentence = in_sentence(one["passage"], one["start"], one["end"])
        console.print(Padding(sentence, (0, 0, 0, 3), expand=False))


def show_summaries(answers: Iterable[Answer]) -> None:
    """Summaries on stdout, each sentence with its number in the text."""
    console = RichConsole(highlight=False, emoji=False)
    for one in answers:
        own = f", id {one['id']}" if "id" in one else ""
        head = printable(f"{one['file']}{own}")
        of = f"  {len(one['sentences'])} of {counted(one['of'], 'sentence')}"
        console.print(Text(head, style="bold").append(of, style="dim"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(justify="right", style="dim")
        table.add_column(overflow="fold")
        for sentence in one["sentences"]:
            table.add_row(str(sentence["number"]), Text(printable(sentence["text"])))
        console.print(table)


def _short(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= MOST else text[: MOST - 1] + "…"


def ask_for(what: str, answer: Callable[[str], None]) -> None:
    """Ask a person again and again, until Ctrl-D or Ctrl-C."""
    with suppress(ImportError):  # where there is one, lines are edited and have a history
        import readline  # noqa: F401
    try:
        while True:
            if text := input(f"{what}> ").strip():
                answer(text)
    except (EOFError, KeyboardInterrupt):
        print()  # noqa: T201 - the shell's prompt begins a line of its own
