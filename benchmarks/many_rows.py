"""What many short rows cost until the first step: seconds, CPU seconds and peak memory.

    python benchmarks/many_rows.py --train F --text COLUMN --label COLUMN
        [--rows 606140 10000000] [--model M] [--threads N]

Rows are made of the texts of --train: the words of two of them, mixed by chance, and the label of
the first. They are written as CSV, read, checked, encoded, and one batch is learned from, in a
process of its own for each count. Prints a Markdown table; the peak is the largest resident memory
of the process, pages of mapped files included.

    python benchmarks/many_rows.py --arrow

CPU microseconds of a row that is read again, in order and at random: as bertft stores it, and from
a table of `datasets`, mapped as well.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--train", type=Path)
    parser.add_argument("--arrow", action="store_true", help="reading again, beside datasets")
    parser.add_argument("--text", default="text", metavar="COLUMN")
    parser.add_argument("--label", default="label", metavar="COLUMN")
    parser.add_argument("--rows", type=int, nargs="+", default=[606_140, 10_000_000])
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(until_first_step(given.train, given.model, given.threads)))
        return
    if given.arrow:
        print(json.dumps(beside_arrow(), indent=2))
        return
    if given.train is None:
        parser.error("--train is needed")
    print("| rows | file, MB | seconds | CPU seconds | peak, MiB |\n|---|---|---|---|---|")
    for count in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.csv"
            write(path, given.train, text=given.text, label=given.label, count=count)
            size = path.stat().st_size / 1e6
            command = [sys.executable, __file__, "--only", "--train", str(path)]
            command += ["--model", given.model, "--threads", str(given.threads)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        figures = f"{found['wall']:.1f} | {found['cpu']:.1f} | {found['peak']:,.0f}"
        print(f"| {count:,} | {size:,.0f} | {figures} |", flush=True)


def write(path: Path, source: Path, *, text: str, label: str, count: int) -> None:
    kind = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if source.suffix == ".tsv" else {}
    with source.open(encoding="utf-8", newline="") as file:
        rows = [(row[text].split(), row[label]) for row in csv.DictReader(file, **kind)]
    draw = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["text", "label"])
        for _ in range(count):
            (words, name), (others, _) = draw.choice(rows), draw.choice(rows)
            start = draw.randrange(len(others)) if others else 0
            mixed = words[: 8 + draw.randrange(4)] + others[start : start + 6]
            draw.shuffle(mixed)
            out.writerow([" ".join(mixed), name])


def until_first_step(path: Path, model: str, threads: int) -> dict[str, float]:
    import torch

    from bertft.jobs import build, prepare
    from bertft.jobs.request import TrainRequest, read_recipe
    from bertft.watch import Silent

    torch.set_num_threads(threads)
    started = time.perf_counter()
    request = TrainRequest(
        recipe="sentiment",
        train=str(path),
        model=model,
        overrides=["data.dev_share=0.0001"],
        offline=True,
    )

    class Stages(Silent):
        def note(self, text: str) -> None:
            stage(text[:60])

    def stage(name: str) -> None:
        seconds, peak = time.perf_counter() - started, peak_mib()
        print(f"{seconds:8.1f} s {peak:8,.0f} MiB  {name}", file=sys.stderr)

    job = prepare.prepare(read_recipe(request), request, watch=Stages())
    stage("prepared")
    made, head = build.build_model(job)
    trainer = build.make_trainer(job, made, head)
    stage("trainer")
    build.training_plan(job, trainer, made, out="")
    first = trainer.plan.sample(epoch=0, step=0)
    batch = trainer.batcher(trainer.encoded, first, head=head)
    loss = head.loss(made(**batch.inputs), batch.targets)
    loss.sum().backward()
    stage("first step")
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    return {"wall": time.perf_counter() - started, "cpu": cpu, "peak": peak_mib()}


def beside_arrow(count: int = 100_000) -> dict[str, float]:
    from datasets import Dataset, disable_progress_bars, load_from_disk

    from bertft.rows import Stored
    from bertft.tasks.text_rows import TextExample

    text = "a gorgeous witty seductive movie with a lot of heart"
    made = [TextExample(str(row), row, text, None, ("positive",)) for row in range(count)]
    columns = {name: [getattr(one, name) for one in made] for name in ("id", "line", "text")}
    disable_progress_bars()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        Dataset.from_dict(columns | {"gold": [list(one.gold) for one in made]}).save_to_disk(folder)
        places = random.Random(0).sample(range(count), count // 5)
        for name, rows in (("bertft", Stored(made)), ("datasets", load_from_disk(folder))):
            started = time.process_time()
            for _ in rows:
                pass
            found[f"{name}, in order"] = (time.process_time() - started) / count * 1e6
            started = time.process_time()
            for place in places:
                rows[place]
            found[f"{name}, at random"] = (time.process_time() - started) / len(places) * 1e6
    return {name: round(value, 1) for name, value in found.items()}


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
