"""The files of each task: a folder and a random generator in, a Sample out (valid_files.py)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from valid_files import (
    LABELS,
    TYPES,
    WORDS,
    Form,
    Row,
    Sample,
    random_form,
    random_text,
    shuffled,
    with_ids,
    without_text,
    write,
)

TABLES = ("csv", "tsv", "jsonl", "json", "parquet")
TEXTS = ("text", "sentence", "document", "review", "content", "comment", "Text", "utterance")
PAIRS = (("text", "text_pair"), ("sentence1", "sentence2"), ("question1", "question2"))
GOLDS = ("label", "category", "intent", "sentiment", "Label", "target")
SIZES = {"train": 14, "dev": 6, "ask": 7}


def classification(random: Random, folder: Path) -> Sample:
    form, labels = random_form(random, *TABLES), random.choice(LABELS)
    text, gold = random.choice(TEXTS), random.choice(GOLDS)

    def make(index: int) -> Row:
        return {text: _text(random, form), gold: labels[index % len(labels)]}

    names = "" if random.random() < 0.7 else f"task.text_column={text}"
    return _tables(random, folder, form, make, (text,), gold, [names] if names else [])


def several_labels(random: Random, folder: Path) -> Sample:
    form = random_form(random, *TABLES)
    names = ["fun", "sad", "새로움", "a b"]

    def make(index: int) -> Row:
        # Train, which comes first, has all of them.
        chosen = (
            [names[index]] if index < len(names) else random.sample(names, random.randint(0, 2))
        )
        label = chosen if form.is_typed or random.random() < 0.5 else "|".join(chosen)
        return {"text": _text(random, form), "labels": label}

    return _tables(random, folder, form, make, ("text",), "labels", ["task.multi_label=true"])


def pairs(random: Random, folder: Path) -> Sample:
    form, labels = random_form(random, *TABLES), random.choice(LABELS)
    one, two = random.choice(PAIRS)

    def make(index: int) -> Row:
        texts = {one: _text(random, form), two: _text(random, form)}
        return texts | {"label": labels[index % len(labels)]}

    return _tables(random, folder, form, make, (one, two), "label", ["task.pairs=true"])


def numbers(random: Random, folder: Path) -> Sample:
    form = random_form(random, *TABLES)
    one, two = random.choice(PAIRS)

    def make(index: int) -> Row:
        score: Any = (
            random.choice([index / 3, index, f"{index}.5"]) if form.kind != "parquet" else index / 7
        )
        return {one: _text(random, form), two: _text(random, form), "score": score}

    settings = ["task.pairs=true", "task.regression=true"]
    return _tables(random, folder, form, make, (one, two), "score", settings)


def nli(random: Random, folder: Path) -> Sample:
    form = random_form(random, *TABLES)
    labels = random.choice([["entailment", "neutral", "contradiction"],
                            ["Entailment", "Neutral", "Contradiction"]])  # fmt: skip

    def make(index: int) -> Row:
        texts = {"premise": _text(random, form), "hypothesis": _text(random, form)}
        return texts | {random.choice(["gold_label"]): labels[index % 3]}

    return _tables(random, folder, form, make, ("premise", "hypothesis"), "gold_label", [], "nli")


def spans(random: Random, folder: Path) -> Sample:
    form, types = random_form(random, *TABLES), random.choice(TYPES)

    def make(index: int) -> Row:
        words = random.choices([word for word in WORDS if word.isalnum()], k=random.randint(2, 9))
        text, found, start = " ".join(words), [], 0
        for place, word in enumerate(words):
            if (place == 0 and index < 2) or random.random() < 0.2:
                found.append({"start": start, "end": start + len(word),
                              "label": random.choice(types)})  # fmt: skip
            start += len(word) + 1
        return {"text": text, "entities": json.dumps(found) if not form.is_typed else found}

    return _tables(random, folder, form, make, ("text",), "entities", [], "ner")


def tagged_words(random: Random, folder: Path) -> Sample:
    """CoNLL and the like: a word and its tag on each line."""
    types, gap = random.choice(TYPES), random.choice(["\t", " "])
    scheme = random.choice(["bio", "bioes"])
    suffix = random.choice([".conll", ".bio", ".txt", ".tsv" if gap == "\t" else ".conll"])
    middle = random.choice(["", "", "NN"])
    texts: list[str | None] = []

    def sentence(index: int) -> str:
        words = random.choices([word for word in WORDS if "#" not in word], k=random.randint(1, 9))
        lines = []
        for place, word in enumerate(words):
            named = (place == 0 and index < 2) or random.random() < 0.2
            tag = f"{'S' if scheme == 'bioes' else 'B'}-{random.choice(types)}" if named else "O"
            lines.append(gap.join(filter(None, (word, middle, tag))))
        texts.append(" ".join(words))
        return "\n".join(lines) + "\n"

    files = {}
    for name in ("train", "dev"):
        head = "-DOCSTART- -X- O\n\n" if random.random() < 0.2 and gap == " " and middle else ""
        blocks = "\n".join(map(sentence, range(SIZES[name])))
        files[name] = folder / f"{name}{suffix}"
        files[name].write_text(head + blocks, encoding="utf-8")
    ask = folder / "ask.txt"
    lines = [_text(random, Form("txt"), lines=False) for _ in range(SIZES["ask"])]
    ask.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    told = f"tagged words {suffix} {scheme} {gap!r} {middle}"
    return Sample("ner", [], files["train"], files["dev"], ask, dict(SIZES), list(lines), told)


def questions(random: Random, folder: Path) -> Sample:
    form = random_form(random, "csv", "jsonl", "json", "parquet")
    shape = random.choice(["lists", "texts", "one", "objects"])
    nothing = shape != "one" and random.random() < 0.5

    def make(index: int) -> Row:
        words = [
            f"w{index}",
            *random.choices([w for w in WORDS if w.isalnum()], k=12),
            "Han River.",
        ]
        context = " ".join(words)
        text = "Han River" if index % 2 else f"w{index}"
        start: Any = random.choice([str, int, float])(context.index(text))
        if form.kind == "parquet":
            start = context.index(text)
        none = nothing and index % 3 == 2
        row = {"context": context, "question": f"{_text(random, form, lines=False)}?"}
        if shape == "one":
            return row | {"answer_text": text, "answer_start": start}
        answers: Any = {"text": [] if none else [text], "answer_start": [] if none else [start]}
        if shape == "texts":
            answers = [] if none else [text]
        elif shape == "objects":
            answers = [] if none else [{"text": text, "answer_start": start}]
        return row | {"answers": answers if form.is_typed else json.dumps(answers)}

    gold, settings = "answer_text" if shape == "one" else "answers", ["task.window_overlap=8"]
    return _tables(random, folder, form, make, ("context", "question"), gold, settings, "qa", shape)


def articles(random: Random, folder: Path) -> Sample:
    """SQuAD's nested files, in the shapes that are about."""
    indent = random.choice([None, 1])
    key = random.choice(["id", "guid", "question_id", ""])
    flat = random.random() < 0.3
    texts: list[str | None] = []

    def article(index: int) -> dict[str, Any]:
        context = f"w{index} " + " ".join(random.choices(WORDS, k=12)) + " Han River."
        start = context.index("Han River")
        place: Any = random.choice([start, str(start)])
        qa = {
            "question": f"What river {index}?",
            "answers": [{"text": "Han River", "answer_start": place}],
        }
        if flat:
            qa["answer"] = qa.pop("answers")[0]  # KorQuAD 2
        qa |= {key: f"q{index}"} if key else {}
        texts.append(f"What river {index}?")
        inner = {"context": context, "qas": [qa]}
        return {"title": "t", **inner} if flat else {"title": "t", "paragraphs": [inner]}

    files = {}
    for name, size in SIZES.items():
        texts.clear()
        files[name] = folder / f"{name}.json"
        data = {"version": "1", "data": list(map(article, range(size)))}
        files[name].write_text(
            json.dumps(data, ensure_ascii=False, indent=indent), encoding="utf-8"
        )
    told = f"articles {key} {indent} {'flat' if flat else ''}"
    return Sample(
        "qa",
        ["task.window_overlap=8"],
        files["train"],
        files["dev"],
        files["ask"],
        dict(SIZES),
        list(texts),
        told,
    )


def corpus(random: Random, folder: Path) -> Sample:
    """Text to pre-train on; nothing is answered."""
    blank = random.random() < 0.5
    files = {}
    for name in ("train", "dev"):
        files[name] = folder / f"{name}.txt"
        lines = [
            _text(random, Form("txt"), lines=False) + random.choice(["", "."]) for _ in range(40)
        ]
        text = "".join(line + "\n" * (1 + (blank and i % 5 == 4)) for i, line in enumerate(lines))
        files[name].write_text(text, encoding=random.choice(["utf-8", "utf-8-sig"]))
    return Sample("pretrain", [], files["train"], files["dev"], files["dev"], {}, [], "corpus")


def _text(random: Random, form: Form, *, lines: bool | None = None) -> str:
    lines = form.kind != "tsv" if lines is None else lines
    text = random_text(random, lines=lines and form.kind not in ("txt", "tsv"))
    if form.kind in ("tsv", "txt"):  # a cell there does not begin with a quote, or it is meant so
        text = text.replace('"', "").replace("\t", " ")
    return text if text.strip() else "film"


def _tables(
    random: Random,
    folder: Path,
    form: Form,
    make: Callable[[int], Row],
    texts: tuple[str, ...],
    gold: str,
    settings: list[str],
    recipe: str = "sentiment",
    told: str = "",
) -> Sample:
    """Train, dev and a file to be answered, whose rows have no gold."""
    files = {}
    state = random.getrandbits(32)
    asked: list[Row] = []
    for name, size in SIZES.items():
        rows = [make(index) for index in range(size)]
        if name == "ask":
            rows = [
                {key: row[key] for key in row if key not in (gold, "answer_start")} for row in rows
            ]
            rows = without_text(random, rows, texts[0], form)
            asked = rows
        again = Random(state)  # one layout for all files
        rows = shuffled(again, with_ids(again, rows))
        files[name] = write(folder / f"{name}{form.suffix}", form, rows)
    first = [row[texts[0]] for row in asked]
    written = f"{form.kind} {form.encoding} {form.delimiter} {form.indent}"
    told = f"{recipe} {written} {told} {list(rows[0])}"
    return Sample(
        recipe, settings, files["train"], files["dev"], files["ask"], dict(SIZES),
        [None if one is None or not str(one).strip() else str(one) for one in first],
        told, form.settings,
    )  # fmt: skip


MAKERS: dict[str, Callable[[Random, Path], Sample]] = {
    "classification": classification,
    "several labels": several_labels,
    "pairs": pairs,
    "numbers": numbers,
    "nli": nli,
    "spans": spans,
    "tagged words": tagged_words,
    "questions": questions,
    "articles": articles,
    "corpus": corpus,
}
