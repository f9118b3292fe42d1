"""The verbs that look inside an encoder: tokenize, embed, similar, context, explain.

cli.py adds them to ``bertft``. Texts in quotes are answered by a table,
files (or --json) by one JSON object per line.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

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
from bertft.collector import importing

if TYPE_CHECKING:
    pass

inside_app = typer.Typer()


class Level(StrEnum):
    SENTENCE = "sentence"
    TOKEN = "token"


class Pooling(StrEnum):
    """How a sentence's vector is made of its tokens'."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"
    CLS_BEFORE_POOLER = "cls_before_pooler"


class Baseline(StrEnum):
    """What stands for "no word" when an answer is explained."""

    MASK = "mask"
    PAD = "pad"


class Combine(StrEnum):
    """What becomes of several layers."""

    NONE = "none"
    MEAN = "mean"
    CONCAT = "concat"


Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILE]...", help="Text, CSV, TSV, JSONL or Parquet files."),
]
RunOption = Annotated[str, typer.Option("--run", metavar="RUN", help="A run instead of a model.")]
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
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an existing --out.")]


@inside_app.command()
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
    console = open_console(offline=offline)
    with importing():
        from bertft.commands.tokenize import TokenizeRequest
        from bertft.commands.tokenize import tokenize as run_tokenize
    from bertft.console.inside import show_tokens

    request = TokenizeRequest(
        texts=text_request(texts, input_format, set_, on_bad_row),
        encoder=encoder_request(model, run, offline=offline),
        pair=pair,
        length=length,
    )
    answers = run_tokenize(request, watch=console)
    show_answers(
        answers, as_lines=json or request.texts.has_files, console=console, table=show_tokens
    )


@inside_app.command()
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
    console = open_console(offline=offline)
    with importing():
        from bertft.commands.embed import EmbedRequest, embed_files
        from bertft.inside.embedder import View

    request = EmbedRequest(
        texts=text_request(texts, input_format, set_, on_bad_row),
        encoder=encoder_request(
            model, run, max_length=max_length, device=device, precision=precision, offline=offline
        ),
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
    console.note(f"{done:,} texts embedded" + (f": {out}" if out else ""))


@inside_app.command()
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

    with importing():
        from bertft.commands.similar import similar as run_similar
        from bertft.inside.comparing import SimilarRequest
        from bertft.inside.embedder import View
    from bertft.console.inside import show_pairs

    request = SimilarRequest(
        texts=replace(text_request(files or [], input_format, set_, on_bad_row), gold=gold),
        encoder=encoder_request(
            model, run, max_length=max_length, device=device, precision=precision, offline=offline
        ),
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


@inside_app.command()
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
    with importing():
        from bertft.commands.context import ContextRequest, word_in_context
        from bertft.inside.context import pair_rows, sentence_rows

    request = ContextRequest(
        word=word,
        sentences=tuple(sentences),
        encoder=encoder_request(
            model, run, max_length=max_length, device=device, precision=precision, offline=offline
        ),
        layers=layers,
        out=out,
        overwrite=overwrite,
    )
    result = word_in_context(request, watch=console)
    console.show_table(("", "tokens", "sentence"), sentence_rows(result["sentences"]))
    console.say("\nsimilarity of the word's vectors in sentences a, b, by layer")
    console.show_table(("a, b", *map(str, result["layers"])), pair_rows(result))
    if json:
        from bertft.console.console import emit_json

        emit_json(result)


@inside_app.command()
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
    console = open_console(offline=offline)
    with importing():
        from bertft.commands.explain import explain as run_explain
        from bertft.inside.request import ExplainRequest
    from bertft.console.inside import show_explained

    request = ExplainRequest(
        texts=text_request(texts, input_format, set_, on_bad_row),
        encoder=encoder_request(model, run, max_length=max_length, device=device, offline=offline),
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
