"""The verbs that compare the texts of two files: bertscore, align.

app.py adds them to ``bertft``.
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
from bertft.cli.texts import LengthOption, RunOption, encoder_request, text_request
from bertft.cli.verb import INSIDE, verb
from bertft.collector import importing

compare_app = typer.Typer()


@verb(
    compare_app,
    panel=INSIDE,
    examples=(
        "bertscore references.txt translations.txt",
        "bertscore pairs.csv --idf --rescale --json",
    ),
)
def bertscore(
    references: Annotated[
        str,
        typer.Argument(metavar="REFERENCES", help="A text on each line, or a table; also of both."),
    ],
    candidates: Annotated[
        str,
        typer.Argument(
            metavar="[CANDIDATES]",
            show_default=False,
            help="What is compared with them, row by row; without it REFERENCES has two columns.",
        ),
    ] = "",
    layer: Annotated[str, typer.Option(help="last, or its number: 0 is the embedding layer.")] = (
        "last"
    ),
    idf: Annotated[
        bool, typer.Option("--idf", help="Rare words of the references count more.")
    ] = False,
    rescale: Annotated[
        bool, typer.Option("--rescale", help="0 is what pairs put together at random have.")
    ] = False,
    baseline: Annotated[
        str, typer.Option(metavar="FILE", help="0 is what this file of bert_score says.")
    ] = "",
    model: ModelOption = "",
    run: RunOption = "",
    max_length: LengthOption = None,
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """How near translations or summaries come to their references, token by token (BERTScore)."""
    console = open_console(offline=offline)
    from bertft.runs.first_look import look_at_files

    look_at_files([references, candidates])
    asked = text_request(list(filter(None, (references, candidates))), "", set_, on_bad_row)
    encoder = encoder_request(
        model, run, max_length=max_length, device=device, precision=precision, offline=offline
    )
    with importing():
        from bertft.commands.bertscore import BertScoreRequest
        from bertft.commands.bertscore import bertscore as run_bertscore
        from bertft.console.output import emit_json, emit_table

    request = BertScoreRequest(
        texts=asked, encoder=encoder, layer=layer, idf=idf, rescale=rescale, baseline=baseline
    )
    found = run_bertscore(request, watch=console)
    console.close()
    if json:
        emit_json(found)
        return
    rows = [
        (name, f"{one['value']:.4f}", f"{one['low']:.4f} - {one['high']:.4f}")
        for name, one in found["metrics"].items()
    ]
    emit_table((f"{found['n']:,} pairs", "value", "95 % CI"), rows)


@verb(
    compare_app,
    panel=INSIDE,
    examples=(
        "align english.txt korean.txt --model multilingual-e5-small",
        "align old.csv new.csv --threshold 1.1",
    ),
)
def align(
    first: Annotated[str, typer.Argument(metavar="FILE", help="A text on each line, or a table.")],
    second: Annotated[
        str, typer.Argument(metavar="OTHER", help="The same, in any order, in another language.")
    ],
    threshold: Annotated[
        float, typer.Option(min=0, help="Least margin over the nearest other texts.")
    ] = 1.02,
    prompt: Annotated[
        str | None, typer.Option(help='Put before each text, e.g. "query: " for E5.')
    ] = None,
    model: ModelOption = "",
    max_length: LengthOption = None,
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    offline: OfflineOption = False,
) -> None:
    """Texts of two files that say the same, also in two languages: translations of each other."""
    console = open_console(offline=offline, streams=True)
    from bertft.runs.first_look import look_at_files

    look_at_files([first, second])
    asked = text_request([first, second], "", set_, on_bad_row)
    encoder = encoder_request(
        model, "", max_length=max_length, device=device, precision=precision, offline=offline
    )
    with importing():
        from bertft.commands.align import AlignRequest
        from bertft.commands.align import align as run_align
        from bertft.console.output import emit_line

    request = AlignRequest(texts=asked, encoder=encoder, prompt=prompt, threshold=threshold)
    for one in run_align(request, watch=console):
        emit_line(one)
    console.close()
