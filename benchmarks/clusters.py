"""Rows a second of Ray Data and Spark with one worker and with two, beside one process.

    python benchmarks/clusters.py RUN [--rows 4000] [--rounds 2]

RUN is a run of one label for one text, or an export of one. The scripts are those of
docs/en/guides/clusters.md; each is run on N and on 3 N made-up rows, so that what it takes to start
goes out: rows a second are 2 N by the difference. All in turns, OMP_NUM_THREADS=1; prints medians.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kills import write_rows

PAGE = Path(__file__).parents[1] / "docs" / "en" / "guides" / "clusters.md"
ALONE = """
import sys
import pandas as pd
import bertft
run, texts, answers, _ = sys.argv[1:]
predictor = bertft.load(run)
found = [pd.DataFrame(predictor.predict_columns(frame))
         for frame in pd.read_csv(texts, chunksize=2048)]
pd.concat(found).to_parquet(answers + ".parquet")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    scripts = dict(re.findall(r"```py (\S+)\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL))
    contenders = [("alone.py", 1), *((name, workers) for name in scripts for workers in (1, 2))]
    scripts["alone.py"] = ALONE
    rates: dict[tuple[str, int], list[float]] = {one: [] for one in contenders}
    starts: dict[tuple[str, int], list[float]] = {one: [] for one in contenders}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for script, text in scripts.items():
            (folder / script).write_text(text, encoding="utf-8")
        for size in (given.rows, 3 * given.rows):
            write_rows(folder / f"{size}.csv", size, seed=0)
        for turn in range(given.rounds):
            for script, workers in contenders:
                few, many = (
                    seconds(folder, script, given.run, size, workers, turn=turn)
                    for size in (given.rows, 3 * given.rows)
                )
                rates[script, workers].append(2 * given.rows / (many - few))
                starts[script, workers].append(few - (many - few) / 2)
    print("| script | workers | rows a second | seconds of the start |\n|---|---|---|---|")
    for (script, workers), found in rates.items():
        start = statistics.median(starts[script, workers])
        print(f"| {script} | {workers} | {statistics.median(found):,.0f} | {start:.1f} |")


def seconds(folder: Path, script: str, run: Path, rows: int, workers: int, *, turn: int) -> float:
    """Seconds of a script from its start to its end."""
    answers = f"{script}-{rows}-{workers}-{turn}"
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, script, str(run.resolve()), f"{rows}.csv", answers, str(workers)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=True,
    )
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
