"""Labels that were made wrong on purpose: how many of them does ``check --labels`` find?

    python benchmarks/label_errors.py RECIPE --train F [--share 0.05] [--seeds 1] [--set K=V]

Gives a share of the labels (or of the words' tags) of the training data another value, drawn evenly
from the others, and ranks all of them as ``bertft check RECIPE --labels`` does, in features mode.
Prints JSON: the share of the wrong ones among as many first suspects; by chance it is ``share``.
``marked`` are those that cleanlab marks, which stand in the review file.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np

from bertft.evaluation.label_quality import label_quality
from bertft.jobs.folds import held_out_pieces
from bertft.jobs.label_errors import FOLDS
from bertft.jobs.prepare import Job, prepare
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.spans import entities_to_tags, tags_to_entities
from bertft.tasks.ner import Ner
from bertft.tasks.suspects import probabilities, units_of
from bertft.watch import Silent

WHOLE = ("training.mode=features", "training.keep=last", "data.dev_share=0")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--train", required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    given = parser.parse_args()
    request = TrainRequest(
        recipe=given.recipe,
        train=given.train,
        model=given.model,
        overrides=(*WHOLE, *given.overrides),
    )
    job = prepare(read_recipe(request), request, watch=Silent())
    runs = [measure(job, share=given.share, seed=seed) for seed in range(given.seeds)]
    print(json.dumps({"recipe": given.recipe, "share": given.share, "runs": runs}, indent=2))


def measure(job: Job, *, share: float, seed: int) -> dict[str, Any]:
    started = time.perf_counter()
    right = job.splits["train"]
    generator = np.random.default_rng(seed)
    flip = flipped_tags if isinstance(job.task, Ner) else flipped_labels
    examples = flip(job.task, right, share, generator)
    wrong = with_examples(job, examples)
    pieces = held_out_pieces(wrong, count=FOLDS, watch=Silent())
    if isinstance(job.task, Ner):
        units = units_of(job.task, examples, pieces)
        labels, p = units.given, units.p
        blank = [[(one, logits) for one, (_, logits) in zip(own, parts, strict=True)]
                 for own, parts in zip(windows(job), pieces, strict=True)]  # fmt: skip
        is_wrong = labels != units_of(job.task, right, blank).given
    else:
        p = probabilities(job.task, examples, pieces)
        labels, before = (
            np.array([one[0] for one in job.task.gold_ids(rows)]) for rows in (examples, right)
        )
        is_wrong = labels != before
    quality = label_quality(labels, p)
    marks = quality.marks
    first = np.argsort(quality.scores, kind="stable")[: int(is_wrong.sum())]
    return {
        "labels": len(labels),
        "wrong": int(is_wrong.sum()),
        "found in as many": round(float(is_wrong[first].mean()), 4),
        "by chance": round(float(is_wrong.mean()), 4),
        "marked": int(marks.sum()),
        "wrong among the marked": round(float(is_wrong[marks].mean()), 4),
        "wrong that are marked": round(float(marks[is_wrong].mean()), 4),
        "held-out accuracy on right labels": round(
            float((quality.p.argmax(axis=1) == labels)[~is_wrong].mean()), 4
        ),
        "seconds": round(time.perf_counter() - started, 1),
    }


def with_examples(job: Job, examples: list[Any]) -> Job:
    encoded = job.task.encode(
        examples, job.encoder.tokenizer, max_length=job.recipe.model.max_length
    )
    return replace(job, splits={"train": examples}, encoded={"train": encoded})


def windows(job: Job) -> list[list[Any]]:
    found: list[list[Any]] = [[] for _ in job.splits["train"]]
    for one in job.encoded["train"]:
        found[one.example].append(one)
    return found


def flipped_labels(task: Any, examples: list[Any], share: float, generator: Any) -> list[Any]:
    rows = generator.choice(len(examples), size=round(share * len(examples)), replace=False)
    flipped = list(examples)
    for row in rows:
        (own,) = task.gold_ids([examples[row]])
        others = [name for index, name in enumerate(task.labels) if index != own[0]]
        flipped[row] = replace(examples[row], gold=(str(generator.choice(others)),))
    return flipped


def flipped_tags(task: Ner, examples: list[Any], share: float, generator: Any) -> list[Any]:
    """Of words: O becomes an entity of its own, an entity's word another type or none."""
    places = [(row, word) for row, one in enumerate(examples) for word in range(len(one.words))]
    chosen = generator.choice(len(places), size=round(share * len(places)), replace=False)
    wanted: dict[int, list[int]] = {}
    for number in chosen:
        wanted.setdefault(places[number][0], []).append(places[number][1])
    flipped = list(examples)
    for row, words in wanted.items():
        example = examples[row]
        tags = entities_to_tags(example.entities, example.words)
        for word in words:
            others = [one for one in ("", *task.types) if one != tags[word][2:]]
            kind = str(generator.choice(others))
            tags[word] = f"B-{kind}" if kind else "O"
        entities = tags_to_entities(tags, example.words)
        flipped[row] = replace(
            example, entities=tuple(replace(e, repaired=False) for e in entities)
        )
    return flipped


if __name__ == "__main__":
    main()
