"""Pre-training from scratch: what a small BERT learns from a few megabytes, and what that is worth.

    python benchmarks/pretraining.py --articles squad/train.json --sentences sst2/train.tsv \\
        nsmc/train.tsv --train sst2/train.tsv --dev sst2/dev.tsv --out DIR

A corpus is written to DIR: the articles of SQuAD files, which have next sentences, and the texts of
tables, which have none. A tenth of the articles and a hundredth of the texts are held out. After
``bertft pretrain`` the recipe sst2 is trained from it, and from the same encoder untrained. Prints
JSON: losses are in nats per masked token, ``unigrams`` knows only how frequent tokens are.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TEXTS = ("sentence", "document", "text")
"""Columns that hold the texts of a table."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--articles", type=Path, nargs="+", required=True, help="SQuAD files")
    parser.add_argument("--sentences", type=Path, nargs="*", default=[], help="TSV with a header")
    parser.add_argument("--train", type=Path, required=True, help="of the recipe sst2")
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder to create")
    parser.add_argument("--size", default="mini")
    parser.add_argument("--vocabulary", type=int, default=16_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], help="further settings of pretrain")
    parser.add_argument("--tune-rate", type=float, default=2e-4, help="learning rate of sst2")
    parser.add_argument("--tune-epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--lines", type=int, help="only the first N articles, texts and rows")
    return parser.parse_args()


# Corpus


def articles(path: Path) -> Iterator[str]:
    """Documents: the paragraphs of an article, one to a line."""
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        contexts = (" ".join(one["context"].split()) for one in article["paragraphs"])
        yield "\n".join(contexts)


def sentences(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            text = " ".join(next(row[name] for name in TEXTS if name in row).split())
            if text:
                yield text


def write_corpus(options: argparse.Namespace, folder: Path) -> list[Path]:
    """The files to train on; beside them held.txt."""
    held: list[str] = []
    files = []
    for number, path in enumerate([*options.articles, *options.sentences]):
        whole = path in options.articles
        texts = list(articles(path) if whole else sentences(path))[: options.lines]
        every = 10 if whole else 100
        held += texts[::every]
        kept = [text for place, text in enumerate(texts) if place % every]
        files.append(folder / f"{number}-{path.parent.name}.txt")
        # A file without blank lines is a list of sentences.
        files[-1].write_text(("\n\n" if whole else "\n").join(kept) + "\n", encoding="utf-8")
    (folder / "held.txt").write_text("\n\n".join(held) + "\n", encoding="utf-8")
    return files


def first_rows(path: Path, target: Path, *, count: int | None) -> Path:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    target.write_text("".join(lines[: None if count is None else count + 1]), encoding="utf-8")
    return target


# Runs


def bertft(*words: object) -> float:
    """Run the command; its seconds."""
    command = [sys.executable, "-m", "bertft", *map(str, words)]
    print(*command[2:], file=sys.stderr)
    started = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - started


def steps_of(run: Path) -> dict[str, float]:
    """Tokens a second, and the seconds of the steps, without evaluations and checkpoints."""
    with (run / "journal.jsonl").open(encoding="utf-8") as file:
        steps = [one for one in map(json.loads, file) if one["event"] == "step"]
    seconds = sum(one["step_seconds"] for one in steps)
    tokens = sum(one["tokens"] for one in steps)
    return {"steps": len(steps), "seconds": round(seconds), "tokens_a_second": tokens // seconds}


def scores_of(run: Path) -> dict[str, Any]:
    content = json.loads((run / "scores.json").read_text(encoding="utf-8"))
    floor = {name: round(value, 4) for name, value in content["baseline"].items()}
    metrics = {name: round(one["value"], 4) for name, one in content["metrics"].items()}
    return {"metrics": metrics, "baseline": floor}


def pretrain(options: argparse.Namespace, corpus: list[Path], run: Path) -> dict[str, Any]:
    settings = [f"training.epochs={options.epochs}", *options.set]
    flags = [word for one in settings for word in ("--set", one)]
    flags += ["--size", options.size, "--vocab-size", options.vocabulary, "--seed", options.seed]
    held = corpus[0].parent / "held.txt"
    seconds = bertft("pretrain", *corpus, "--dev", held, "--out", run, *flags)
    scores = scores_of(run)
    names = {"mlm_loss": "unigrams", "mlm_accuracy": "most_frequent", "nsp_accuracy": "majority"}
    found = {
        name: {"value": scores["metrics"][name], baseline: scores["baseline"][name]}
        for name, baseline in names.items()
        if name in scores["metrics"]
    }
    megabytes = sum(path.stat().st_size for path in corpus) / 1e6
    whole = {"corpus_megabytes": round(megabytes, 2), "seconds_in_all": round(seconds)}
    return found | whole | steps_of(run)


def tune(options: argparse.Namespace, model: Path, run: Path) -> dict[str, float]:
    """Dev scores of the recipe sst2."""
    folder = run.parent
    files = [first_rows(options.train, folder / "train.tsv", count=options.lines)]
    files += [first_rows(options.dev, folder / "dev.tsv", count=options.lines)]
    flags = ["--train", files[0], "--dev", files[1], "--model", model, "--seed", options.seed]
    for setting in (f"epochs={options.tune_epochs}", f"learning_rate={options.tune_rate}"):
        flags += ["--set", f"training.{setting}"]
    bertft("train", "sst2", *flags, "--out", run)
    metrics: dict[str, float] = scores_of(run)["metrics"]
    return {"accuracy": metrics["accuracy"]}


def main() -> None:
    options = arguments()
    options.out.mkdir(parents=True)
    corpus = write_corpus(options, options.out)
    run = options.out / "run"
    result: dict[str, Any] = {"size": options.size, "pretraining": pretrain(options, corpus, run)}
    result["sst2_pretrained"] = tune(options, run, options.out / "tuned")
    result["sst2_untrained"] = tune(options, Path(f"{run}-start"), options.out / "untuned")
    text = json.dumps(result, indent=2)
    (options.out / "result.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
