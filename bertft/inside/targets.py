"""What is explained of an answer: a decoded answer and its logits in, Targets out.

Classification: a label's logit; regression: the number; entities: the tag of a word; questions: the
start and the end of the answer. Shape legend: N inputs at once, L tokens, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from bertft.contracts import Answer, OffsetArray, Pieces, Task
from bertft.errors import BertftError, did_you_mean
from bertft.evaluation.calibration import Scaling
from bertft.evaluation.probabilities import log_softmax
from bertft.inside.attention import Read
from bertft.inside.context import find_word
from bertft.inside.hidden import pieces_within
from bertft.spans import Span, compose


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to explain: its ``name``, further ``facts``, and how it is read off the output.

    ``window`` is the number of the window it is read from. ``logit`` is what gradients are taken
    of, ``score`` what deletions should lower: a probability, or the number itself.
    """

    name: str
    window: int
    logit: Read
    score: Read
    facts: dict[str, Any]


def targets_of(
    task: Task[Any], example: Any, answer: Answer, pieces: Pieces, *, label: str, word: str
) -> list[Target]:
    """Everything to explain of one example; empty where it has no entity.

    Raises:
        BertftError: the label or the word is none that this model, or this text, has.
    """
    if word and task.name != "ner":
        raise BertftError(f"--word needs a ner model; this one's task is {task.name}")
    if task.name == "ner":
        return _tag_targets(task, example, answer, pieces, label=label, word=word)
    if label and not task.labels:
        raise BertftError(f"--label '{label}': this model (task {task.name}) gives no labels")
    if task.name == "qa":
        return _span_targets(example, answer, pieces)
    return [_label_target(task, answer, pieces, label=label)]


# --- a label, or a number -----------------------------------------------------------------------


def _label_target(task: Any, answer: Answer, pieces: Pieces, *, label: str) -> Target:
    if not task.labels:
        return Target(
            "value",
            _best_window(pieces, 0),
            lambda output: output.logits[:, 0],
            lambda output: output.logits[:, 0],
            {"value": answer["value"]},
        )
    name = _known(label, task.labels) if label else next(iter(answer["scores"]))
    number = task.labels.index(name)
    several = task.options.multi_label

    def score(output: Any) -> torch.Tensor:
        logits = _scaled(output.logits.float(), task.scaling)
        p: torch.Tensor = logits.sigmoid() if several else logits.softmax(dim=-1)  # [N, C]
        return p[:, number]

    facts = {"label": name, "probability": answer["scores"][name]}
    window = _best_window(pieces, number)
    return Target(name, window, lambda output: output.logits[:, number], score, facts)


def _scaled(logits: torch.Tensor, scaling: Scaling) -> torch.Tensor:
    """[N, C] as calibration has them."""
    if not scaling:
        return logits
    slope, offset = logits.new_tensor(scaling).T
    found: torch.Tensor = logits * slope + offset
    return found


def _best_window(pieces: Pieces, number: int) -> int:
    """The window that speaks most for a label, where a text is read in several."""
    return int(np.argmax([logits[number] for _, logits in pieces]))


def _known(label: str, labels: Sequence[str]) -> str:
    if label not in labels:
        hint = did_you_mean(label, labels)
        raise BertftError(f"--label '{label}' is none of the model's labels", hint=hint)
    return label


# --- the tags of words --------------------------------------------------------------------------


def _tag_targets(
    task: Any, example: Any, answer: Answer, pieces: Pieces, *, label: str, word: str
) -> list[Target]:
    """The word asked for, or the one most like ``label``, or the start of each entity."""
    if label and label not in task.labels:
        label = f"B-{_known(label, task.types)}"
    composed = compose(example.text)
    if word:
        spans = find_word(example.text, word)
        if not spans:
            raise BertftError(f"the text does not hold the word '{word}': {example.text}")
        chosen = [(composed.composed(*span), label) for span in spans]
    elif label:
        chosen = [(span, label) for span in _most_like(task.labels.index(label), pieces)]
    else:
        chosen = [
            (composed.composed(one["start"], one["end"]), _first_tag(one))
            for one in answer["entities"]
        ]
    targets = [_tag_target(task.labels, example.text, span, tag, pieces) for span, tag in chosen]
    return [one for one in targets if one is not None]


def _first_tag(entity: Answer) -> str:
    return f"{'I' if entity.get('repaired') else 'B'}-{entity['label']}"


def _most_like(number: int, pieces: Pieces) -> list[Span]:
    """The unit, if there is any, with the highest probability of a tag."""
    found = [
        (float(log_softmax(logits)[token, number]), tuple(map(int, one.offsets[token])))
        for one, logits in pieces
        if one.offsets is not None
        for token in np.flatnonzero(one.offsets[:, 1] > one.offsets[:, 0])
    ]
    return [(max(found)[1][0], max(found)[1][1])] if found else []


def _tag_target(
    labels: Sequence[str], text: str, span: Span, tag: str, pieces: Pieces
) -> Target | None:
    """The tag (the most probable one where it is "") of the first unit of a span."""
    window, token = _widest(span, pieces)
    if token < 0:
        return None
    one, logits = pieces[window]
    number = labels.index(tag) if tag else int(logits[token].argmax())
    assert one.offsets is not None
    start, end = compose(text).original(*map(int, one.offsets[token]))
    facts = {"label": labels[number], "start": start, "end": end, "token": token}
    facts["probability"] = float(np.exp(log_softmax(logits)[token, number]))
    return Target(
        f"{labels[number]}: {text[start:end]}",
        window,
        lambda output: output.logits[:, token, number],
        lambda output: output.logits[:, token].float().softmax(dim=-1)[:, number],
        facts,
    )


def _widest(span: Span, pieces: Pieces) -> tuple[int, int]:
    """(window, token) of a span's first unit, where it has most context; token -1 for none."""
    best = (-1, 0, -1)
    for window, (one, _) in enumerate(pieces):
        assert one.offsets is not None
        if inside := pieces_within(one.offsets, span):
            token = inside[0]
            best = max(best, (min(token, len(one) - 1 - token), -window, token))
    return -best[1], best[2]


# --- start and end of an answer -----------------------------------------------------------------


def _span_targets(example: Any, answer: Answer, pieces: Pieces) -> list[Target]:
    """Start and end of the answer; where there is none, of [CLS], in the surest window."""
    if answer["no_answer"]:
        window = int(np.argmin([logits[0].sum() for _, logits in pieces]))
        places = (0, 0)
    else:
        span = compose(example.context).composed(answer["start"], answer["end"])
        window, places = _span_place(span, pieces)
    offsets = pieces[window][0].offsets
    assert offsets is not None
    told = answer["answer"] or "no answer"
    return [
        _span_target(f"{side} of {told}", window, side, place, offsets)
        for side, place in zip(("start", "end"), places, strict=True)
    ]


def _span_place(span: Span, pieces: Pieces) -> tuple[int, tuple[int, int]]:
    """The window with the best score of a span, and its first and last token there."""
    found = []
    for window, (one, logits) in enumerate(pieces):
        assert one.offsets is not None
        inside = pieces_within(one.offsets, span)
        starts, ends = one.offsets[inside].T
        if inside and starts[0] <= span[0] and ends[-1] >= span[1]:
            first, last = inside[0], inside[-1]
            found.append((float(logits[first, 0] + logits[last, 1]), window, (first, last)))
    _, window, places = max(found)
    return window, places


def _span_target(name: str, window: int, side: str, place: int, offsets: OffsetArray) -> Target:
    allowed = [0, *np.flatnonzero(offsets[:, 1] > offsets[:, 0]).tolist()]
    rank = allowed.index(place)

    def logits(output: Any) -> torch.Tensor:
        found: torch.Tensor = output.start_logits if side == "start" else output.end_logits
        return found.float()

    return Target(
        name,
        window,
        lambda output: logits(output)[:, place],
        lambda output: logits(output)[:, allowed].softmax(dim=-1)[:, rank],
        {"side": side, "token": place},
    )
