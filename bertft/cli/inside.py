"""The verbs that look inside a model: tokenize, explain.

app.py adds them to ``bertft``. Texts in quotes are answered by a table,
files (or --json) by one JSON object per line.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from bertft.cli.options import (
    BadRowOption,
    Device,
    DeviceOption,
    InputSetOption,
    JsonOption,
    ModelOption,
    OfflineOption,
    open_console,
)
from bertft.cli.texts import (
    InputFormatOption,
    LengthOption,
    OverwriteOption,
    RunOption,
    Texts,
    TopK,
    encoder_request,
    show_answers,
    text_request,
)
from bertft.cli.verb import INSIDE, verb
from bertft.collector import importing

inside_app = typer.Typer()


class Baseline(StrEnum):
    """What stands for "no word" when an answer is explained."""

    MASK = "mask"
    PAD = "pad"


@verb(
    inside_app,
    panel=INSIDE,
    examples=('tokenize "What a film."', 'tokenize "영화" --model klue-bert-base'),
)
def tokenize(
    texts: Texts,
    pair: Annotated[str | None, typer.Option(metavar="TEXT", help="A second text.")] = None,
    length: Annotated[int | None, typer.Option(help="Pad and cut to so many tokens.")] = None,
    model: ModelOption = "",
    run: RunOption = "",
    input_format: InputFormatOption = "",
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """Show what a model gets of a text: tokens, ids, masks, offsets."""
    console = open_console(offline=offline, streams=True)
    asked = text_request(texts, input_format, set_, on_bad_row)
    encoder = encoder_request(model, run, offline=offline)
    with importing():
        from bertft.commands.tokenize import TokenizeRequest
        from bertft.commands.tokenize import tokenize as run_tokenize
    from bertft.console.inside import show_tokens

    request = TokenizeRequest(
        texts=asked,
        encoder=encoder,
        pair=pair,
        length=length,
    )
    answers = run_tokenize(request, watch=console)
    show_answers(
        answers, as_lines=json or request.texts.has_files, console=console, table=show_tokens
    )


@verb(
    inside_app,
    panel=INSIDE,
    examples=(
        'explain "What a film." --run demo',
        'explain "What a film." --run demo --out explained.html',
    ),
)
def explain(
    texts: Texts,
    run: RunOption = "",
    model: ModelOption = "",
    question: Annotated[str, typer.Option(metavar="TEXT", help="qa: ask it of each text.")] = "",
    label: Annotated[
        str, typer.Option(metavar="LABEL", help="Explain it instead of the predicted one.")
    ] = "",
    word: Annotated[
        str, typer.Option(metavar="WORD", help="ner: the word whose tag is explained.")
    ] = "",
    steps: Annotated[int, typer.Option(min=1, help="Points of integrated gradients.")] = 32,
    baseline: Annotated[
        Baseline, typer.Option(help="The token that stands for no word.")
    ] = Baseline.MASK,
    delete: Annotated[
        int | None, typer.Option(min=1, help="Words deleted as a test; default: a fifth.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Random deletions to compare with.")] = 10,
    top_k: Annotated[int, TopK] = 10,
    attention: Annotated[
        bool, typer.Option("--attention", help="JSON with every layer's and head's attention.")
    ] = False,
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE", help="A page, .html, or a picture, .svg or .png."),
    ] = "",
    overwrite: OverwriteOption = False,
    max_length: LengthOption = None,
    input_format: InputFormatOption = "",
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """What a model looked at: words its answer rests on, attention of every layer and head."""
    console = open_console(offline=offline, streams=not out)
    asked = text_request(texts, input_format, set_, on_bad_row)
    encoder = encoder_request(model, run, max_length=max_length, device=device, offline=offline)
    with importing():
        from bertft.commands.explain import explain as run_explain
        from bertft.inside.request import ExplainRequest
    from bertft.console.inside import show_explained

    request = ExplainRequest(
        texts=asked,
        encoder=encoder,
        question=question,
        label=label,
        word=word,
        steps=steps,
        baseline=baseline.value,
        delete=delete,
        draws=draws,
        attention=attention,
        out=out,
        overwrite=overwrite,
    )
    answers = run_explain(request, watch=console)
    as_lines = json or attention or (request.texts.has_files and not out)
    show_answers(
        answers, as_lines=as_lines, console=console, table=partial(show_explained, top_k=top_k)
    )
    if out:
        console.note(f"page written: {out}")
