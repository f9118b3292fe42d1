"""The verbs that give and compare vectors: embed, similar, context.

app.py adds them to ``bertft``. Texts in quotes are answered by a table, files (or --json) by one
JSON object per line.
"""

from __future__ import annotations

from enum import StrEnum
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
from bertft.words import counted

vectors_app = typer.Typer()


class Level(StrEnum):
    SENTENCE = "sentence"
    TOKEN = "token"


class Pooling(StrEnum):
    """How a sentence's vector is made of its tokens'."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"
    CLS_BEFORE_POOLER = "cls_before_pooler"


class Combine(StrEnum):
    """What becomes of several layers."""

    NONE = "none"
    MEAN = "mean"
    CONCAT = "concat"


Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILE]...", help="Text, CSV, TSV, JSONL or Parquet files."),
]
PoolingOption = Annotated[
    Pooling | None,
    typer.Option(help="One vector of all tokens'; default: as the model's folder says, or mean."),
]
LayersOption = Annotated[
    str, typer.Option(help="last, all, 0,6,12 or -4: (0 is the embedding layer).")
]
CombineOption = Annotated[Combine, typer.Option(help="What becomes of several layers.")]
PromptOption = Annotated[
    str | None, typer.Option(help='Put before each text, e.g. "query: " for E5.')
]


@verb(
    vectors_app,
    panel=INSIDE,
    examples=("embed texts.csv --out vectors.npy", 'embed "What a film." --words'),
)
def embed(
    texts: Texts,
    level: Annotated[
        Level, typer.Option(help="One vector per text, or per token.")
    ] = Level.SENTENCE,
    words: Annotated[
        bool, typer.Option("--words", help="Per word: the mean of its tokens.")
    ] = False,
    pooling: PoolingOption = None,
    layers: LayersOption = "last",
    combine: CombineOption = Combine.NONE,
    normalize: Annotated[
        bool | None, typer.Option(help="Scale to length 1; default: as the folder says.")
    ] = None,
    prompt: PromptOption = None,
    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help=".npy, .npz, .parquet or .jsonl.")
    ] = "",
    overwrite: OverwriteOption = False,
    model: ModelOption = "",
    run: RunOption = "",
    max_length: LengthOption = None,
    input_format: InputFormatOption = "",
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    offline: OfflineOption = False,
) -> None:
    """Vectors of texts, words or tokens, from any layers of an encoder."""
    console = open_console(offline=offline, streams=not out)
    asked = text_request(texts, input_format, set_, on_bad_row)
    encoder = encoder_request(
        model, run, max_length=max_length, device=device, precision=precision, offline=offline
    )
    with importing():
        from bertft.commands.embed import EmbedRequest, embed_files
        from bertft.inside.embedder import View

    request = EmbedRequest(
        texts=asked,
        encoder=encoder,
        view=View(
            level=level.value,
            words=words,
            pooling=pooling.value if pooling else None,
            layers=layers,
            combine=combine.value,
            normalize=normalize,
            prompt=prompt,
        ),
        out=out,
        overwrite=overwrite,
    )
    done = embed_files(request, watch=console)
    console.close()
    console.note(f"{counted(done, 'text')} embedded" + (f": {out}" if out else ""))


@verb(
    vectors_app,
    panel=INSIDE,
    examples=(
        'similar --pair "a good film" "a fine movie"',
        'similar texts.txt --query "refund" --top-k 5',
    ),
)
def similar(
    files: Files = None,
    pair: Annotated[
        tuple[str, str] | None, typer.Option("--pair", metavar="A B", help="Compare two texts.")
    ] = None,
    query: Annotated[str, typer.Option(metavar="TEXT", help="Find what is nearest to it.")] = "",
    threshold: Annotated[
        float | None, typer.Option(min=-1, max=1, help="Find texts at least so alike.")
    ] = None,
    top_k: Annotated[int, TopK] = 10,
    gold: Annotated[
        str, typer.Option(metavar="COLUMN", help="Correlate with numbers beside the pairs.")
    ] = "",
    pooling: PoolingOption = None,
    layers: LayersOption = "last",
    combine: CombineOption = Combine.NONE,
    prompt: PromptOption = None,
    model: ModelOption = "",
    run: RunOption = "",
    max_length: LengthOption = None,
    input_format: InputFormatOption = "",
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """How alike texts are: pairs (a file with two columns), the nearest, or duplicates."""
    console = open_console(offline=offline)
    from dataclasses import replace

    asked = text_request(files or [], input_format, set_, on_bad_row)
    encoder = encoder_request(
        model, run, max_length=max_length, device=device, precision=precision, offline=offline
    )
    with importing():
        from bertft.commands.similar import similar as run_similar
        from bertft.inside.comparing import SimilarRequest
        from bertft.inside.embedder import View
    from bertft.console.inside import show_pairs

    request = SimilarRequest(
        texts=replace(asked, gold=gold),
        encoder=encoder,
        view=View(
            pooling=pooling.value if pooling else None,
            layers=layers,
            combine=combine.value,
            prompt=prompt,
        ),
        pairs=(pair,) if pair else (),
        query=query,
        threshold=threshold,
        top_k=top_k,
    )
    answers = run_similar(request, watch=console)
    show_answers(answers, as_lines=json or not pair, console=console, table=show_pairs)


@verb(
    vectors_app,
    panel=INSIDE,
    examples=(
        'context bank "the bank of a river" "money in the bank"',
        'context 배 "배를 탔다." "배가 아프다." --out bae.html',
    ),
)
def context(
    word: Annotated[str, typer.Argument(help="The word; Korean ones without their particles.")],
    sentences: Annotated[list[str], typer.Argument(help="Two sentences or more that hold it.")],
    layers: LayersOption = "all",
    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help="Draw it: .html, .svg or .png.")
    ] = "",
    overwrite: OverwriteOption = False,
    model: ModelOption = "",
    run: RunOption = "",
    max_length: LengthOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """How a word's vector moves with its context, layer by layer."""
    console = open_console(offline=offline)
    encoder = encoder_request(
        model, run, max_length=max_length, device=device, precision=precision, offline=offline
    )
    with importing():
        from bertft.commands.context import ContextRequest, word_in_context
        from bertft.inside.context import layer_table, sentence_rows

    request = ContextRequest(
        word=word,
        sentences=tuple(sentences),
        encoder=encoder,
        layers=layers,
        out=out,
        overwrite=overwrite,
    )
    result = word_in_context(request, watch=console)
    console.show_table(("", "tokens", "sentence"), sentence_rows(result["sentences"]))
    console.say("\nsimilarity of the word's vectors in each two sentences, by layer")
    console.show_table(*layer_table(result))
    if json:
        from bertft.console.output import emit_json

        emit_json(result)
