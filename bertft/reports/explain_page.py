"""What ``bertft explain`` writes: results go in, a self-contained HTML page or a picture comes out.

On the page words are coloured in the HTML itself, so that they are there without scripts too; the
script only shows attention, by layer and head. Nothing is loaded from anywhere, which the page's
own policy forbids. Whatever a text holds stays text: it is escaped in HTML, and in JSON no ``<`` is
left that could end the script it stands in.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from bertft.contracts import FloatArray
from bertft.errors import BertftError
from bertft.inside.attribution import attention_rollout
from bertft.prediction.output import text_output
from bertft.reports.explain_plot import picture
from bertft.reports.picture import KINDS, picture_output
from bertft.watch import Watch

Result = dict[str, Any]
STRONGEST = 0.6
"""Opacity of the colour of the strongest word: text on it is still read with ease."""


def check_page(out: str) -> None:
    """Raise BertftError unless ``out`` is "", an .html file or a picture."""
    if out and Path(out).suffix.lower() not in (".html", *KINDS):
        reason = f"--out {out}: explanations are written as .html, .svg or .png only"
        raise BertftError(reason, hint="--out explained.html, or --json for programs")


@contextmanager
def open_page(out: str, *, overwrite: bool, watch: Watch) -> Iterator[Callable[[Result], None]]:
    """A function that adds a result to the page or picture ``out``, which appears when all are
    there. Where ``out`` is "" it does nothing.
    """
    if not out:
        yield lambda result: None
        return
    if Path(out).suffix.lower() in KINDS:
        results: list[Result] = []
        with picture_output(out, overwrite=overwrite, watch=watch) as draw:
            yield results.append
            draw(picture(results))
        return
    head, tail = template().split("<!-- texts -->")
    with text_output(out, overwrite=overwrite) as file:
        file.write(head)
        yield lambda result: _write(file.write, result)
        file.write(tail)


def template() -> str:
    """The page without texts."""
    return (resources.files(__package__) / "templates" / "explain.html").read_text(encoding="utf-8")


def _write(write: Callable[[str], Any], result: Result) -> None:
    for part in _section(result):
        write(part + "\n")


def _section(result: Result) -> Iterator[str]:
    yield f'<article>\n<h2 dir="auto">{html.escape(_heading(result))}</h2>'
    for one in result["explanations"]:
        yield from _explanation(one, result["parts"])
    if not result["explanations"]:
        for name, text in result["parts"].items():
            yield f'<p class="text" dir="auto">{_part_name(name)}{html.escape(text)}</p>'
    yield '<div class="attention"></div>'
    yield f'<script type="application/json">{script_json(_view(result))}</script>'
    yield "</article>"


def _heading(result: Result) -> str:
    answer = result.get("answer", {})
    for key in ("label", "labels", "value", "answer"):
        if key in answer:
            value = answer[key]
            said = ", ".join(value) if isinstance(value, list) else value
            said = f"{said:.4g}" if isinstance(said, float) else said
            return f"{result['id']}: {said or 'none'}"
    if "entities" in answer:
        return f"{result['id']}: {len(answer['entities'])} entities"
    return str(result["id"])


def _explanation(one: Result, parts: Mapping[str, str]) -> Iterator[str]:
    yield f'<section><h3 dir="auto">words for and against: {html.escape(one["target"])}</h3>'
    strongest = max((abs(word["attribution"]) for word in one["words"]), default=0.0) or 1.0
    for name, text in parts.items():
        words = [word for word in one["words"] if word["part"] == name]
        body = "".join(_coloured(text, words, strongest))
        yield f'<p class="text" dir="auto">{_part_name(name)}{body}</p>'
    test = one["faithfulness"]
    yield (
        f"<p>logit {one['logit']:.3f}, without any word {one['baseline_logit']:.3f}; "
        f"attributions miss the difference by {abs(one['error']):.2g}. The score falls by "
        f"{test['top']:.3f} without the {test['deleted']} strongest words, by "
        f"{test['random']:.3f} without as many random ones.</p>"
    )
    yield "<details><summary>numbers</summary><table><tr><th>word</th><th>attribution</th></tr>"
    for word in sorted(one["words"], key=lambda word: -abs(word["attribution"])):
        text = parts[word["part"]][word["start"] : word["end"]]
        value = f"{word['attribution']:+.4f}"
        yield f'<tr><td dir="auto">{html.escape(text)}</td><td>{value}</td></tr>'
    yield "</table></details></section>"


def _part_name(name: str) -> str:
    return "" if name == "text" else f"<small>{html.escape(name)}</small> "


def _coloured(text: str, words: list[Result], strongest: float) -> Iterator[str]:
    done = 0
    for word in words:
        start, end, value = word["start"], word["end"], word["attribution"]
        start = max(start, done)
        yield html.escape(text[done:start])
        kind = "for" if value >= 0 else "against"
        strength = f"--strength:{STRONGEST * abs(value) / strongest:.3f}"
        shown = html.escape(text[start:end])
        yield f'<mark class="{kind}" style="{strength}" title="{value:+.4f}">{shown}</mark>'
        done = max(done, end)
    yield html.escape(text[done:])


# --- attention ----------------------------------------------------------------------------------


def _view(result: Result) -> Result:
    """What the script needs: tokens, and weights in 255 steps, [n, heads, L, L] and [L, L]."""
    attention = result["attention"]
    return {
        "tokens": [_token_text(result, number) for number in range(len(result["tokens"]))],
        "layers": attention.shape[0],
        "heads": attention.shape[1],
        "attention": packed(attention),
        "rollout": packed(attention_rollout(attention)[-1]),
    }


def _token_text(result: Result, number: int) -> str:
    """A token as it stands in the text; special ones by their name."""
    place = result["places"][number]
    if place is None:
        return str(result["tokens"][number])
    part, start, end = place
    return str(result["parts"][part][start:end])


def packed(weights: FloatArray) -> str:
    """Weights from 0 to 1 as bytes, in base64."""
    steps = np.rint(np.clip(weights, 0, 1) * 255).astype(np.uint8)
    return base64.b64encode(steps.tobytes()).decode("ascii")


def script_json(content: Any) -> str:
    """JSON that may stand in a script element: nothing in it can end or open one."""
    found = json.dumps(content, ensure_ascii=True)
    return found.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
