"""Fine-tuning beside Hugging Face Trainer: same rows, encoder, epochs, batch and learning rate.

    python benchmarks/training.py [RECIPE] [--train F --dev F] [--model M] [--rows N] [--rounds K]

RECIPE is one of sentences (sentiment) or of questions (squad, whose scores ``quality.py`` compares:
here they are only timed). Every measurement is a process of its own with a seed of its round;
contenders take turns. Timed is the training loop alone (Trainer's own ``train_runtime``; for bertft
the sum over its steps), without evaluations. ``peak`` is the share of the bf16 matrix products per
second, measured in the same process, that 6 FLOP for each parameter outside the embeddings and each
real token need.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"
CONTENDERS = ("trainer-glue", "trainer", "trainer-best", "trainer-random", "bertft")
"""Trainer as run_glue ships it (128 tokens, fp32); as it comes; with its best flags and batches of
similar lengths, which is its fastest; with its best flags in random order, which trains as ours
does; and ours."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", default="sentiment")
    parser.add_argument("--train", default="", help="the recipe's own if not given")
    parser.add_argument("--dev", default="")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
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
    """What makes both sides the same."""
    return [
        f"training.epochs={options.epochs}",
        f"training.batch_size={options.batch}",
        f"training.learning_rate={options.rate}",
        "training.layer_decay=1.0",  # Trainer has one rate for all layers
        *options.set,
    ]


def prepared(options: argparse.Namespace, settings: Sequence[str]) -> Any:
    """The job with its rows; both contenders take texts and labels from here."""
    from bertft.jobs.prepare import prepare
    from bertft.jobs.request import TrainRequest, read_recipe
    from bertft.watch import Silent

    request = TrainRequest(
        recipe=options.recipe,
        overrides=tuple(settings),
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


def figures(
    job: Any, options: argparse.Namespace, *, seconds: float, model: Any, accuracy: float | None
) -> dict[str, Any]:
    """Seconds, examples a second, share of the peak, peak memory and accuracy of one contender."""
    from bertft.training.probe import matrix_rate

    outside = sum(p.numel() for n, p in model.named_parameters() if "embeddings" not in n)
    tokens = sum(map(len, job.encoded["train"])) * options.epochs
    kind = torch.bfloat16 if job.runtime.precision == "bf16" else torch.float32
    best = max(matrix_rate(kind) for _ in range(10))
    return {
        "seconds": seconds,
        "examples_per_second": len(job.encoded["train"]) * options.epochs / seconds,
        "share_of_peak": 6 * outside * tokens / seconds / best,
        "peak_gflops": best / 1e9,
        "memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "accuracy": accuracy,
    }


def run_bertft(options: argparse.Namespace) -> dict[str, Any]:
    from bertft.jobs.build import build_model, make_trainer
    from bertft.jobs.dev import dev_scorer
    from bertft.training import loop
    from bertft.training.progress import Progress

    job = prepared(options, settings_of(options))
    model, head = build_model(job)
    trainer = make_trainer(job, model, head)
    steps = [step.seconds for step in loop.run(trainer, progress=Progress(), evaluate=None)]
    accuracy = None if job.task.name == "qa" else dev_scorer(job, trainer)()["accuracy"]
    return figures(job, options, seconds=sum(steps), model=model, accuracy=accuracy)


def rows_of(encoded: list[Any]) -> Any:
    """What Trainer trains on: the same ids and targets."""
    from datasets import Dataset

    rows: list[dict[str, Any]] = []
    for one in encoded:
        row: dict[str, Any] = {"input_ids": list(one.input_ids)}
        if one.token_type_ids:
            row["token_type_ids"] = list(one.token_type_ids)
        if isinstance(one.target, tuple):
            row["start_positions"], row["end_positions"] = one.target
        else:
            row["labels"] = one.target
        rows.append(row)
    return Dataset.from_list(rows)


def peer(
    job: Any, *, kind: str, rate: float, epochs: float, seed: int, flags: Mapping[str, Any]
) -> Any:
    """Hugging Face's Trainer on the rows of a job, as one of the contenders has it.

    Batch and precision are the job's; ``flags`` are more of Trainer's.
    """
    from transformers import (
        AutoModelForQuestionAnswering,
        AutoModelForSequenceClassification,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    best: dict[str, Any] = {}
    if kind in ("trainer-best", "trainer-random"):
        best = {"bf16": job.runtime.precision == "bf16", "optim": "adamw_torch_fused"}
    if kind == "trainer-best":
        best["train_sampling_strategy"] = "group_by_length"
    set_seed(seed)  # of the new head
    asks = job.task.name == "qa"
    auto = AutoModelForQuestionAnswering if asks else AutoModelForSequenceClassification
    labels = {} if asks else {"num_labels": len(job.task.labels)}
    model = auto.from_pretrained(job.encoder.folder, **labels).float()
    whole = {"padding": "max_length", "max_length": 128} if kind == "trainer-glue" else {}
    return Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=tempfile.mkdtemp(),
            use_cpu=job.runtime.device == "cpu",
            num_train_epochs=epochs,
            per_device_train_batch_size=job.recipe.training.batch_size,
            learning_rate=rate,
            warmup_steps=0.1,
            weight_decay=0.01,
            seed=seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **best,
            **flags,
        ),
        train_dataset=rows_of(job.encoded["train"]),
        data_collator=DataCollatorWithPadding(job.encoder.tokenizer, **whole),
        processing_class=job.encoder.tokenizer,
    )


def run_trainer(options: argparse.Namespace, *, kind: str) -> dict[str, Any]:
    import numpy as np

    job = prepared(options, settings_of(options))
    trainer = peer(
        job, kind=kind, rate=options.rate, epochs=options.epochs, seed=options.seed, flags={}
    )
    seconds = trainer.train().metrics["train_runtime"]
    accuracy = None
    if job.task.name != "qa":
        # The plain sampler: with group_by_length, predictions come back in another order than rows.
        trainer.args.train_sampling_strategy = "random"
        gold = np.array([one.target for one in job.encoded["dev"]])
        found = trainer.predict(rows_of(job.encoded["dev"])).predictions.argmax(-1)
        accuracy = float(np.mean(found == gold))
    return figures(job, options, seconds=seconds, model=trainer.model, accuracy=accuracy)


def measure_one(options: argparse.Namespace) -> None:
    own = options.one == "bertft"
    result = run_bertft(options) if own else run_trainer(options, kind=options.one)
    print(json.dumps(result))


def timed(command: Sequence[str], *, environment: Mapping[str, str]) -> dict[str, float]:
    """Seconds, CPU seconds and peak memory of a whole process, whose output is not shown."""
    started = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=os.environ | environment, **quiet)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "memory_gib": usage.ru_maxrss / 2**20,
    }


def in_turns(
    script: str, contenders: Sequence[str], *, rounds: int
) -> dict[str, list[dict[str, Any]]]:
    """What each contender came to in each round: the last line of a process of its own.

    ``script`` is called as this process was, with ``--one CONTENDER --seed ROUND``.
    """
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for round_ in range(rounds):
        for name in contenders:
            command = [sys.executable, script, *sys.argv[1:], "--one", name]
            done = subprocess.run(
                [*command, "--seed", str(round_)], check=True, capture_output=True, text=True
            )
            results[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(name, results[name][-1], file=sys.stderr)
    return results


def main() -> None:
    options = arguments()
    if options.one:
        measure_one(options)
        return
    results = in_turns(__file__, options.contenders, rounds=options.rounds)
    write(f"training-{options.recipe}", options, results, table=table(results))


def write(
    name: str,
    options: argparse.Namespace,
    results: Mapping[str, Any],
    *,
    table: str,
    folder: Path = RESULTS,
) -> None:
    """JSON with every measurement, and the table, which is printed as well."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": platform.platform(),
        "date": time.strftime("%Y-%m-%d"),
        "options": vars(options),
        "results": results,
    }
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1, default=str))
    (folder / f"{name}.md").write_text(table)
    print(table)


def table(results: Mapping[str, list[dict[str, Any]]]) -> str:
    """Medians, with the ratio to bertft."""
    own = median(results["bertft"], "seconds") if results.get("bertft") else None
    lines = [
        "| contender | seconds | times bertft | examples/s | peak | memory | accuracy (mean) |",
        "|---|---|---|---|---|---|---|",
    ]
    for contender, found in results.items():
        seconds = median(found, "seconds")
        times = f"{seconds / own:.2f}" if own else "-"
        scores = [one["accuracy"] for one in found]
        accuracy = "-" if None in scores else f"{statistics.fmean(scores):.4f}"
        lines.append(
            f"| {contender} | {seconds:.1f} | {times} | {median(found, 'examples_per_second'):.0f}"
            f" | {median(found, 'share_of_peak'):.0%} | {median(found, 'memory_gib'):.1f} GiB"
            f" | {accuracy} |"
        )
    return "\n".join(lines) + "\n"


def median(found: list[dict[str, Any]], name: str) -> float:
    return statistics.median(one[name] for one in found)


if __name__ == "__main__":
    main()
