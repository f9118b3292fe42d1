"""Seconds from the key press to the answer: the help, slips, listings, and one text answered.

    python benchmarks/startup.py RUN [--rounds K]

RUN is a run of one label for one text, or an export of one. Beside them: a script that answers the
same text with transformers' pipeline, and one that does nothing but import transformers and torch.
All in turns, each a new process with files in the disk cache; prints medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

SLIPS = (
    "train sentimant",
    "train reviews.csv",
    "train sentiment --epochs 3",
    "train sentiment --set epochs=3",
    "predict nosuch.txt --run RUN",
    "eval nosuch",
    "recipes list",
    "models list",
    "runs list",
    "runs show RUN",
    "cache",
    "tokenize Unbelievable",
)
"""Slips, and what only lists or cuts: none of them needs torch."""
TEXT = "A slow start, but the last half hour is worth the ticket."
IMPORTS = "import torch, transformers"
PIPELINE = """
import sys, transformers
transformers.utils.logging.disable_progress_bar()
print(transformers.pipeline("text-classification", model=sys.argv[1], device="cpu")(sys.argv[2]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    python, own = sys.executable, [sys.executable, "-m", "bertft"]
    commands = {
        "bertft --help": [*own, "--help"],
        "bertft predict - --run RUN": [*own, "predict", "-", "--run", given.run],
        "transformers pipeline": [python, "-c", PIPELINE, f"{given.run}/best", TEXT],
        IMPORTS: [python, "-c", IMPORTS],
    }
    slips = {f"bertft {one}": [*own, *one.replace("RUN", given.run).split()] for one in SLIPS}
    seconds: dict[str, list[float]] = {name: [] for name in commands | slips}
    for _ in range(given.rounds + 1):  # the first round fills the disk cache
        for name, command in (commands | slips).items():
            started = time.perf_counter()
            done = subprocess.run(
                command, input=TEXT + "\n", text=True, capture_output=True, check=False
            )
            if done.returncode not in ((0, 2) if name in slips else (0,)):
                raise SystemExit(f"{name}\n{done.stdout}{done.stderr}")
            seconds[name].append(time.perf_counter() - started)
    print("| command | seconds |\n|---|---|")
    for name, found in seconds.items():
        print(f"| `{name}` | {statistics.median(found[1:]):.2f} |")


if __name__ == "__main__":
    main()
