"""Distillation: a teacher, and a student of fewer layers that learns from it, or from gold alone.

    OMP_NUM_THREADS=1 python benchmarks/distil.py RECIPE --train F --test F --gold 1500 --texts 4500
        [--layers 3] [--seed 0] [--tested 2000] [--set KEY=VALUE ...] [--out R.jsonl]

RECIPE is of classification, ner or qa. ``--gold`` rows of --train, drawn by chance, are what the
teacher learns from; the student begins as ``--layers`` layers of the teacher. As ``distilled`` it
learns the teacher's probabilities of ``--texts`` rows without their gold (those of the teacher, and
others); as ``gold`` the teacher's own rows. ``gold, from the encoder`` begins as so many layers of
the encoder, and knows no teacher. All are trained by the command line, each in a process of its
own, and scored on ``--tested`` rows of --test, or all.

Prints a Markdown table: score, share of the teacher's, CPU seconds of the training (of the student
with the teacher's answers), and rows a CPU second of answering --test on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bertft.loaders.reading import read_examples
from bertft.prediction.predictor import load
from bertft.recipe import load_recipe
from bertft.spans import entities_to_tags, words_of
from bertft.tasks import make_task
from bertft.watch import Silent

ROUNDS = 3
ENCODER = "gold, from the encoder"
NAMES = ("teacher", "distilled", "gold", ENCODER)
"""The first two are always there."""
Row = dict[str, Any]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--gold", type=int, required=True, help="rows that the teacher learns")
    parser.add_argument("--texts", type=int, required=True, help="rows that the student learns")
    parser.add_argument("--tested", type=int, default=0, help="rows of --test; 0 for all")
    parser.add_argument("--layers", default="3")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--out", type=Path, help="a line of JSON for each contender goes here")
    return parser.parse_args()


def rows_of(path: str, options: argparse.Namespace) -> list[tuple[Row, Row]]:
    """(what is read, gold) of each example, in columns that any recipe of the task finds."""
    recipe = load_recipe(options.recipe, overrides=options.overrides)
    task = make_task(recipe.task)
    found: list[tuple[Row, Row]] = []
    for one in read_examples(task, path, recipe.data, watch=Silent()):
        if recipe.task["name"] == "ner":
            words = one.words or tuple(words_of(one.text))
            tags = entities_to_tags(one.entities, words)
            tokens = [one.text[start:end] for start, end in words]
            found.append(({"tokens": tokens}, {"ner_tags": tags}))
        elif recipe.task["name"] == "qa":
            answers = [{"text": a.text, "answer_start": a.start} for a in one.answers]
            asked = {"question": one.question, "context": one.context}
            found.append((asked, {"answers": answers}))
        else:
            found.append(({"text": one.text}, {"label": one.names[0]}))
    return found


def write(path: Path, rows: Sequence[tuple[Row, Row]], *, gold: bool) -> str:
    lines = (json.dumps(read | (answer if gold else {})) for read, answer in rows)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


def run(*command: str) -> float:
    """CPU seconds of a command of bertft."""
    before = _cpu()
    done = subprocess.run(
        [sys.executable, "-m", "bertft", *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def trained(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """CPU seconds of each contender's training, whose run is the folder of its name."""
    drawn = rows_of(options.train, options)
    random.Random(options.seed).shuffle(drawn)
    tested = rows_of(options.test, options)
    random.Random(0).shuffle(tested)
    gold = write(folder / "gold.jsonl", drawn[: options.gold], gold=True)
    texts = write(folder / "texts.jsonl", drawn[: options.texts], gold=False)
    test = write(folder / "test.jsonl", tested[: options.tested or None], gold=True)
    flags = [part for one in options.overrides for part in ("--set", one)]
    flags += ["--seed", str(options.seed), "--offline"]
    files = ["--train", gold, "--test", test]
    names = {name: str(folder / name.replace(", ", "-").replace(" ", "-")) for name in NAMES}
    cut = ["--set", f"model.layers={options.layers}"]
    own = ["--out", names["teacher"]]
    seconds = {"teacher": run("train", options.recipe, *files, *flags, *own)}
    own = ["--layers", options.layers, "--out", names["distilled"]]
    seconds["distilled"] = run("distil", names["teacher"], texts, *flags, *own)
    for name, model in (("gold", ["--model", names["teacher"]]), (ENCODER, [])):
        if name in options.contenders:
            own = [*model, "--out", names[name], *cut]
            seconds[name] = run("train", options.recipe, *files, *flags, *own)
    return seconds


def rate(folder: Path, test: str) -> dict[str, float]:
    """Rows a CPU second of the teacher and of its student, by turns."""
    predictors = {name: load(folder / name, device="cpu") for name in ("teacher", "distilled")}
    rates: dict[str, list[float]] = {name: [] for name in predictors}
    recipe = load_recipe(str(folder / "teacher" / "recipe.toml"))
    for _ in range(ROUNDS):
        for name, one in predictors.items():
            examples = read_examples(one.task, test, recipe.data, watch=Silent())
            started = time.process_time()
            one.answer(examples)
            rates[name].append(len(examples) / (time.process_time() - started))
    return {name: statistics.median(found) for name, found in rates.items()}


def main() -> None:
    options = arguments()
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        seconds = trained(options, folder)
        rates = rate(folder, str(folder / "test.jsonl"))
        lines = [
            "| | score | of the teacher's | CPU seconds | rows a second |",
            "|---|---|---|---|---|",
        ]
        best = 0.0
        for name in seconds:
            content = (
                folder / name.replace(", ", "-").replace(" ", "-") / "scores.json"
            ).read_text()
            scores = json.loads(content)
            value = scores["metrics"][scores["metric"]]["value"]
            best = best or value
            speed = f"{rates[name]:.0f}" if name in rates else ""
            lines.append(
                f"| {name} | {value:.4f} | {value / best:.1%} | {seconds[name]:.0f} | {speed} |"
            )
            found = {"recipe": options.recipe, "contender": name, "score": value, **vars(options)}
            found |= {"cpu": seconds[name], "rows_a_second": rates.get(name), "out": None}
            if options.out:
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(found) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
