"""What stands in for the files, runs and encoders that the pages speak of and a test does not have.

A file gets a few rows of the task that the page is about; a run is copied from a small one of the
task; the Hub holds a tiny BERT under the name of every encoder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from docs.shell import Shell
from samples import BAD, GOOD, set_flags

from bertft.recipe import load_recipe

FILES = {".csv", ".txt", ".conll", ".json", ".jsonl", ".tsv"}
COMMIT = "0" * 40
NAMES = "task.label_names="
OPINIONS = ("positive", "negative")
RECIPES = {
    "classification": "sentiment",
    "similarity": "stsb",
    "nli": "nli",
    "ner": "ner",
    "qa": "qa",
    "retrieval": "retrieval",
}
"""A recipe of each task: it is trained once, and its run serves for all others of the task."""
SUFFIXES = {"ner": ".conll", "qa": ".json"}
QUESTIONS = [
    {
        "id": str(number),
        "context": f"{text} . the plot is slow and the food was great",
        "question": "is the film good or not" if number % 3 else "we hate this",
        "answers": {"text": ["slow"], "answer_start": [len(text) + 15]}
        if number % 3
        else {"text": [], "answer_start": []},
    }
    for number, text in enumerate(GOOD + BAD)
]


def kind_of(recipe: str) -> str:
    """The task of a recipe; similarity for classification with a number."""
    task = load_recipe(recipe).task
    return "similarity" if task.get("regression") else str(task["name"])


def table(header: str, rows: list[tuple[str, ...]]) -> str:
    return "\n".join([header, *(",".join(row) for row in rows)]) + "\n"


def squad(questions: list[dict[str, object]]) -> str:
    articles = []
    for one in questions:
        given = one["answers"]
        assert isinstance(given, dict)
        pairs = zip(given["text"], given["answer_start"], strict=True)
        answers = [{"text": text, "answer_start": start} for text, start in pairs]
        qa = {"id": one["id"], "question": one["question"], "answers": answers}
        articles.append({"title": "", "paragraphs": [{"context": one["context"], "qas": [qa]}]})
    return json.dumps({"version": "v2.0", "data": articles})


def content(kind: str, suffix: str, *, labels: tuple[str, ...] = OPINIONS) -> str:
    """A small file of a task: with gold, where the suffix can hold it."""
    if suffix == ".txt":
        return "\n".join(GOOD) + "\n"
    if suffix == ".tsv":
        return content(kind, ".csv", labels=labels).replace(",", "\t")
    names = ("entailment", "neutral", "contradiction")
    pairs = list(zip(GOOD, BAD, strict=True))
    opinions = [(one, labels[0]) for one in GOOD] + [(one, labels[-1]) for one in BAD]
    lines = [{"text": text, "label": label} for text, label in opinions]
    made = {
        ("classification", ".csv"): lambda: table("text,label", opinions),
        ("classification", ".jsonl"): lambda: "\n".join(json.dumps(one) for one in lines),
        ("similarity", ".csv"): lambda: table(
            "sentence1,sentence2,label",
            [(*pair, str(number / 2)) for number, pair in enumerate(pairs)],
        ),
        ("pairs", ".csv"): lambda: table(
            "sentence1,sentence2,label",
            [(*pair, labels[number % len(labels)]) for number, pair in enumerate(pairs)],
        ),
        ("nli", ".csv"): lambda: table(
            "premise,hypothesis,label",
            [(*pair, names[number % 3]) for number, pair in enumerate(pairs)],
        ),
        ("ner", ".conll"): lambda: "\n\n".join(
            "\n".join(f"{word} {'B-THING' if word in ('film', 'food') else 'O'}" for word in words)
            for words in (one.split() for one in GOOD + BAD)
        ),
        ("retrieval", ".csv"): lambda: table("question,passage", pairs),
        ("qa", ".json"): lambda: squad(QUESTIONS),
        ("qa", ".jsonl"): lambda: "\n".join(json.dumps(one) for one in QUESTIONS),
    }
    return made[kind, suffix]()


def written(words: list[str]) -> list[str]:
    """What a command writes."""
    return [words[place + 1] for place, word in enumerate(words[:-1]) if word == "--out"]


def remove(names: Iterable[str], *, folder: Path) -> None:
    """Take away files, runs, and encoders that runs started from: nothing is ever overwritten."""
    for name in names:
        for path in (folder / name, folder / f"{name}-start"):
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)


def make_hub(folder: Path, model: Path, hub_ids: Iterable[str]) -> None:
    """A cache of the Hub in which every encoder is this model."""
    for hub_id in hub_ids:
        home = folder / f"models--{hub_id.replace('/', '--')}"
        (home / "refs").mkdir(parents=True)
        (home / "refs" / "main").write_text(COMMIT)
        (home / "snapshots").mkdir()
        (home / "snapshots" / COMMIT).symlink_to(model)


def pickled_model(model: Path, folder: Path) -> None:
    """A model folder as old ones are published: weights in pytorch_model.bin."""
    import torch
    from safetensors.torch import load_file

    shutil.copytree(model, folder)
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()


@dataclass
class StandIns:
    """The tiny encoder with the heads of its pre-training, and small runs, made when first used."""

    shell: Shell
    model: Path
    folder: Path

    def run(self, kind: str) -> Path:
        """A finished run of a task, on small files."""
        folder = self.folder / kind
        if not folder.exists():
            folder.mkdir()
            file = folder / f"data{SUFFIXES.get(kind, '.csv')}"
            file.write_text(content(kind, file.suffix), encoding="utf-8")
            words = ["bertft", "train", RECIPES[kind], "--train", file.name, "--dev", file.name]
            script = " ".join([*words, "--out", "run", *set_flags("training.keep=best")])
            done = self.shell.run(script, folder=folder, stand_in=self.model)
            assert done.code == 0, done.output
        return folder / "run"

    def provide(self, words: list[str], *, recipe: str, folder: Path) -> None:
        """The files and runs that a command speaks of, where they are not yet there.

        The newest run is that of the recipe, as it is for somebody who follows the page.
        """
        outputs = written(words)
        remove(outputs, folder=folder)
        kind = "pairs" if "task.pairs=true" in words else kind_of(recipe)
        named = [json.loads(word.partition("=")[2]) for word in words if word.startswith(NAMES)]
        labels = tuple(named[0]) if named else OPINIONS
        for word in dict.fromkeys(words):
            path = folder / word
            if word in outputs or word.startswith(("-", "hub:", "bundled:")) or path.exists():
                continue
            if Path(word).suffix in FILES:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content(kind, path.suffix, labels=labels), encoding="utf-8")
            elif run := re.match("runs/[^/]+", word):
                here = [one for one in words if (folder / one / "scores.json").exists()]
                like = folder / here[0] if here else None  # two runs are compared on one test set
                self.provide_run(folder / run[0], recipe=recipe, like=like)
        if words[0] in ("eval", "predict") and "--run" not in words:
            self.provide_run(folder / "runs" / recipe, recipe=recipe)

    def provide_run(self, path: Path, *, recipe: str, like: Path | None = None) -> None:
        """A run of a recipe, newer than all others; ``like`` another, where there is one."""
        if not path.exists():
            shutil.copytree(like or self.run(kind_of(recipe)), path)
            environment = json.loads((path / "environment.json").read_text(encoding="utf-8"))
            environment["recipe"] = recipe
            (path / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
        os.utime(path / "scores.json")
