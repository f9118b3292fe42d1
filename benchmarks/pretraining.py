"""Pre-training from scratch: what a small BERT learns from a few megabytes, and what that is worth.

    python benchmarks/pretraining.py --articles squad/train.json --sentences sst2/train.tsv \\
        nsmc/train.tsv --train sst2/train.tsv --dev sst2/dev.tsv --out DIR

A corpus is written to DIR: the paragraphs of SQuAD files, which have next sentences (given several
times, for they are few), and the texts of tables, which have none. Held out are whole articles, a
tenth, and of the others every tenth paragraph; of the texts a hundredth. After ``bertft pretrain``
the recipe sst2 is trained from it, from the encoder that it started with, and from random weights
of the same architecture, with few labels and with all. Prints JSON: losses are in nats per masked
token.
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
    parser.add_argument("--times", type=int, default=3, help="that paragraphs are given")
    parser.add_argument("--embeddings", choices=("counted", "random"), default="counted")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], help="further settings of pretrain")
    parser.add_argument(
        "--tune",
        nargs="+",
        default=["2000:5", "all:2"],
        metavar="ROWS:EPOCHS",
        help="how many of the first rows sst2 learns from, and how often",
    )
    parser.add_argument("--tune-rate", type=float, default=1e-3, help="learning rate of sst2")
    parser.add_argument("--tune-seeds", type=int, nargs="+", default=[13, 1, 2])
    parser.add_argument("--seed", type=int, default=13, help="of the pre-training")
    parser.add_argument("--lines", type=int, help="only the first N articles, texts and rows")
    return parser.parse_args()


# Corpus


def articles(path: Path) -> Iterator[list[str]]:
    """The paragraphs of each article."""
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        yield [" ".join(one["context"].split()) for one in article["paragraphs"]]


def sentences(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            text = " ".join(next(row[name] for name in TEXTS if name in row).split())
            if text:
                yield text


def write_corpus(options: argparse.Namespace, folder: Path) -> list[Path]:
    """The files to train on; beside them held.txt and articles.txt, which are held out."""
    known, new = list[list[str]](), list[list[str]]()
    for path in options.articles:
        for number, paragraphs in enumerate(list(articles(path))[: options.lines]):
            (known if number % 10 else new).append(paragraphs)
    paragraphs = [one for article in known for one in article]
    held = paragraphs[::10]
    # Blank lines part documents; a file without them is a list of sentences.
    files = [write(folder / "paragraphs.txt", _without_tenths(paragraphs), between="\n\n")]
    for path in options.sentences:
        texts = list(sentences(path))[: options.lines]
        held += texts[::100]
        kept = [text for place, text in enumerate(texts) if place % 100]
        files.append(write(folder / f"{path.parent.name}.txt", kept, between="\n"))
    write(folder / "held.txt", held, between="\n\n")
    write(folder / "articles.txt", [one for article in new for one in article], between="\n\n")
    return files


def write(path: Path, texts: list[str], *, between: str) -> Path:
    path.write_text(between.join(texts) + "\n", encoding="utf-8")
    return path


def _without_tenths(texts: list[str]) -> list[str]:
    return [text for place, text in enumerate(texts) if place % 10]


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


def told(*words: object) -> str:
    """What the command writes to stdout."""
    command = [sys.executable, "-m", "bertft", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def steps_of(run: Path) -> dict[str, float]:
    """Tokens a second, and the seconds of the steps, without evaluations and checkpoints."""
    with (run / "journal.jsonl").open(encoding="utf-8") as file:
        steps = [one for one in map(json.loads, file) if one["event"] == "step"]
    seconds = sum(one["step_seconds"] for one in steps)
    tokens = sum(one["tokens"] for one in steps)
    return {"steps": len(steps), "seconds": round(seconds), "tokens_a_second": tokens // seconds}


def scores_of(run: Path) -> dict[str, Any]:
    return rounded(json.loads((run / "scores.json").read_text(encoding="utf-8")))


def rounded(scores: dict[str, Any]) -> dict[str, Any]:
    baseline = {name: round(value, 4) for name, value in scores["baseline"].items()}
    metrics = {name: round(one["value"], 4) for name, one in scores["metrics"].items()}
    return {"metrics": metrics, "baseline": baseline}


def pretrain(options: argparse.Namespace, corpus: list[Path], run: Path) -> dict[str, Any]:
    folder = corpus[0].parent
    settings = [f"training.epochs={options.epochs}", *options.set]
    flags = [word for one in settings for word in ("--set", one)]
    flags += ["--size", options.size, "--vocab-size", options.vocabulary, "--seed", options.seed]
    flags += ["--embeddings", options.embeddings]
    held = folder / "held.txt"
    paragraphs, *others = corpus
    given = [paragraphs] * options.times + others
    seconds = bertft("pretrain", *given, "--dev", held, "--out", run, *flags)
    new = ("--data", folder / "articles.txt")
    megabytes = sum(path.stat().st_size for path in corpus) / 1e6
    return {
        "held_out": scores_of(run),
        "new_articles": rounded(json.loads(told("eval", run, *new, "--json"))),
        "corpus_megabytes": round(megabytes, 2),
        "seconds_in_all": round(seconds),
        **steps_of(run),
    }


def random_weights(start: Path, target: Path, *, seed: int) -> Path:
    """The architecture and the tokenizer of an encoder; its weights are random."""
    from transformers import AutoTokenizer, BertConfig, BertForPreTraining, set_seed

    set_seed(seed)
    AutoTokenizer.from_pretrained(start).save_pretrained(target)
    BertForPreTraining(BertConfig.from_pretrained(start)).save_pretrained(target)
    return target


def tune(options: argparse.Namespace, models: dict[str, Path]) -> Iterator[dict[str, Any]]:
    """Dev accuracies of the recipe sst2 from each model, a seed after the other."""
    dev = first_rows(options.dev, options.out / "dev.tsv", count=options.lines)
    for asked in options.tune:
        rows, epochs = asked.split(":")
        count = options.lines if rows == "all" else min(int(rows), options.lines or int(rows))
        train = first_rows(options.train, options.out / f"train-{rows}.tsv", count=count)
        found: dict[str, Any] = {"rows": rows, "epochs": int(epochs)}
        runs: dict[str, list[Path]] = {name: [] for name in models}
        for name, model in models.items():
            flags = ["--train", train, "--dev", dev, "--model", model]
            for setting in (f"epochs={epochs}", f"learning_rate={options.tune_rate}"):
                flags += ["--set", f"training.{setting}"]
            accuracies = []
            for seed in options.tune_seeds:
                run = options.out / f"sst2-{rows}-{name}-{seed}"
                bertft("train", "sst2", *flags, "--seed", seed, "--out", run)
                accuracies.append(scores_of(run)["metrics"]["accuracy"])
                runs[name].append(run)
            mean = sum(accuracies) / len(accuracies)
            found[name] = {"mean": round(mean, 4), "accuracies": accuracies}
        found["pretrained - random"] = difference(runs["random"], runs["pretrained"])
        yield found


def difference(a: list[Path], b: list[Path]) -> dict[str, float]:
    """What runs b gain over runs a in mean accuracy, with the interval over the dev rows."""
    from bertft.evaluation.intervals import paired_bootstrap
    from bertft.evaluation.statistic import Statistic

    def accuracy(totals: Any) -> dict[str, Any]:
        return {"accuracy": totals[..., 0] / totals[..., 1]}

    found = paired_bootstrap(*(Statistic(shares_right(runs), accuracy) for runs in (a, b)))
    gain = found["accuracy"]
    return {name: round(getattr(gain, name), 4) for name in ("value", "low", "high")}


def shares_right(runs: list[Path]) -> Any:
    """[N, 2]: the share of runs that have a row right, and 1."""
    import numpy as np

    right = [
        [
            one["label"] == one["gold"]
            for one in map(json.loads, file.read_text("utf-8").split("\n")[:-1])
        ]
        for file in (run / "predictions.jsonl" for run in runs)
    ]
    shares = np.mean(right, axis=0)
    return np.stack([shares, np.ones_like(shares)], axis=1)


def main() -> None:
    options = arguments()
    options.out.mkdir(parents=True)
    corpus = write_corpus(options, options.out)
    run = options.out / "run"
    result: dict[str, Any] = {"size": options.size, "pretraining": pretrain(options, corpus, run)}
    start = Path(f"{run}-start")
    random = random_weights(start, options.out / "random", seed=options.seed)
    models = {"pretrained": run, "start": start, "random": random}
    result["sst2"] = list(tune(options, models))
    text = json.dumps(result, indent=2)
    (options.out / "result.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
