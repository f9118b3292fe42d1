"""Fine-tuning beside Hugging Face Trainer: same rows, encoder, epochs, batch and learning rate.

    python benchmarks/training.py [--train F --dev F] [--model M] [--rows N] [--rounds K]

Every measurement is a process of its own; contenders take turns. Timed is the training loop alone
(Trainer's own ``train_runtime``; for bertft the sum over its steps), without evaluations.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
CONTENDERS = ("trainer", "trainer-best", "bertft")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", default="bundled:sentiment/en/train.csv")
    parser.add_argument("--dev", default="bundled:sentiment/en/dev.csv")
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--rows", type=int, default=2000, help="training rows; 0 for all")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def settings_of(options: argparse.Namespace) -> list[str]:
    return [
        f"training.epochs={options.epochs}",
        f"training.batch_size={options.batch}",
        f"training.learning_rate={options.rate}",
        "training.layer_decay=1.0",  # Trainer has one rate for all layers
        'task.label_aliases={"0" = "negative", "1" = "positive"}',
    ]


def prepared(options: argparse.Namespace) -> Any:
    """The job with its rows; both contenders take texts and labels from here."""
    from bertft.commands.prepare import TrainRequest, prepare, read_recipe
    from bertft.commands.watch import Silent

    request = TrainRequest(
        recipe="sentiment",
        overrides=tuple(settings_of(options)),
        train=options.train,
        dev=options.dev,
        model=options.model,
        seed=options.seed,
        offline=True,
    )
    job = prepare(read_recipe(request), request, watch=Silent())
    if options.rows:
        job.splits["train"] = job.splits["train"][: options.rows]
        job.encoded["train"] = [one for one in job.encoded["train"] if one.example < options.rows]
    return job


def run_bertft(options: argparse.Namespace) -> dict[str, Any]:
    from bertft.commands.prepare import build_model, make_trainer
    from bertft.commands.train import dev_scorer
    from bertft.contracts import Progress
    from bertft.training import loop

    job = prepared(options)
    trainer = make_trainer(job, *build_model(job))
    seconds = [step.seconds for step in loop.run(trainer, progress=Progress(), evaluate=None)]
    return {"seconds": sum(seconds), "accuracy": dev_scorer(job, trainer)()["accuracy"]}


def run_trainer(options: argparse.Namespace, *, best: bool) -> dict[str, Any]:
    import numpy as np
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

    job = prepared(options)
    sets = {
        split: Dataset.from_list(
            [{"input_ids": one.input_ids, "labels": one.target} for one in job.encoded[split]]
        )
        for split in ("train", "dev")
    }
    flags: dict[str, Any] = {}
    if best:
        flags = {"bf16": job.runtime.precision == "bf16", "optim": "adamw_torch_fused"}
        flags["train_sampling_strategy"] = "group_by_length"
    model = AutoModelForSequenceClassification.from_pretrained(job.encoder.folder, num_labels=2)
    trainer = Trainer(
        model=model.float(),
        args=TrainingArguments(
            output_dir=tempfile.mkdtemp(),
            use_cpu=job.runtime.device == "cpu",
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch,
            learning_rate=options.rate,
            warmup_steps=0.1,
            weight_decay=0.01,
            seed=options.seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **flags,
        ),
        train_dataset=sets["train"],
        processing_class=job.encoder.tokenizer,
    )
    seconds = trainer.train().metrics["train_runtime"]
    # The plain sampler: with group_by_length, predictions come back in another order than rows.
    trainer.args.train_sampling_strategy = "random"
    found = trainer.predict(sets["dev"])
    accuracy = float(np.mean(found.predictions.argmax(-1) == np.array(sets["dev"]["labels"])))
    return {"seconds": seconds, "accuracy": accuracy}


def measure_one(options: argparse.Namespace) -> None:
    best = options.one == "trainer-best"
    result = run_bertft(options) if options.one == "bertft" else run_trainer(options, best=best)
    print(json.dumps(result))


def main() -> None:
    options = arguments()
    if options.one:
        measure_one(options)
        return
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in options.contenders}
    for round_ in range(options.rounds):
        for name in options.contenders:
            command = [sys.executable, __file__, *sys.argv[1:], "--one", name]
            done = subprocess.run(
                [*command, "--seed", str(round_)], check=True, capture_output=True, text=True
            )
            results[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(name, results[name][-1], file=sys.stderr)
    write(options, results)


def write(options: argparse.Namespace, results: dict[str, list[dict[str, Any]]]) -> None:
    """JSON with every measurement, and a table of medians with the ratio to bertft."""
    RESULTS.mkdir(exist_ok=True)
    content = {
        "machine": platform.platform(),
        "date": time.strftime("%Y-%m-%d"),
        "options": vars(options),
        "results": results,
    }
    (RESULTS / "training.json").write_text(json.dumps(content, indent=1))
    medians = {n: statistics.median(one["seconds"] for one in r) for n, r in results.items()}
    own = medians.get("bertft")
    lines = [
        "| contender | seconds (median) | times bertft | dev accuracy (mean) |",
        "|---|---|---|---|",
    ]
    for name, seconds in medians.items():
        accuracy = statistics.fmean(one["accuracy"] for one in results[name])
        times = f"{seconds / own:.2f}" if own else "-"
        lines.append(f"| {name} | {seconds:.1f} | {times} | {accuracy:.4f} |")
    table = "\n".join(lines) + "\n"
    (RESULTS / "training.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
