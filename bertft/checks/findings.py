"""All checks, asked in turn: examples of a task in, findings out. ``check`` and ``train`` ask them.

data_findings need no encoder, token_findings do; quick_findings are those that ``train`` tells.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bertft.checks import duplicates, labels, texts, tokens
from bertft.checks.finding import Finding, Reading, Split
from bertft.checks.near import near_repeats
from bertft.contracts import Answer, SelfSupervised, Task
from bertft.errors import DataError


def make_splits(
    task: Task[Any], rows: Mapping[str, Sequence[Any]], files: Mapping[str, str]
) -> list[Split]:
    """The splits that have examples, in the order given: train comes first."""
    return [
        Split(name, files[name], examples, task.readings(examples))
        for name, examples in rows.items()
        if examples
    ]


def unknown_labels(task: Task[Any], examples: Sequence[Any], *, path: str) -> dict[int, DataError]:
    """Position of each example that ``task.check`` refuses -> what it says."""
    try:
        task.check(examples, path=path)
        return {}
    except DataError:
        pass
    errors = {}
    for index, example in enumerate(examples):
        try:
            task.check([example], path=path)
        except DataError as error:
            error.code = "unknown-label"
            errors[index] = error
    return errors


def label_readings(task: Task[Any], split: str, examples: Sequence[Any]) -> list[Finding]:
    """What the labels of a file are read as, where that is not what it says."""
    try:
        said = task.check(examples, path="")
    except DataError:
        return []
    return [Finding("note", "label-names", split, what, len(examples)) for what in said]


def data_findings(splits: Sequence[Split]) -> list[Finding]:
    """Labels, contradictions, repeated rows and characters."""
    fold = duplicates.Folder()
    exact = duplicates.repeats(splits)
    folded = duplicates.repeats(splits, key=fold)
    near = near_repeats(splits, known=folded, fold=fold)
    findings = labels.label_findings(splits) + duplicates.conflicts(splits)
    for code, found in (
        ("duplicate", exact),
        ("folded-duplicate", duplicates.without(folded, exact)),
    ):
        findings += duplicates.repeat_findings(splits, found, code=code)
    findings += duplicates.near_findings(splits, near)
    findings += duplicates.shared_groups(splits)
    for split in splits:
        findings += texts.text_findings(split)
    return findings


def quick_findings(
    task: Task[Any], rows: Mapping[str, Sequence[Any]], files: Mapping[str, str]
) -> list[str]:
    """Warnings that cost no time worth speaking of, one line each."""
    splits = make_splits(task, rows, files)
    findings = labels.label_findings(splits) + duplicates.conflicts(splits)
    findings += duplicates.exact_duplicates(splits)
    return [one.line for one in findings if one.severity == "warning"]


def unseen_scores(
    task: Task[Any], train: Sequence[Any], examples: Sequence[Any], answers: Sequence[Answer]
) -> dict[str, Any]:
    """``n`` and ``metrics`` of the examples that do not stand in train, case and spaces aside.

    Empty where all of them do, or none.
    """
    keys = [_folded(reading) for reading in task.readings(examples)]
    asked = set(keys)  # of these few alone, whatever the size of train
    known = {key for reading in task.readings(train) if (key := _folded(reading)) in asked}
    rows = zip(keys, examples, answers, strict=True)
    kept = [(one, answer) for key, one, answer in rows if key not in known]
    if len(kept) in (0, len(examples)):
        return {}
    scores = task.score([one for one, _ in kept], [answer for _, answer in kept])
    return {"n": len(kept), "metrics": scores.values}


def _folded(reading: Reading) -> duplicates.Texts:
    return tuple(duplicates.folded(text) for text in reading.texts)


def facts(splits: Sequence[Split]) -> dict[str, dict[str, Any]]:
    """Rows and labels of each split; the majority baseline where there are labels to choose."""
    found = {}
    for split in splits:
        counts = split.label_counts
        share = labels.majority(split) if len(counts) > 1 else None
        found[split.name] = {
            "path": split.path,
            "rows": len(split.examples),
            "labels": counts,
            "majority": share,
        }
        numbers = [one.gold for one in split.readings if isinstance(one.gold, float)]
        if numbers:
            found[split.name]["numbers"] = {
                "min": min(numbers),
                "median": statistics.median(numbers),
                "max": max(numbers),
            }
    return found


def token_findings(
    task: Task[Any], splits: Sequence[Split], tokenizer: Any, *, max_length: int
) -> dict[str, tuple[dict[str, float], list[Finding]]]:
    """Of each split: lengths in tokens, and findings about tokens and windows.

    Examples whose labels the task does not know cannot be encoded: they are only counted.
    """
    told = {}
    for split in splits:
        counts = tokens.count_tokens(split, tokenizer)
        findings = tokens.unknown_findings(split, counts, tokenizer)
        unknown = unknown_labels(task, split.examples, path=split.path)
        known = [index for index in range(len(split.examples)) if index not in unknown]
        over = [index for index in known if counts.lengths[index] > max_length]
        cut = cut_rows(task, split, over, tokenizer, max_length=max_length)
        findings += tokens.length_findings(split, counts, over=over, cut=cut, limit=max_length)
        findings += task.findings(_part(split, known), tokenizer, max_length=max_length)
        told[split.name] = counts.facts(), findings
    return told


def _part(split: Split, rows: Sequence[int]) -> Split:
    """The split with some of its examples only."""
    if len(rows) == len(split.examples):
        return split
    examples = [split.examples[index] for index in rows]
    return replace(split, examples=examples, readings=[split.readings[index] for index in rows])


def cut_rows(
    task: Task[Any], split: Split, rows: Sequence[int], tokenizer: Any, *, max_length: int
) -> set[int]:
    """Those of ``rows`` that lose tokens, as the task encodes them."""
    if not rows or isinstance(task, SelfSupervised):  # such a task cuts documents into sequences
        return set()
    encoded = task.encode([split.examples[i] for i in rows], tokenizer, max_length=max_length)
    return {rows[one.example] for one in encoded if one.dropped}
