"""Rows, model inputs and answers of the peer side of ``quality.py``, as the example scripts do it.

In: files in their published formats, a Hugging Face tokenizer, logits. Out: rows (plain dicts),
split by seed where asked; features (model inputs and what decoding needs); answers.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import peer_scores

Row = dict[str, Any]

# gold_label first: KLUE has columns of single annotators beside it.
COLUMNS = {
    "premise": ("sentence1", "premise", "sentence"),
    "hypothesis": ("sentence2", "hypothesis"),
    "label": ("gold_label", "label"),
}


# Rows


def read_pairs(path: Path) -> list[Row]:
    """Rows with premise, hypothesis and label out of TSV, CSV or a JSON array.

    Where the column is missing, the hypothesis is None: single sentences, as SST-2 has them.
    """
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        rows = json.loads(text)
    else:
        lines = text.removesuffix("\n").split("\n")
        cells = (
            _cells(line.rstrip("\r"), "," if path.suffix == ".csv" else "\t") for line in lines
        )
        header = [name.lower() for name in next(cells)]
        rows = [dict(zip(header, row, strict=True)) for row in cells]
    return [
        {
            name: next((row[one] for one in given if one in row), None)
            for name, given in COLUMNS.items()
        }
        for row in rows
    ]


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line; a quote opens a cell only if it closes it too, doubled inside.

    A CSV reader would run on from a quote that opens a sentence and swallow the rows after it.
    """
    cell = rf'(?:^|{delimiter})(?:"((?:[^"]|"")*)"(?={delimiter}|$)|([^{delimiter}]*))'
    return [quoted.replace('""', '"') or plain for quoted, plain in re.findall(cell, line)]


def read_tagged(path: Path) -> list[Row]:
    """Sentences as words and tags; a word is one character in KLUE-NER (``#`` comment lines)."""
    rows: list[Row] = []
    words: list[str] = []
    tags: list[str] = []
    for line in [*path.read_text(encoding="utf-8-sig").split("\n"), ""]:
        if line.startswith("## ") and not words:
            continue
        if line.strip():
            word, _, tag = line.rstrip("\r").rpartition("\t")
            words.append(word)
            tags.append(tag)
        elif words:
            rows.append({"words": words, "tags": tags})
            words, tags = [], []
    return rows


def read_questions(path: Path) -> list[Row]:
    """SQuAD v1.1: id, question (as run_qa, without leading blanks), context, answers, starts."""
    return [
        {
            "id": question["id"],
            "question": question["question"].lstrip(),
            "context": paragraph["context"],
            "answers": [answer["text"] for answer in question["answers"]],
            "starts": [answer["answer_start"] for answer in question["answers"]],
        }
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]


READERS: dict[str, Callable[[Path], list[Row]]] = {
    "pairs": read_pairs,
    "ner": read_tagged,
    "qa": read_questions,
}


def shuffled_parts(rows: Sequence[Row], *, share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """(first ``share`` of the rows, the rest) after a shuffle by seed."""
    order = list(rows)
    random.Random(seed).shuffle(order)
    count = round(len(order) * share)
    return order[:count], order[count:]


def write_rows(task: str, rows: Sequence[Row], path: Path) -> Path:
    """Write rows where another program reads the same split; the path with its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if task == "pairs":
        path = path.with_suffix(".json")
        path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    else:
        path = path.with_suffix(".tsv")
        characters = is_characters(rows)
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for index, row in enumerate(rows):
                if characters:
                    file.write(f"## klue-ner-{path.stem}_{index:05d}\t{''.join(row['words'])}\n")
                pairs = zip(row["words"], row["tags"], strict=True)
                file.write("".join(f"{word}\t{tag}\n" for word, tag in pairs) + "\n")
    return path


def is_characters(rows: Sequence[Row]) -> bool:
    """Whether the units are characters (KLUE-NER) and not words."""
    return all(len(word) == 1 for row in rows for word in row["words"])


# Texts to model inputs. A feature holds model inputs, what the loss needs, and what decoding needs.


def pair_features(
    rows: list[Row], tokenizer: Any, labels: list[str], options: argparse.Namespace
) -> list[Row]:
    """As run_glue: one text or two, the longer one cut first."""
    sides = ("premise",) if rows[0]["hypothesis"] is None else ("premise", "hypothesis")
    texts = ([row[side] for row in rows] for side in sides)
    encoded = tokenizer(*texts, truncation="longest_first", max_length=options.max_length)
    return [
        {**{key: encoded[key][index] for key in encoded}, "labels": labels.index(row["label"])}
        for index, row in enumerate(rows)
    ]


def token_features(
    rows: list[Row], tokenizer: Any, labels: list[str], options: argparse.Namespace
) -> list[Row]:
    """As run_ner: the first piece of a word has its label, all others none (-100).

    For KLUE-NER the sentence is one text, and each piece has the tag of its first character that is
    no blank (a SentencePiece piece begins with the blank before the word). ``units`` are the words
    or characters that each piece answers for.
    """
    characters = is_characters(rows)
    texts = [row["words"] if not characters else "".join(row["words"]) for row in rows]
    encoded = tokenizer(
        texts,
        truncation=True,
        max_length=options.max_length,
        is_split_into_words=not characters,
        return_offsets_mapping=True,
    )
    offsets = encoded.pop("offset_mapping")
    features = []
    for index, row in enumerate(rows):
        seen: set[int] = set()
        units = []
        for word, (begin, end) in zip(encoded.word_ids(index), offsets[index], strict=True):
            own = range(begin, end) if characters else [] if word is None else [word]
            units.append([unit for unit in own if unit not in seen and row["words"][unit].strip()])
            seen.update(own)
        inputs = {key: encoded[key][index] for key in encoded}
        ids = [labels.index(row["tags"][own[0]]) if own else -100 for own in units]
        features.append({**inputs, "labels": ids, "units": units})
    return features


def question_features(
    rows: list[Row], tokenizer: Any, labels: list[str], options: argparse.Namespace
) -> list[Row]:
    """As run_qa: windows over the context; (0, 0), the first piece, where one holds no answer."""
    encoded = tokenizer(
        [row["question"] for row in rows],
        [row["context"] for row in rows],
        truncation="only_second",
        max_length=options.max_length,
        stride=options.stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    features = []
    for index, example in enumerate(encoded["overflow_to_sample_mapping"]):
        sides, offsets = encoded.sequence_ids(index), encoded["offset_mapping"][index]
        first, end = sides.index(1), len(sides) - sides[::-1].index(1)
        row, target = rows[example], (0, 0)
        answer = row["starts"][0], row["starts"][0] + len(row["answers"][0])
        if offsets[first][0] <= answer[0] and offsets[end - 1][1] >= answer[1]:
            begins, ends = zip(*offsets[first:end], strict=True)
            target = bisect_right(begins, answer[0]) - 1, bisect_left(ends, answer[1])
            target = first + target[0], first + target[1]
        feature = {key: encoded[key][index] for key in tokenizer.model_input_names}
        feature |= {"start_positions": target[0], "end_positions": target[1], "example": example}
        pairs = zip(offsets, sides, strict=True)
        features.append({**feature, "offsets": [o if side == 1 else None for o, side in pairs]})
    return features


FEATURES: dict[str, Callable[..., list[Row]]] = {
    "pairs": pair_features,
    "ner": token_features,
    "qa": question_features,
}


# Logits to answers


def token_answers(rows: list[Row], features: list[Row], best: Any, labels: Any) -> Any:
    """Tags of all words or characters; O where no piece answers for one (cut off, or no piece)."""
    answers = []
    for row, feature, ids in zip(rows, features, best, strict=True):
        tags = ["O"] * len(row["words"])
        for units, label in zip(feature["units"], ids[: len(feature["units"])], strict=True):
            tag = labels[label]
            for place, unit in enumerate(units):
                tags[unit] = tag.replace("B-", "I-", 1) if place else tag
        answers.append(tags)
    return answers


def question_answers(rows: list[Row], features: list[Row], starts: Any, ends: Any) -> list[str]:
    """As postprocess_qa_predictions: the best pair among 20 starts and 20 ends of each window."""
    found: list[tuple[float, str]] = [(float("-inf"), "empty")] * len(rows)
    for feature, start_logits, end_logits in zip(features, starts, ends, strict=True):
        offsets, context = feature["offsets"], rows[feature["example"]]["context"]
        best_starts = np.argsort(start_logits)[-1:-21:-1].tolist()
        best_ends = np.argsort(end_logits)[-1:-21:-1].tolist()
        for start in best_starts:
            for end in best_ends:
                if start >= len(offsets) or end >= len(offsets):
                    continue
                if offsets[start] is None or offsets[end] is None:
                    continue
                if end < start or end - start + 1 > 30:
                    continue
                score = start_logits[start] + end_logits[end]
                if score > found[feature["example"]][0]:
                    text = context[offsets[start][0] : offsets[end][1]]
                    found[feature["example"]] = score, text
    return [text for _, text in found]


def answers_of(
    task: str, rows: list[Row], features: list[Row], logits: Any, labels: list[str]
) -> Any:
    """The answer to each row: a label, tags, or a text."""
    if task == "qa":
        return question_answers(rows, features, *logits)
    best = logits.argmax(-1)
    if task == "ner":
        return token_answers(rows, features, best, labels)
    return [labels[index] for index in best]


def scores_of(task: str, rows: list[Row], answers: Any, labels: list[str]) -> peer_scores.Scores:
    if task == "qa":
        return peer_scores.answer_scores(rows, answers)
    if task == "pairs":
        return peer_scores.accuracy([row["label"] for row in rows], answers)
    # Blanks are no part of KLUE's character sequences; words are never blank.
    kept = [[i for i, word in enumerate(row["words"]) if word.strip()] for row in rows]
    gold = [[row["tags"][i] for i in own] for row, own in zip(rows, kept, strict=True)]
    found = [[tags[i] for i in own] for tags, own in zip(answers, kept, strict=True)]
    scores = peer_scores.entity_scores(gold, found)
    if is_characters(rows):
        scores |= peer_scores.character_scores(gold, found, labels)
    return scores


def labels_of(task: str, rows: list[Row]) -> list[str]:
    if task == "pairs":
        return sorted({row["label"] for row in rows})
    return sorted({tag for row in rows for tag in row.get("tags", [])})
