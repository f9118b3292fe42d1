"""Seconds from the key press to the answer: the help, and one text answered by a finished run.

    python benchmarks/startup.py RUN [--rounds K]

RUN is a run of one label for one text. Beside them: a script that answers the same text with
transformers' pipeline, and one that does nothing but import transformers and torch. All in turns,
each a new process with files in the disk cache; prints medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

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
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(given.rounds + 1):  # the first round fills the disk cache
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, input=TEXT + "\n", text=True, capture_output=True, check=True)
            seconds[name].append(time.perf_counter() - started)
    print("| command | seconds |\n|---|---|")
    for name, found in seconds.items():
        print(f"| `{name}` | {statistics.median(found[1:]):.2f} |")


if __name__ == "__main__":
    main()
