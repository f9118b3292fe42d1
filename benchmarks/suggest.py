"""Labels that ``bertft suggest`` saves: texts that it chooses beside texts drawn by chance.

    OMP_NUM_THREADS=1 python benchmarks/suggest.py --task ner --train F.conll --test F
        [--start 200] [--each 200] [--rounds 3] [--seeds 1] [--model minilm]
        [--set KEY=VALUE ...] [--out R.json]
    ... --task classification --train F.csv --test F.csv --text COLUMN --label COLUMN

A simulation: the labels of --train are hidden, and given for the texts that are chosen. Of each
seed both ways start from the same --start rows, drawn by chance. A round trains on all rows with
labels so far (``bertft train``, ``data.dev_share=0``; --set is for it), scores --test, and takes
--each rows more: those that ``bertft suggest --run`` writes, or the next of the draw. Rows whose
text repeats an earlier one are left out of --train. Prints a Markdown table: rows with labels, and
the score of each way, mean over seeds.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from few_labels import rows_of

from bertft.tasks import make_task

WAYS = ("suggested", "by chance")


@dataclass(frozen=True, slots=True)
class Row:
    """A text, and how a file says it with its label: a line of CSV, or lines of CoNLL."""

    text: str
    label: str


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", choices=("classification", "ner"), required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--text", default="text", metavar="COLUMN")
    parser.add_argument("--label", default="label", metavar="COLUMN")
    parser.add_argument("--start", type=int, default=200)
    parser.add_argument("--each", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3, help="after the start")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = read(given)
    scores: dict[str, dict[int, list[float]]] = {way: {} for way in WAYS}
    for seed in range(given.seeds):
        drawn = random.Random(seed).sample(rows, len(rows))
        for way in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                simulate(way, drawn, given, Path(folder), scores, seed=seed)
    if given.out:
        given.out.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    print(table(scores))


def read(given: argparse.Namespace) -> list[Row]:
    """Rows of the training file, each text once."""
    if given.task == "ner":
        text = given.train.read_text(encoding="utf-8")
        blocks: list[list[str]] = [[]]
        for line in text.split("\n"):  # no other separator ends a line
            blocks[-1].append(line) if line.strip() else blocks.append([])
        found = [
            Row(" ".join(line.split("\t")[0] for line in one), "\n".join(one) + "\n\n")
            for one in blocks
            if one
        ]
    else:
        found = [Row(*one) for one in rows_of(given.train, given.text, given.label)]
    return list({one.text: one for one in reversed(found)}.values())[::-1]


def simulate(
    way: str,
    drawn: Sequence[Row],
    given: argparse.Namespace,
    folder: Path,
    scores: dict[str, dict[int, list[float]]],
    *,
    seed: int,
) -> None:
    """Add the score of each round."""
    known = list(drawn[: given.start])
    for number in range(given.rounds + 1):
        if number == 0 and way != WAYS[0]:  # both ways begin with the same run
            score = scores[WAYS[0]][len(known)][-1]
        else:
            score = trained(known, given, folder, number, seed=seed)
        scores[way].setdefault(len(known), []).append(score)
        print(
            json.dumps({"seed": seed, "way": way, "rows": len(known), "score": score}), flush=True
        )
        if number == given.rounds:
            return
        if way == "suggested":
            known += suggested(drawn, known, given, folder, number, seed=seed)
        else:
            known = list(drawn[: len(known) + given.each])


def trained(
    known: Sequence[Row], given: argparse.Namespace, folder: Path, number: int, *, seed: int
) -> float:
    """The score on test of a run of its own, ``folder``/NUMBER."""
    recipe = folder / "recipe.toml"
    recipe.write_text(f'[task]\nname = "{given.task}"\n', encoding="utf-8")
    if given.task == "ner":
        train, test = folder / f"{number}.conll", given.test
        train.write_text("".join(one.label for one in known), encoding="utf-8")
    else:
        train, test = folder / f"{number}.csv", folder / "test.csv"
        write(train, ("text", "label"), [(one.text, one.label) for one in known])
        write(test, ("text", "label"), rows_of(given.test, given.text, given.label))
    settings = [part for one in given.overrides for part in ("--set", one)]
    bertft(
        *("train", recipe, "--train", train, "--test", test, "--model", given.model),
        *("--out", folder / str(number), "--seed", seed, "--offline"),
        *("--set", "data.dev_share=0", *settings),
    )
    scores = json.loads((folder / str(number) / "scores.json").read_text(encoding="utf-8"))
    return float(scores["metrics"][make_task({"name": given.task}).metric]["value"])


def suggested(
    drawn: Sequence[Row],
    known: Sequence[Row],
    given: argparse.Namespace,
    folder: Path,
    number: int,
    *,
    seed: int,
) -> list[Row]:
    """What the run of this round asks for, of the rows whose labels are not known."""
    pool, out = folder / "pool.csv", folder / f"next-{number}.csv"
    has_label = set(known)
    write(
        pool, ("id", "text"), [(n, one.text) for n, one in enumerate(drawn) if one not in has_label]
    )
    bertft(
        *("suggest", pool, "--run", folder / str(number), "--count", given.each),
        *("--out", out, "--seed", seed, "--offline"),
    )
    with out.open(encoding="utf-8", newline="") as file:
        return [drawn[int(one["id"])] for one in csv.DictReader(file)]


def bertft(*arguments: object) -> None:
    command = [sys.executable, "-m", "bertft", *map(str, arguments)]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr[-2000:]}")


def write(path: Path, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([tuple(columns), *rows])


def table(scores: dict[str, dict[int, list[float]]]) -> str:
    lines = [f"| rows with labels | {' | '.join(WAYS)} |", "|---" * (len(WAYS) + 1) + "|"]
    for count in scores[WAYS[0]]:
        means = (statistics.fmean(scores[way][count]) for way in WAYS if count in scores[way])
        lines.append(f"| {count} | {' | '.join(f'{one:.3f}' for one in means)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
