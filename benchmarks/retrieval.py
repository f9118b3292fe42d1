"""Retrieval training: recall on SQuAD before and after, beside sentence-transformers' trainer.

    python benchmarks/retrieval.py --train train-v1.1.json --dev dev-v1.1.json --pairs 4000

Pairs (question, paragraph) are drawn from the training file and written once; both read them, with
the same encoder, batch, rate, epochs, warm-up, seed, length and precision. Each trains in a process
of its own, from the file of pairs to the saved folder: CPU seconds are that process's, its imports
left out. Then each folder, and the encoder as it was, is asked questions of the dev file among all
its paragraphs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import bertft
from bertft.evaluation.intervals import bootstrap
from bertft.evaluation.ranking import ranked, ranking_scores

CONTENDERS = ("bertft", "sentence-transformers")


def read_pairs(path: str) -> list[dict[str, str]]:
    """Every answerable question with its paragraph."""
    articles = json.loads(Path(path).read_text(encoding="utf-8"))["data"]
    return [
        {"question": one["question"], "passage": paragraph["context"]}
        for article in articles
        for paragraph in article["paragraphs"]
        for one in paragraph["qas"]
        if one["answers"]
    ]


def scores(folder: str, pairs: Sequence[dict[str, str]], given: argparse.Namespace) -> dict:
    """Recall, MRR and nDCG with intervals, of some questions among all passages."""
    numbers: dict[str, int] = {}
    for one in pairs:
        numbers.setdefault(one["passage"], len(numbers))
    asked = random.Random(13).sample(list(pairs), min(given.questions, len(pairs)))
    settings: Any = {"model": folder, "normalize": True, "max_length": given.max_length}
    settings |= {"device": "cpu", "precision": given.precision}
    texts = [one["question"] for one in asked]
    questions = np.asarray(bertft.embed(texts, prompt=given.query_prompt, **settings))
    passages = np.asarray(bertft.embed(list(numbers), prompt=given.passage_prompt, **settings))
    golds = [[numbers[one["passage"]]] for one in asked]
    ranks = [one.ranks for one in ranked(questions, passages, golds, scale=20.0)]
    found = ranking_scores(ranks, [len(numbers)] * len(ranks))
    limits = bootstrap(found.statistic)
    return {name: [value, *limits[name]] for name, value in found.values.items()}


def train_bertft(pairs: str, out: str, given: argparse.Namespace) -> float:
    """CPU seconds, from the file of pairs to the saved folder."""
    from bertft.commands.train import train
    from bertft.console.console import Console
    from bertft.jobs.request import TrainRequest

    settings = {
        "training.epochs": given.epochs, "training.batch_size": given.batch,
        "training.learning_rate": given.rate, "training.precision": given.precision,
        "training.device": "cpu", "model.max_length": given.max_length, "data.dev_share": 0,
        "task.query_prompt": json.dumps(given.query_prompt),
        "task.passage_prompt": json.dumps(given.passage_prompt),
    }  # fmt: skip
    request = TrainRequest(
        recipe="retrieval", overrides=tuple(f"{key}={value}" for key, value in settings.items()),
        train=pairs, model=given.model, out=out, seed=given.seed,
    )  # fmt: skip
    start = time.process_time()
    train(request, watch=Console())
    return time.process_time() - start


def train_sentence_transformers(pairs: str, out: str, given: argparse.Namespace) -> float:
    """The same."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from bertft.encoder.find import locate
    from bertft.settings import ModelSettings

    start = time.process_time()
    folder, _ = locate(ModelSettings(name=given.model), offline=True)
    model = SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = given.max_length
    lines = Path(pairs).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    data = Dataset.from_dict(
        {
            "anchor": [given.query_prompt + one["question"] for one in rows],
            "positive": [given.passage_prompt + one["passage"] for one in rows],
        }
    )
    arguments = SentenceTransformerTrainingArguments(
        output_dir=out, num_train_epochs=given.epochs, per_device_train_batch_size=given.batch,
        learning_rate=given.rate, warmup_steps=0.1, lr_scheduler_type="linear", weight_decay=0.01,
        max_grad_norm=1.0, seed=given.seed, bf16=given.precision == "bf16", use_cpu=True,
        batch_sampler="no_duplicates", optim="adamw_torch_fused", save_strategy="no",
        report_to="none", logging_steps=20,
    )  # fmt: skip
    loss = MultipleNegativesRankingLoss(model)
    SentenceTransformerTrainer(model, arguments, train_dataset=data, loss=loss).train()
    model.save(out)
    return time.process_time() - start


def one_process(name: str, pairs: str, out: str) -> float:
    """CPU seconds of a contender, in a process of its own with the arguments of this one."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", name, "--rows", pairs]
    done = subprocess.run([*command, "--out", out], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", required=True)
    parser.add_argument("--dev", required=True)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--questions", type=int, default=2000, help="of dev, drawn at random")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2e-5)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--query-prompt", default="")
    parser.add_argument("--passage-prompt", default="")
    parser.add_argument("--contenders", nargs="*", default=CONTENDERS)
    parser.add_argument("--only", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--rows", default="", help=argparse.SUPPRESS)
    parser.add_argument("--out", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        run = train_bertft if given.only == "bertft" else train_sentence_transformers
        print(run(given.rows, given.out, given))
        return
    drawn = random.Random(given.seed).sample(read_pairs(given.train), given.pairs)
    dev = read_pairs(given.dev)
    found: dict[str, Any] = {"settings": vars(given), "before": scores(given.model, dev, given)}
    print(json.dumps(found, indent=2), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "pairs.jsonl"
        rows.write_text("".join(json.dumps(one) + "\n" for one in drawn), encoding="utf-8")
        for name in given.contenders:
            out = f"{folder}/{name}"
            seconds = one_process(name, str(rows), out)
            found[name] = {"cpu_seconds": seconds, **scores(out, dev, given)}
            print(json.dumps({name: found[name]}), flush=True)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
