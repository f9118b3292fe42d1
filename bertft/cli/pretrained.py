"""The verbs that ask the heads of pre-training: fill-mask, next-sentence, score.

app.py adds them to ``bertft``. Texts in quotes are answered by a table, files (or --json) by one
JSON object per line.
"""

from __future__ import annotations

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
    Precision,
    PrecisionOption,
    open_console,
)
from bertft.cli.texts import (
    InputFormatOption,
    LengthOption,
    Texts,
    TopK,
    encoder_request,
    show_answers,
    text_request,
)
from bertft.cli.verb import HEADS, verb
from bertft.collector import importing

pretrained_app = typer.Typer()


@verb(
    pretrained_app,
    name="fill-mask",
    panel=HEADS,
    examples=(
        'fill-mask "Paris is the capital of [MASK]." --model bert-base-uncased',
        "fill-mask texts.txt --model runs/pretrain --top-k 3",
    ),
)
def fill_mask(
    texts: Texts,
    top_k: Annotated[int, TopK] = 5,
    model: ModelOption = "",
    max_length: LengthOption = None,
    input_format: InputFormatOption = "",
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """The most probable words for each [MASK] of a text."""
    console = open_console(offline=offline, streams=True)
    asked = text_request(texts, input_format, set_, on_bad_row)
    encoder = encoder_request(
        model, "", max_length=max_length, device=device, precision=precision, offline=offline
    )
    with importing():
        from bertft.commands.fill_mask import FillRequest
        from bertft.commands.fill_mask import fill_mask as run_fill_mask
    from bertft.console.inside import show_masks

    request = FillRequest(
        texts=asked,
        encoder=encoder,
        top_k=top_k,
    )
    answers = run_fill_mask(request, watch=console)
    show_answers(
        answers, as_lines=json or request.texts.has_files, console=console, table=show_masks
    )


@verb(
    pretrained_app,
    name="next-sentence",
    panel=HEADS,
    examples=(
        'next-sentence "It rains." "Take an umbrella." --model bert-base-uncased',
        "next-sentence pairs.csv --model runs/pretrain",
    ),
)
def next_sentence(
    texts: Texts,
    model: ModelOption = "",
    max_length: LengthOption = None,
    input_format: InputFormatOption = "",
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """Whether the second of two texts follows the first (two texts, or a file of pairs)."""
    console = open_console(offline=offline, streams=True)
    asked = text_request(texts, input_format, set_, on_bad_row)
    encoder = encoder_request(
        model, "", max_length=max_length, device=device, precision=precision, offline=offline
    )
    with importing():
        from bertft.commands.next_sentence import NextRequest
        from bertft.commands.next_sentence import next_sentence as run_next_sentence
    from bertft.console.inside import show_follows

    request = NextRequest(
        texts=asked,
        encoder=encoder,
    )
    answers = run_next_sentence(request, watch=console)
    show_answers(
        answers, as_lines=json or request.texts.has_files, console=console, table=show_follows
    )


@verb(
    pretrained_app,
    panel=HEADS,
    examples=(
        'score "What a film." --model bert-base-uncased',
        "score texts.txt --model runs/pretrain",
    ),
)
def score(
    texts: Texts,
    model: ModelOption = "",
    max_length: LengthOption = None,
    input_format: InputFormatOption = "",
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """How well a masked language model foresees each text: pseudo-perplexity."""
    console = open_console(offline=offline, streams=True)
    asked = text_request(texts, input_format, set_, on_bad_row)
    encoder = encoder_request(
        model, "", max_length=max_length, device=device, precision=precision, offline=offline
    )
    with importing():
        from bertft.commands.score import ScoreRequest
        from bertft.commands.score import score as run_score
    from bertft.console.inside import show_log_likelihoods

    request = ScoreRequest(
        texts=asked,
        encoder=encoder,
    )
    answers = run_score(request, watch=console)
    show_answers(
        answers,
        as_lines=json or request.texts.has_files,
        console=console,
        table=show_log_likelihoods,
    )
