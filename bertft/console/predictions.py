"""Answers for a person, as they come: label, probability and text in a row; entities in their text,
an answer in its sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.table import Table
from rich.text import Text

from bertft.contracts import Answer
from bertft.loaders.documents import sentence_at
from bertft.prediction.formats import text_parts
from bertft.prediction.predicted import Predicted
from bertft.prediction.shown import TEXTS, decision
from bertft.terminal import printable

MOST = 400
"""Characters of a text that are shown."""
WIDEST = 28
"""Columns of a label; longer ones go on below."""
STYLES = ("bold green", "bold magenta", "bold cyan", "bold yellow", "bold blue", "bold red")


def show_predictions(found: Iterable[Predicted], *, top_k: int | None = None) -> None:
    """Print the answers on stdout, each as soon as it is there."""
    page = Page(top_k=top_k)
    for one in found:
        page.show(one)


class Page:
    """Prints one answer after another; a heading stands above the first row.

    ``top_k``: the labels or answers that come next are named as well. ``question`` is one that
    need not be repeated.
    """

    def __init__(self, *, top_k: int | None = None) -> None:
        self._console = RichConsole(highlight=False, emoji=False)
        self._top_k = top_k
        self._styles: dict[str, str] = {}
        self._widths: list[int] = []
        self._file = self.question = ""

    def show(self, one: Predicted) -> None:
        answer = one.answer
        file = answer.get("file", "")  # none of a text in quotes: an empty line parts it
        if file != self._file:
            self._file = file
            self._console.print(Text(printable(file), style="dim"))
        if "error" in answer:
            what = printable(f"{answer['id']}: {answer['error']}")
            self._console.print(Text(what, style="yellow"))
        elif "runs" in answer:
            self._show_runs(answer)
        elif "entities" in answer:
            self._console.print(self._with_entities(answer))
        elif "question" in answer:
            self._show_answer(answer, one.context)
        else:
            self._show_label(answer)

    def _show_label(self, answer: Answer) -> None:
        names = [name for name in TEXTS if name in answer]
        decided = decision(answer)
        headings, cells = list(decided), list(decided.values())
        if not self._widths:
            room = " 0.0000" if "labels" in answer else ""
            labels = [*headings[:1], *cells[0].split("\n")]
            labels += [name + room for name in _scores(answer)]
            self._widths = [min(WIDEST, max(map(cell_len, labels))), *map(len, headings[1:])]
            self._row([Text(one, style="bold") for one in (*headings, *names)])
        texts = [_shown(answer[name]) for name in names]
        if self._top_k and (others := _others(answer)):
            texts[-1].append(f"\n{others}", style="dim")
        self._row([*(Text(printable(cell)) for cell in cells), *texts])

    def _show_runs(self, answer: Answer) -> None:
        """The text, then a row for each run; a run of entities shows the text with these."""
        runs = answer["runs"]
        self._widths = [min(WIDEST, max(map(cell_len, runs)))]
        self._console.print(_shown(answer["text"]))
        for name, one in runs.items():
            if "entities" in one:
                said = self._with_entities(one | {"text": answer["text"]})
            else:
                said = Text(printable("  ".join(decision(one).values()).replace("\n", ", ")))
            self._row([Text(printable(name), style="dim"), said])

    def _show_answer(self, answer: Answer, context: str) -> None:
        if answer["question"] != self.question:
            self.question = answer["question"]
            self._console.print(Text(printable(self.question), style="bold"))
        spans = answer.get("answers") if self._top_k else None
        for one in spans or [answer]:
            nothing = "withheld" if one["answer"] is None else "no answer"
            text = Text(nothing, style="dim") if not one["answer"] else in_sentence(
                context, one["start"], one["end"]
            )  # fmt: skip
            self._widths = [6]
            self._row([Text(f"{one['score']:.4f}"), text])

    def _row(self, cells: Sequence[Text]) -> None:
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        for width in self._widths:
            table.add_column(width=width, overflow="fold")
        for _ in cells[len(self._widths) :]:
            table.add_column(ratio=1, overflow="fold")
        table.add_row(*cells)
        self._console.print(table)

    def _with_entities(self, answer: Answer) -> Text:
        line = Text()
        for part, label in text_parts(answer):
            if not label:
                line.append(printable(part))
                continue
            style = self._styles.setdefault(label, STYLES[len(self._styles) % len(STYLES)])
            line.append(printable(f"[{part}]"), style=style)
            line.append(printable(f"({label})"), style=style.replace("bold", "dim"))
        return line


def _others(answer: Answer) -> str:
    """The labels that were not given, with their probabilities (or similarities)."""
    given = answer.get("labels", [answer.get("label")])
    others = [(name, p) for name, p in _scores(answer).items() if name not in given]
    return printable(", ".join(f"{name} {p:.4f}" for name, p in others))


def _scores(answer: Answer) -> dict[str, float]:
    return dict(answer.get("scores") or answer.get("similarities") or {})


def in_sentence(context: str, start: int, end: int) -> Text:
    """The sentence of an answer, the answer lit up."""
    first, last = sentence_at(context, start, end)
    first, last = max(first, start - MOST // 2), min(last, end + MOST // 2)
    line = Text(printable(context[first:start]))
    line.append(printable(context[start:end]), style="bold reverse")
    line.append(printable(context[end:last].rstrip()))
    return line


def _shown(text: str) -> Text:
    text = printable(" ".join(text.split()))
    return Text(text if len(text) <= MOST else text[: MOST - 1] + "…")
