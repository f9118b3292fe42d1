"""Labels that are to be doubted: examples with the logits of models that did not learn from them go
in (jobs/folds.py), Suspects come out, the most doubtful first.

What is doubted is the label of a text, its set of labels, or an entity; other tasks are refused.
Shape legend: N examples, U units (words or pieces) of all of them, C labels, T types.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertft.arrays import FloatArray
from bertft.contracts import Pieces, Task
from bertft.errors import RecipeError
from bertft.evaluation.label_quality import FEW, label_quality, set_quality
from bertft.evaluation.metrics import BoolArray, IdArray
from bertft.evaluation.probabilities import softmax
from bertft.loaders.tagged import TaggedText
from bertft.spans import Entity, Span, compose
from bertft.tasks.classification import Classification
from bertft.tasks.ner import Ner
from bertft.tasks.tagging import gold_tags, merge_windows
from bertft.tasks.text_rows import TextExample

NOTHING = "(none)"
"""What stands for no label at all, where a text may have several."""
OUTSIDE = "O"
"""What stands for no entity."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label to look at.

    ``score`` is the probability of what is ``given``, ``probability`` that of what is
    ``suggested``, both by models that did not learn from it. ``example`` is its position; ``span``
    are the characters of an entity.
    """

    example: int
    given: str
    suggested: str
    score: float
    probability: float
    span: Span | None = None


def refuse_others(task: Task[Any], what: str) -> None:
    """Raise RecipeError for a task whose gold is no label."""
    if not isinstance(task, (Classification, Ner)):
        hint = "it is for classification, inference and entities"
        kind = "regression" if task.name == "classification" else task.name
        raise RecipeError(f"{what} does not apply to {kind}", hint=hint)


def find_suspects(
    task: Task[Any], examples: Sequence[Any], pieces: Sequence[Pieces]
) -> list[Suspect]:
    """Suspects among examples with gold, the least probable labels first."""
    if isinstance(task, Ner):
        found = _entities(task, examples, pieces)
    elif isinstance(task, Classification) and task.options.multi_label:
        found = _sets(task, examples, pieces)
    else:
        assert isinstance(task, Classification)
        found = _labels(task, examples, pieces)
    return sorted(found, key=lambda one: (one.score, one.example))


def probabilities(
    task: Classification, examples: Sequence[TextExample], pieces: Sequence[Pieces]
) -> FloatArray:
    """[N, C] as the task answers."""
    scores = [one["scores"] for one in task.answers(examples, pieces)]
    return np.array([[one[label] for label in task.labels] for one in scores])


def _labels(
    task: Classification, examples: Sequence[TextExample], pieces: Sequence[Pieces]
) -> list[Suspect]:
    gold = task.gold_ids(examples)
    places = [place for place, ids in enumerate(gold) if ids]  # the others are out of scope
    given = np.array([gold[place][0] for place in places], dtype=np.int64)  # [N]
    own = [examples[place] for place in places], [pieces[place] for place in places]
    quality = label_quality(given, probabilities(task, *own))
    counts = np.bincount(given, minlength=len(task.labels))
    likely = quality.p.argmax(axis=1)
    return [
        Suspect(
            places[row],
            task.labels[given[row]],
            task.labels[likely[row]],
            float(quality.scores[row]),
            float(quality.p[row, likely[row]]),
        )
        for row in np.flatnonzero(quality.marks & (counts[given] >= FEW))
    ]


def _sets(
    task: Classification, examples: Sequence[TextExample], pieces: Sequence[Pieces]
) -> list[Suspect]:
    p = probabilities(task, examples, pieces)
    given = np.zeros(p.shape, dtype=bool)  # [N, C]
    for number, ids in enumerate(task.gold_ids(examples)):
        given[number, ids] = True
    scores, marks = set_quality(given, p)
    found = []
    for row in np.flatnonzero(marks.any(axis=1)):
        least = float(scores[row][marks[row]].min())
        sets = (_named(task, given[row]), _named(task, given[row] ^ marks[row]))
        found.append(Suspect(int(row), *sets, least, 1 - least))
    return found


def _named(task: Classification, chosen: BoolArray) -> str:
    names = [task.labels[label] for label in np.flatnonzero(chosen)]
    return task.options.label_separator.join(names) or NOTHING


# --- entities ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Units:
    """What carries a tag in all examples: ``example`` [U], characters ``spans`` [U, 2] of its text,
    ``given`` [U] and ``p`` [U, T + 1] by type, 0 for none."""

    example: IdArray
    spans: IdArray
    given: IdArray
    p: FloatArray


def units_of(task: Ner, examples: Sequence[TaggedText], pieces: Sequence[Pieces]) -> Units:
    """The units of all examples with the probabilities of types: B- and I- of one are one."""
    rows, spans, given, p = [], [], [], []
    kinds = (np.arange(len(task.labels)) + 1) // 2  # O, B-X, I-X, B-Y, ... -> 0, 1, 1, 2, ...
    to_types = np.eye(len(task.types) + 1)[kinds]  # [C, T + 1]
    for number, (example, parts) in enumerate(zip(examples, pieces, strict=True)):
        places, logits = merge_windows(parts)
        if not len(places):
            continue
        composed = compose(example.text)
        rows += [number] * len(places)
        spans += [composed.original(int(start), int(end)) for start, end in places]
        given += [int(kinds[tag]) for tag in gold_tags(parts)]
        p.append(softmax(logits.astype(np.float64)) @ to_types)
    joined = np.concatenate(p) if p else np.zeros((0, len(task.types) + 1))
    return Units(np.array(rows, dtype=int), np.array(spans).reshape(-1, 2), np.array(given), joined)


def _entities(task: Ner, examples: Sequence[TaggedText], pieces: Sequence[Pieces]) -> list[Suspect]:
    """One for each entity, given or found, that has units to be doubted."""
    units = units_of(task, examples, pieces)
    quality = label_quality(units.given, units.p)
    counts = Counter(one.label for example in examples for one in example.entities or ())
    found: dict[tuple[int, Span], Suspect] = {}
    for unit in sorted(np.flatnonzero(quality.marks), key=lambda unit: quality.scores[unit]):
        number, likely = int(units.example[unit]), int(quality.p[unit].argmax())
        example = examples[number]
        told = task.decode(example, pieces[number])["entities"]
        answers = [Entity(one["start"], one["end"], one["label"]) for one in told]
        name = task.types[likely - 1] if likely else OUTSIDE
        start, end = (int(place) for place in units.spans[unit])
        span, suggested = _suggested(example, answers, Entity(start, end, name))
        given = touching(example.entities or (), span)
        if all(counts[one.label] >= FEW for one in given):
            told = _given(example, span, given)
            pair = float(quality.scores[unit]), float(quality.p[unit, likely])
            found.setdefault((number, span), Suspect(number, told, suggested, *pair, span))
    return list(found.values())


def _suggested(example: TaggedText, answers: Sequence[Entity], unit: Entity) -> tuple[Span, str]:
    """The span that a unit to be doubted stands in, and what is suggested for it.

    ``answers`` are the entities found in the text; ``unit`` has the type that is likely for it.
    """
    span = unit.start, unit.end
    for one in touching(answers, span):
        if one not in (example.entities or ()):
            return (one.start, one.end), one.label
    for one in touching(example.entities or (), span):
        return (one.start, one.end), unit.label
    return span, unit.label


def touching(entities: Sequence[Entity], span: Span) -> list[Entity]:
    """Those that share a character with a span."""
    return [one for one in entities if one.start < span[1] and span[0] < one.end]


def _given(example: TaggedText, span: Span, entities: Sequence[Entity]) -> str:
    """The types of the entities that are given for a span, with their texts where those differ."""
    shown = [
        one.label
        if (one.start, one.end) == span
        else f"{one.label} ({example.text[one.start : one.end]})"
        for one in entities
    ]
    return ", ".join(shown) or OUTSIDE
