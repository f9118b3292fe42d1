"""What ``bertft explain`` writes: results go in, a self-contained HTML page or a picture comes out.

On the page words are coloured in the HTML itself, so that they are there without scripts too; the
script only shows attention, by layer and head. Whatever a text holds stays text, also in the JSON
that the script reads.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bertft.contracts import FloatArray
from bertft.errors import BertftError
from bertft.inside.attribution import attention_rollout
from bertft.prediction.output import text_output
from bertft.reports.explain_chart import bar_chart, checks
from bertft.reports.picture import KINDS, picture_output
from bertft.reports.templating import frame, render
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
            draw(bar_chart(results))
        return
    head, tail = frame("explain.html.j2")
    with text_output(out, overwrite=overwrite) as file:
        file.write(head)
        yield lambda result: _write(file.write, result)
        file.write(tail)


def _write(write: Callable[[str], Any], result: Result) -> None:
    parts = result["parts"]
    one = {
        "id": str(result["id"]),
        "heading": heading(result),
        "parts": parts,
        "explanations": [
            _explanation(one, parts, answer=result["answer"]) for one in result["explanations"]
        ],
        "view": view_of(result),
    }
    write(str(render("explained.html.j2", one=one)))


def heading(result: Result) -> str:
    """The answer and how probable it is; of a bare encoder, which has none, the text."""
    answer = result.get("answer", {})
    sure = f", probability {answer['score']:.2f}" if "score" in answer else ""
    if "entities" in answer:
        found = [f"{one['text']} ({one['label']})" for one in answer["entities"]]
        return f"Entities: {', '.join(found)}" if found else "No entities"
    if "labels" in answer:
        named = (f"{name} {answer['scores'][name]:.2f}" for name in answer["labels"])
        return f"Predicted: {', '.join(named) or 'no label'}"
    if "answer" in answer:
        return f"Answer: {answer['answer'] or 'none'}{sure}"
    if "value" in answer:
        return f"Predicted: {answer['value']:.4g}"
    if "label" in answer:
        return f"Predicted: {answer['label']}{sure}"
    return " / ".join(result["parts"].values())


def _explanation(one: Result, parts: Mapping[str, str], *, answer: Result) -> Result:
    strongest = max((abs(word["attribution"]) for word in one["words"]), default=0.0) or 1.0
    sure = "probability" in one and one["target"] != answer.get("label")  # the heading has that
    texts = {name: [w for w in one["words"] if w["part"] == name] for name in parts}
    return {
        "target": one["target"],
        "probability": f"{one['probability']:.2f}" if sure else "",
        "texts": [
            (name, list(_coloured(parts[name], words, strongest))) for name, words in texts.items()
        ],
        "checks": checks(one),
        "numbers": [
            (parts[word["part"]][word["start"] : word["end"]], f"{word['attribution']:+.4f}")
            for word in sorted(one["words"], key=lambda word: -abs(word["attribution"]))
        ],
    }


def _coloured(text: str, words: list[Result], strongest: float) -> Iterator[Result]:
    """The text in parts: words with their colour, and what stands between them."""
    done = 0
    for word in words:
        start, end, value = max(word["start"], done), word["end"], word["attribution"]
        yield {"text": text[done:start], "kind": ""}
        yield {
            "text": text[start:end],
            "kind": "for" if value >= 0 else "against",
            "strength": f"{STRONGEST * abs(value) / strongest:.3f}",
            "value": f"{value:+.4f}",
        }
        done = max(done, end)
    yield {"text": text[done:], "kind": ""}


# --- attention ----------------------------------------------------------------------------------


def view_of(result: Result) -> Result:
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
