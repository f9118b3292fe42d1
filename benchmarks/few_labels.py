"""Few labels: fine-tuning, features mode, few-shot mode and SetFit on the same rows and encoder.

    python benchmarks/few_labels.py --train F --test F --text COLUMN --label COLUMN --each 8
        [--model M] [--seeds K] [--only NAME ...] [--iterations 20] [--threads N] [--out DIR]

Of each seed, ``--each`` rows of every label are drawn from --train; each contender is a process of
its own that learns from all of them (``data.dev_share=0``) and answers --test. Seconds are those of
the whole process: start, training, answers, scores. Contenders take turns within a seed. SetFit
(1.2) is as it comes, ``--iterations`` pairs of each kind for each text, one epoch, batches of 16.
Prints a Markdown table: mean accuracy and deviation, seconds of wall clock and of CPU.
"""

from __future__ import annotations

import argparse
import csv
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
from dataclasses import dataclass, field
from pathlib import Path

TUNED = ("training.epochs=12", "training.batch_size=16", "training.learning_rate=1e-4")
"""What ``bertft init`` writes for few rows."""
CONTENDERS = {
    "fine-tuning": TUNED,
    "features": ("training.mode=features",),
    "few-shot": ("training.mode=few-shot",),
    "SetFit": (),
}


@dataclass(slots=True)
class Found:
    """What was measured of a contender, one value for each seed."""

    accuracy: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--text", default="text", metavar="COLUMN")
    parser.add_argument("--label", default="label", metavar="COLUMN")
    parser.add_argument("--each", type=int, default=8, help="rows of each label")
    parser.add_argument("--model", default="minilm", help="an alias, or a folder")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0, 1, ...")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", nargs="*", choices=[*CONTENDERS], default=[*CONTENDERS])
    parser.add_argument("--iterations", type=int, default=20, help="of SetFit")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a line of JSON for each training goes here")
    parser.add_argument("--setfit", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def rows_of(path: Path, text: str, label: str) -> list[tuple[str, str]]:
    """(text, label) of a CSV, or of a TSV whose quotes are text; rows without text are left out."""
    kind = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if path.suffix == ".tsv" else {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row[text], row[label]) for row in csv.DictReader(file, **kind)]
    return [(one.strip(), name) for one, name in rows if (one or "").strip()]


def drawn(rows: Sequence[tuple[str, str]], *, each: int, seed: int) -> list[tuple[str, str]]:
    """``each`` rows of every label."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in sorted({b for _, b in rows})}
    for row in random.Random(seed).sample(rows, len(rows)):
        if len(found[row[1]]) < each and row not in found[row[1]]:
            found[row[1]].append(row)
    return [row for own in found.values() for row in own]


def write(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def command(name: str, options: argparse.Namespace, folder: Path, seed: int) -> list[str]:
    train, test, run = folder / "train.csv", folder / "test.csv", folder / name
    if name == "SetFit":
        own = [sys.executable, __file__, "--train", str(train), "--test", str(test)]
        own += ["--model", options.model, "--iterations", str(options.iterations)]
        return [*own, "--setfit", str(seed), str(run), str(options.threads)]
    recipe = folder / "recipe.toml"
    recipe.write_text('[task]\nname = "classification"\n', encoding="utf-8")
    own = [sys.executable, "-m", "bertft", "train", str(recipe), "--out", str(run)]
    own += ["--train", str(train), "--test", str(test), "--model", options.model]
    own += ["--seed", str(seed), "--offline", "--set", "data.dev_share=0"]
    return own + [part for setting in CONTENDERS[name] for part in ("--set", setting)]


def measure(name: str, options: argparse.Namespace, folder: Path, seed: int) -> dict[str, float]:
    """Accuracy, seconds and CPU seconds of a process."""
    run, before, started = folder / name, _cpu(), time.perf_counter()
    done = subprocess.run(
        command(name, options, folder, seed), capture_output=True, text=True, check=False
    )
    wall, cpu = time.perf_counter() - started, _cpu() - before
    if done.returncode:
        sys.exit(f"{name}: {done.stderr[-2000:]}")
    scores = json.loads((run / "scores.json").read_text(encoding="utf-8"))
    return {"accuracy": scores["metrics"]["accuracy"]["value"], "wall": wall, "cpu": cpu}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_setfit(options: argparse.Namespace) -> None:
    """SetFit as its documentation has it; accuracy on the test rows goes to scores.json."""
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    from bertft.encoder.find import locate
    from bertft.settings import ModelSettings

    seed, run, threads = int(options.setfit[0]), Path(options.setfit[1]), int(options.setfit[2])
    torch.set_num_threads(threads)
    model_folder, _ = locate(ModelSettings(name=options.model), offline=True)
    train, test = (rows_of(path, "text", "label") for path in (options.train, options.test))
    names = sorted({name for _, name in train})
    rows = {
        "text": [text for text, _ in train],
        "label": [names.index(name) for _, name in train],
    }
    given = TrainingArguments(
        output_dir=str(run),
        batch_size=16,
        num_epochs=1,
        num_iterations=options.iterations,
        seed=seed,
        save_strategy="no",
        report_to="none",
    )
    torch.manual_seed(seed)
    model = SetFitModel.from_pretrained(str(model_folder))
    Trainer(model, args=given, train_dataset=Dataset.from_dict(rows)).train()
    answers = [int(one) for one in model.predict([text for text, _ in test])]
    right = [names[one] == name for one, (_, name) in zip(answers, test, strict=True)]
    run.mkdir(exist_ok=True)
    scores = {"metrics": {"accuracy": {"value": statistics.fmean(right)}}}
    (run / "scores.json").write_text(json.dumps(scores), encoding="utf-8")


def table(found: dict[str, Found]) -> str:
    lines = ["| contender | accuracy | seeds | seconds | CPU seconds |", "|---|---|---|---|---|"]
    for name, one in found.items():
        spread = f" ± {statistics.stdev(one.accuracy):.4f}" if len(one.accuracy) > 1 else ""
        score = f"{statistics.fmean(one.accuracy):.4f}{spread}"
        times = f"{statistics.fmean(one.wall):.0f} | {statistics.fmean(one.cpu):.0f}"
        lines.append(f"| {name} | {score} | {len(one.accuracy)} | {times} |")
    return "\n".join(lines)


def main() -> None:
    options = arguments()
    if options.setfit:
        run_setfit(options)
        return
    os.environ |= {"OMP_NUM_THREADS": str(options.threads), "TOKENIZERS_PARALLELISM": "false"}
    train, test = (
        rows_of(path, options.text, options.label) for path in (options.train, options.test)
    )
    found = {name: Found() for name in options.only}
    for seed in range(options.first, options.first + options.seeds):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            os.environ["BERTFT_CACHE"] = str(folder / "cache")
            write(folder / "train.csv", drawn(train, each=options.each, seed=seed))
            write(folder / "test.csv", test)
            for name, own in found.items():
                one = measure(name, options, folder, seed)
                own.accuracy.append(one["accuracy"])
                own.wall.append(one["wall"])
                own.cpu.append(one["cpu"])
                said = json.dumps({"contender": name, "seed": seed, "each": options.each, **one})
                print(said, file=sys.stderr, flush=True)
                if options.out:
                    with options.out.open("a", encoding="utf-8") as file:
                        file.write(said + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
