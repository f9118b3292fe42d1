"""What follows when a file was read: rows that are odd but readable in, faults out.

All rows without an entity, all questions without an answer, texts of which no token is left, one
row, one label, numbers that are all the same: whatever a reader lets through goes through labels,
checks, encoding, fitting, decoding, scores and their intervals with logits drawn at random. Each
ends, or is refused in one line.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from bertft.checks.findings import (
    data_findings,
    facts,
    make_splits,
    quick_findings,
    token_findings,
    unseen_scores,
)
from bertft.encoder.pieces import pieces_of
from bertft.errors import BertftError
from bertft.evaluation.intervals import bootstrap, paired_bootstrap
from bertft.loaders.reading import hold_out
from bertft.loaders.source import Source
from bertft.prediction.scoring import Scored, doubts, scores_content
from bertft.settings import DataSettings
from bertft.tasks import answers_of, make_task

Row = dict[str, Any]

ODD = (
    "a good film", "영화 정말 좋다", "...", "😀", "\u200b", "\u200d\ufe0f", "\ufeff", "\x01\x02",
    "\ufffd", "a" * 300, "good " * 70, "e\u0301\u0301\u0301", "\u1112\u1161\u11ab", "[MASK]",
    "[CLS] [SEP]", "\u2028", " x ", "0", "-", "شكرا", "\n\na\n", "\t.\t", "ﷺ", "𝒳𝒴", "\ud7ff",
    "a\r\nb",
)  # fmt: skip


def _texts(random: Random) -> str:
    return random.choice(ODD) if random.random() < 0.6 else " ".join(random.choices(ODD[:4], k=3))


def classification(random: Random) -> tuple[Row, list[Row]]:
    names: list[Any] = random.choice([["a"], ["a", "b"], [0, 1], ["가", "나", "다"], ["x|y", "z"]])
    options = {"name": "classification", "label_smoothing": random.choice([0.0, 0.1]),
               "class_weights": random.choice(["none", "balanced"]),
               "long_text": random.choice(["truncate", "head_tail", "windows"]),
               "window_overlap": 4}  # fmt: skip
    return options, [{"text": _texts(random), "label": random.choice(names)} for _ in range(9)]


def several(random: Random) -> tuple[Row, list[Row]]:
    names = random.choice([["a"], ["a", "b"], ["가", "나", "다"]])
    most = random.choice([0, 1, len(names)])
    rows = [{"text": _texts(random), "labels": random.sample(names, random.randint(0, most))}
            for _ in range(9)]  # fmt: skip
    weights = random.choice(["none", "balanced"])
    return {"name": "classification", "multi_label": True, "class_weights": weights}, rows


def numbers(random: Random) -> tuple[Row, list[Row]]:
    values = random.choice([[1.0], [0, 5], [1e-300, 1e300], [-1, 0.5, 3], ["1", "2.5"]])
    rows = [{"sentence1": _texts(random), "sentence2": _texts(random),
             "score": random.choice(values)} for _ in range(9)]  # fmt: skip
    return {"name": "classification", "regression": True, "pairs": True}, rows


def nli(random: Random) -> tuple[Row, list[Row]]:
    names = random.choice([["neutral"], ["neutral", "-"], ["entailment", "contradiction"]])
    rows = [{"premise": _texts(random), "hypothesis": _texts(random),
             "gold_label": random.choice(names)} for _ in range(9)]  # fmt: skip
    return {"name": "nli"}, rows


def entities(random: Random) -> tuple[Row, list[Row]]:
    share = random.choice([0.0, 0.3, 1.0])
    rows = []
    for _ in range(9):
        text, found = _texts(random), []
        if random.random() < share:
            start = random.randrange(len(text))
            end = random.randint(start + 1, len(text))
            found = [{"start": start, "end": end, "label": random.choice(["X", "Y"])}]
        rows.append({"text": text, "entities": found})
    options = {"name": "ner", "label_pieces": random.choice(["first", "all"]),
               "decoding": random.choice(["constrained", "viterbi", "greedy"]),
               "character_scores": random.random() < 0.3, "window_overlap": 4}  # fmt: skip
    return options, rows


def questions(random: Random) -> tuple[Row, list[Row]]:
    share = random.choice([0.0, 0.5, 1.0])
    rows = []
    for _ in range(9):
        context, answers = f"{_texts(random)} {_texts(random)}", []
        if random.random() < share:
            start = random.randrange(len(context))
            text = context[start : random.randint(start + 1, len(context))]
            answers = [{"text": text, "answer_start": start}] * random.choice([1, 2])
        rows.append({"question": _texts(random), "context": context, "answers": answers})
    options = {"name": "qa", "scoring": random.choice(["squad", "korquad", "klue"]),
               "window_overlap": 2, "max_question_length": random.choice([1, 8])}  # fmt: skip
    return options, rows


def passages(random: Random) -> tuple[Row, list[Row]]:
    rows = []
    for _ in range(9):
        row: Row = {"question": _texts(random), "passage": _texts(random)}
        if random.random() < 0.5:
            row["negatives"] = [_texts(random) for _ in range(random.randrange(3))]
        rows += [row] * random.choice([1, 1, 2])
    options = {"name": "retrieval", "scale": random.choice([1e-3, 20.0, 1e6]),
               "query_prompt": _texts(random)}  # fmt: skip
    return options, rows


TASKS: dict[str, Callable[[Random], tuple[Row, list[Row]]]] = {
    "classification": classification,
    "several labels": several,
    "numbers": numbers,
    "nli": nli,
    "entities": entities,
    "questions": questions,
    "passages": passages,
}


def follow(name: str, tokenizer: Any, folder: Path, *, seed: int) -> str:
    """What follows after one file; "" where all went well, else what did not."""
    random = Random(f"{seed} {name}")
    settings, rows = TASKS[name](random)
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    try:
        _follow(settings, str(path), tokenizer, random)
    except BertftError as error:
        return "" if str(error) and "\n" not in str(error) else f"seed {seed}: {str(error)!r}"
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        frame = ([one for one in frames if "/bertft/" in one.filename] or list(frames))[-1]
        return f"seed {seed}: {error!r} at {Path(frame.filename).name}:{frame.lineno}"
    return ""


def _follow(settings: Row, path: str, tokenizer: Any, random: Random) -> None:
    length = 32
    task = make_task(settings)
    source = Source(path, data=DataSettings(), bad_row=lambda _: None)
    examples = list(task.read(source))
    files = {"train": path, "dev": path}
    try:
        task = task.learn_labels(examples, path=path)
        task.check(examples, path=path)
    finally:  # check goes on where there is nothing to learn
        splits = make_splits(task, {"train": examples, "dev": examples[:3]}, files)
        data_findings(splits)
        facts(splits)
        token_findings(task, splits, tokenizer, max_length=length)
        quick_findings(task, {"train": examples, "dev": examples[:3]}, files)
    hold_out(examples, share=0.3, seed=1)
    task.head(examples)
    encoded = task.encode(examples, tokenizer, max_length=length)
    assert {one.example for one in encoded} == set(range(len(examples)))
    task.remarks(examples, encoded)
    draw = np.random.default_rng(random.getrandbits(32))
    scale = random.choice([0.0, 1.0, 100.0])
    logits = [_logits(settings, task, one, draw) * scale for one in encoded]
    pieces = pieces_of(len(examples), encoded, logits)
    task = task.fit(examples, pieces)
    top_k = random.choice([None, 1, 5]) if settings["name"] == "qa" else None
    answers = answers_of(task, examples, pieces, top_k=top_k)
    gold = [task.gold(*one) for one in zip(examples, answers, pieces, strict=True)]
    told = [json.loads(json.dumps(one | two)) for one, two in zip(answers, gold, strict=True)]
    again = [task.regain(one) for one in told]
    scores = task.score(examples, answers)
    np.testing.assert_equal(task.score(again, told).values, scores.values)
    scored = Scored("dev", path, task.metric, answers, gold, scores, "fp32")
    json.dumps(scores_content(scored))
    doubts(scored)
    paired_bootstrap(scores.statistic, scores.statistic, replicates=50)
    bootstrap(scores.statistic, replicates=50)
    unseen_scores(task, examples[:2], examples, answers)


def _logits(settings: Row, task: Any, one: Any, draw: Any) -> Any:
    if settings["name"] == "qa":
        return draw.normal(size=(len(one), 2)).astype(np.float32)
    if settings["name"] == "retrieval":
        return draw.normal(size=4).astype(np.float32)
    if settings["name"] == "ner":
        return draw.normal(size=(len(one), len(task.labels))).astype(np.float32)
    return draw.normal(size=max(1, len(task.labels))).astype(np.float32)
