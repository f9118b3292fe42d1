"""Gold and given entities of each example in, counts per example and scores out.

An entity is right when its span and its type are. Strict scores are those of IOB2: an entity whose
tags began with I- (``repaired``) is none, as in seqeval with mode="strict". Lenient scores take it
as one, as conlleval does (Tjong Kim Sang and De Meulder 2003, CoNLL).

Character scores compare the BIO tag of every character, as KLUE-NER does (Park et al. 2021, KLUE,
klue_baseline/metrics/functional.py): B- at the first character of an entity, I- after it; one that
was repaired has I- throughout.

Shape legend: N examples, T types, K values per example, L characters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bertft.evaluation.metrics import BoolArray, IdArray, per_class, ratio

if TYPE_CHECKING:
    from bertft.contracts import FloatArray
    from bertft.spans import Entity


def entity_counts(
    gold: Sequence[Collection[Entity]], given: Sequence[Collection[Entity]], *, types: Sequence[str]
) -> FloatArray:
    """Rows [N, 3 T + 3]: right, given and gold by type, all strict; the same in all, lenient.

    Entities that occur twice in one example count once. Raises ValueError for a type that is not
    one of ``types`` and where there are not as many examples on both sides.
    """
    index = _index(types)
    rows = np.zeros((len(gold), 3 * len(types) + 3))
    strict, lenient = rows[:, :-3].reshape(len(gold), 3, len(types)), rows[:, -3:]
    for row, (wanted, found) in enumerate(zip(gold, given, strict=True)):
        for repaired in (False, True):
            sides = [_triples(side, index, repaired=repaired) for side in (found, wanted)]
            for part, triples in enumerate((sides[0] & sides[1], *sides)):
                if repaired:
                    lenient[row, part] = len(triples)
                else:
                    for *_, label in triples:
                        strict[row, part, label] += 1
    return rows


def entity_metrics(totals: FloatArray) -> dict[str, FloatArray]:
    """Scores [...] from sums [..., 3 T + 3] of ``entity_counts``. Every ratio 0/0 is 0.

    - f1, precision, recall: strict, from the counts summed over types ("micro"). Without any entity
      on either side they are 0, as in conlleval and seqeval.
    - macro_f1: mean of the strict F1 over the types that occur in gold; seqeval's macro average
      also takes in those that are only given, as 0.
    - lenient_f1: as f1, with repaired entities.
    """
    counts, lenient = totals[..., :-3], totals[..., -3:]
    right, given, gold = np.moveaxis(counts.reshape(*counts.shape[:-1], 3, -1), -2, 0)  # [..., T]
    correct = right.sum(axis=-1)
    precision, recall = ratio(correct, given.sum(axis=-1)), ratio(correct, gold.sum(axis=-1))
    return {
        "f1": ratio(2 * correct, (given + gold).sum(axis=-1)),
        "precision": precision,
        "recall": recall,
        "macro_f1": _mean_over(_f1(right, given, gold), gold > 0),
        "lenient_f1": _f1(lenient[..., 0], lenient[..., 1], lenient[..., 2]),
    }


def per_type(totals: FloatArray, *, types: Sequence[str]) -> dict[str, dict[str, float]]:
    """Strict precision, recall, F1, support and given count by type, from one sum [3 T + 3]."""
    return per_class(totals[:-2], names=types) if types else {}


def character_counts(
    gold: Sequence[Collection[Entity]],
    given: Sequence[Collection[Entity]],
    lengths: Sequence[int],
    *,
    types: Sequence[str],
    left_out: Sequence[Sequence[int]] | None = None,
) -> FloatArray:
    """Rows [N, 3 (2 T + 1)]: right, given and gold characters of O, B- and I- of each type.

    ``lengths`` are the characters of each text. All of them count but those at the positions
    ``left_out`` (KLUE's script leaves out spaces). Raises ValueError for an entity outside of its
    text, for a type that is not one of ``types`` and where the lengths of the lists differ.
    """
    index, classes = _index(types), 2 * len(types) + 1
    skipped: Sequence[Sequence[int]] = [()] * len(gold) if left_out is None else left_out
    rows = np.empty((len(gold), 3, classes))
    sides = zip(gold, given, lengths, skipped, strict=True)
    for row, (wanted, found, length, positions) in enumerate(sides):
        tags = np.stack([_tags(side, length, index) for side in (found, wanted)])  # [2, L]
        tags = np.delete(tags, np.asarray(positions, dtype=np.int64), axis=1)
        right = tags[0, tags[0] == tags[1]]
        for part, ids in enumerate((right, *tags)):
            rows[row, part] = np.bincount(ids, minlength=classes)
    return rows.reshape(len(gold), -1)


def character_metrics(totals: FloatArray) -> dict[str, FloatArray]:
    """Scores [...] from sums [..., 3 (2 T + 1)] of ``character_counts``.

    - character_macro_f1: mean F1 over the B- and I- classes that occur in gold.
    - character_macro_f1_official: mean F1 over all classes, O among them, one that occurs neither
      in gold nor in the answers counting 1. It is what KLUE's script computes, f1_score(labels=all,
      average="macro", zero_division=1), although its docstring leaves out O.
    """
    counts = totals.reshape(*totals.shape[:-1], 3, -1)
    right, given, gold = np.moveaxis(counts, -2, 0)  # [..., 2 T + 1]
    f1 = _f1(right, given, gold)
    official = np.where(given + gold > 0, f1, 1.0)
    return {
        "character_macro_f1": _mean_over(f1[..., 1:], gold[..., 1:] > 0),
        "character_macro_f1_official": np.asarray(official.mean(axis=-1)),
    }


def _index(types: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(types)}


def _number(entity: Entity, index: Mapping[str, int]) -> int:
    if entity.label not in index:
        raise ValueError(f"'{entity.label}' is not one of the types {', '.join(index)}")
    return index[entity.label]


def _triples(
    entities: Collection[Entity], index: Mapping[str, int], *, repaired: bool
) -> set[tuple[int, int, int]]:
    """Start, end and type; those of repaired entities only where ``repaired``."""
    return {
        (one.start, one.end, _number(one, index))
        for one in entities
        if repaired or not one.repaired
    }


def _tags(entities: Collection[Entity], length: int, index: Mapping[str, int]) -> IdArray:
    """The class of each character [L]: 0 for O, 2 t + 1 for B- and 2 t + 2 for I- of type t."""
    tags = np.zeros(length, dtype=np.int64)
    for one in entities:
        if not 0 <= one.start < one.end <= length:
            raise ValueError(f"entity {one.start}-{one.end} is outside of {length} characters")
        tags[one.start : one.end] = 2 * _number(one, index) + 2
        if not one.repaired:
            tags[one.start] -= 1
    return tags


def _f1(right: FloatArray, given: FloatArray, gold: FloatArray) -> FloatArray:
    return ratio(2 * right, given + gold)


def _mean_over(values: FloatArray, counted: BoolArray) -> FloatArray:
    """Mean over the last axis of the counted values, 0 where none is."""
    return ratio((values * counted).sum(axis=-1), counted.sum(axis=-1))
