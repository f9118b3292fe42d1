"""The picture of ``bertft context``: a result goes in, a chart or a page around it comes out.

One line per pair of sentences: the similarity of the word's vectors, layer by layer.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path, PurePath
from typing import Any

from markupsafe import Markup

from bertft.errors import BertftError, did_you_mean
from bertft.prediction.output import text_output
from bertft.reports.charts import LETTERS, LineChart, Series
from bertft.reports.picture import KINDS, inline_svg, picture_output
from bertft.reports.tables import Table
from bertft.reports.templating import render
from bertft.watch import Watch

PLOTS = (".html", *KINDS)
SENTENCES = 10
"""Sentences of a picture: more pairs are not told apart."""


def check_plot(out: str, *, sentences: int) -> None:
    """Raise BertftError unless ``out`` is "", or a page or picture that holds so many sentences."""
    suffix = Path(out).suffix.lower()
    if out and suffix not in PLOTS:
        reason = f"--out {out}: no picture is drawn as '{suffix}'"
        raise BertftError(reason, hint=did_you_mean(suffix, PLOTS))
    if out and sentences > SENTENCES:
        reason = f"{sentences} sentences are too many for a picture, which holds {SENTENCES}"
        raise BertftError(reason, hint="compare fewer sentences, or leave --out out")


def write_plot(result: dict[str, Any], out: str, *, overwrite: bool, watch: Watch) -> None:
    """Write a result to the page or picture ``out``."""
    if Path(out).suffix.lower() in KINDS:
        with picture_output(out, overwrite=overwrite, watch=watch) as draw:
            draw(similarity_chart(result))
        return
    with text_output(out, overwrite=overwrite) as file:
        file.write(web_page(result))


def web_page(result: dict[str, Any]) -> str:
    """A self-contained page: the picture, the sentences with the word marked, and the numbers."""
    page = render(
        "context.html.j2",
        word=result["word"],
        model=model_name(result["model"]),
        picture=Markup(inline_svg(similarity_chart(result, width=460))),
        sentences=[
            (one["text"][: one["start"]], one["text"][one["start"] : one["end"]],
             one["text"][one["end"] :])
            for one in result["sentences"]
        ],
        numbers=_numbers(result),
    )  # fmt: skip
    return str(page)


def _numbers(result: dict[str, Any]) -> Table:
    """A column for each pair, a row for each layer."""
    pairs = _pairs(result)
    rows = [
        [str(layer), *(f"{values[place]:.3f}" for _, values in pairs)]
        for place, layer in enumerate(result["layers"])
    ]
    return Table(["layer", *(name for name, _ in pairs)], rows)


def similarity_chart(result: dict[str, Any], *, width: float = 640) -> LineChart:
    """Layers run to the right, cosine similarity upwards."""
    series = [
        Series(
            name=f"{name}: {values[-1]:.2f}",
            points=list(zip(map(float, result["layers"]), values, strict=True)),
            dots=True,
        )
        for name, values in _pairs(result)
    ]
    return LineChart(
        title=f"“{result['word']}” in {len(result['sentences'])} sentences",
        across="layer (0: embeddings)",
        up="cosine similarity by pair of sentences",
        series=series,
        bounds=(-1, 1),
        size=(width, max(360, 90 + (LETTERS + 1) * len(series))),
    )


def model_name(name: str) -> str:
    """A short name of a model; of a run's best/, that of the run."""
    parts = PurePath(name).parts
    if not parts or not Path(name).is_dir():
        return name
    return parts[-2] if parts[-1] == "best" and len(parts) > 1 else parts[-1]


def _pairs(result: dict[str, Any]) -> list[tuple[str, list[float]]]:
    """(pair of sentences, similarity in each layer)."""
    return [
        (f"{a + 1}, {b + 1}", [layer[a][b] for layer in result["similarity"]])
        for a, b in combinations(range(len(result["sentences"])), 2)
    ]
