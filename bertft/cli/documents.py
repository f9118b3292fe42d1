"""The verbs for one's own documents: search, ask, summarise.

app.py adds them to ``bertft``. The first argument of search and ask is the question, unless it is a
file or a folder: then a person is asked for questions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bertft.cli import completion
from bertft.cli.options import (
    BadRowOption,
    Device,
    DeviceOption,
    InputSetOption,
    JsonOption,
    MinConfidenceOption,
    ModelOption,
    OfflineOption,
    OnBadRow,
    Precision,
    PrecisionOption,
    open_console,
)
from bertft.cli.texts import LengthOption, TopK, encoder_request
from bertft.cli.verb import DOCUMENTS, verb
from bertft.collector import importing
from bertft.errors import BertftError

if TYPE_CHECKING:
    from bertft.contracts import Answer
    from bertft.retrieval.request import IndexRequest

documents_app = typer.Typer()

Questions = Annotated[
    list[str],
    typer.Argument(
        metavar="[QUESTION] FILE_OR_FOLDER...",
        help="The question in quotes (without one you are asked), then text, Markdown, HTML, PDF, "
        "Word, CSV, Excel, JSONL or Parquet files, or folders of them.",
    ),
]
PromptOption = Annotated[
    str | None, typer.Option(help='Put before the question, e.g. "query: "; known for E5.')
]
PassagePromptOption = Annotated[
    str | None, typer.Option(help='Put before each passage, e.g. "passage: "; known for E5.')
]


@verb(
    documents_app,
    panel=DOCUMENTS,
    examples=('search "how to get a refund" faq.csv', 'search "refund" handbook/ --top-k 3 --json'),
)
def search(
    arguments: Questions,
    top_k: Annotated[int, TopK] = 10,
    rerank: Annotated[
        str,
        typer.Option(
            "--rerank",
            metavar="RUN",
            help="A run of pairs (question, passage) that puts the best in order.",
            autocompletion=completion.runs,
        ),
    ] = "",
    relevant: Annotated[
        str,
        typer.Option(metavar="LABEL", help="Its label for a passage that answers, if not known."),
    ] = "",
    model: ModelOption = "",
    prompt: PromptOption = None,
    passage_prompt: PassagePromptOption = None,
    max_length: LengthOption = None,
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """Passages of your files that answer a question best, by meaning and by words."""
    question, files = _question_and_files(arguments)
    console = open_console(offline=offline)
    index = _index_request(
        files,
        model,
        (prompt, passage_prompt),
        max_length,
        set_,
        on_bad_row,
        device,
        precision,
        offline,
    )
    with importing():
        from bertft.commands.search import Search, SearchRequest
        from bertft.console.retrieval import show_found

    request = SearchRequest(
        index=index,
        top_k=top_k,
        rerank=rerank,
        relevant=relevant,
    )
    found = Search(request, watch=console)
    console.close()
    _answer_all(question, found.answers, show=show_found, json=json, what="search")


@verb(
    documents_app,
    panel=DOCUMENTS,
    examples=('ask "Who may work from home?" handbook/ --run squad2', "ask handbook/ --run squad2"),
)
def ask(
    arguments: Questions,
    run: Annotated[
        str,
        typer.Option(
            "--run",
            metavar="RUN",
            help="A run that answers questions (task qa); newest if left out.",
            autocompletion=completion.runs,
        ),
    ] = "",
    top_k: Annotated[int, TopK] = 3,
    passages: Annotated[
        int, typer.Option(min=1, help="Passages that are read for a question.")
    ] = 5,
    min_confidence: MinConfidenceOption = None,
    model: ModelOption = "",
    prompt: PromptOption = None,
    passage_prompt: PassagePromptOption = None,
    max_length: LengthOption = None,
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """Answers to a question out of your files: a run reads the passages that a search finds."""
    question, files = _question_and_files(arguments)
    console = open_console(offline=offline)
    from bertft.runs.first_look import look_at_run

    look_at_run(run)
    index = _index_request(
        files,
        model,
        (prompt, passage_prompt),
        max_length,
        set_,
        on_bad_row,
        device,
        precision,
        offline,
    )
    with importing():
        from bertft.commands.ask import Ask, AskRequest
        from bertft.console.retrieval import show_answers

    request = AskRequest(
        index=index,
        run=run,
        top_k=top_k,
        passages=passages,
        min_confidence=min_confidence,
    )
    found = Ask(request, watch=console)
    console.close()
    _answer_all(question, found.answers, show=show_answers, json=json, what="ask")


@verb(
    documents_app,
    panel=DOCUMENTS,
    examples=("summarise report.pdf --sentences 5", 'summarise notes/ --query "the budget" --json'),
)
def summarise(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE_OR_FOLDER...", help="Files as in search; each row of a table is a text."
        ),
    ],
    sentences: Annotated[int, typer.Option(min=1, help="Sentences of a summary.")] = 3,
    query: Annotated[str, typer.Option(metavar="TEXT", help="Sum up what concerns this.")] = "",
    model: ModelOption = "",
    prompt: Annotated[
        str | None, typer.Option(help='Put before each sentence, e.g. "query: " for E5.')
    ] = None,
    max_length: LengthOption = None,
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """The sentences that say most of a text, in their order: nothing is written anew."""
    console = open_console(offline=offline, streams=True)
    index = _index_request(
        tuple(files),
        model,
        (prompt, None),
        max_length,
        set_,
        on_bad_row,
        device,
        precision,
        offline,
    )
    with importing():
        from bertft.commands.summarise import SummariseRequest
        from bertft.commands.summarise import summarise as run_summarise
        from bertft.console.output import emit_line
        from bertft.console.retrieval import show_summaries

    request = SummariseRequest(index=index, sentences=sentences, query=query)
    found = run_summarise(request, watch=console)
    if json:
        for one in found:
            emit_line(one)
    else:
        show_summaries(found)
    console.close()


def _question_and_files(arguments: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The question, "" where a person is to be asked, and the files.

    Raises:
        BertftError: there is no file, or no question and nobody to ask.
    """
    from bertft.loaders.named import is_input

    first, *rest = arguments
    if not first.strip():
        raise BertftError("the question holds no text")
    if not is_input(first):
        if not rest:
            raise BertftError("a question, but no file", hint="name files or a folder behind it")
        return first, tuple(rest)
    if not all(one is not None and one.isatty() for one in (sys.stdin, sys.stdout)):
        hint = f'put a question in quotes before it: "..." {first}'
        raise BertftError(f"{first} is a file or a folder, and there is no question", hint=hint)
    return "", tuple(arguments)


def _index_request(
    files: tuple[str, ...],
    model: str,
    prompts: tuple[str | None, str | None],
    max_length: int | None,
    overrides: Sequence[str] | None,
    on_bad_row: OnBadRow | None,
    device: Device,
    precision: Precision,
    offline: bool,
) -> IndexRequest:
    """What is to be searched, once the encoder's name is found to be right."""
    from bertft.retrieval.request import IndexRequest

    encoder = encoder_request(
        model, "", max_length=max_length, device=device, precision=precision, offline=offline
    )
    return IndexRequest(
        files=files,
        encoder=encoder,
        prompt=prompts[0],
        passage_prompt=prompts[1],
        overrides=tuple(overrides or ()),
        on_bad_row=on_bad_row.value if on_bad_row else "",
    )


def _answer_all(
    question: str,
    answers: Callable[[str], Iterable[Answer]],
    *,
    show: Callable[[Iterable[Answer]], None],
    json: bool,
    what: str,
) -> None:
    """Answer the question, or all that a person asks: as JSON lines, or to be read."""
    from bertft.console.output import emit_line
    from bertft.console.retrieval import ask_for

    def tell(asked: str) -> None:
        if not json:
            show(answers(asked))
            return
        for one in answers(asked):
            emit_line(one)

    if question:
        tell(question)
    else:
        ask_for(what, tell)
