"""One of several processes: takes the trainings that a file names, one after another.

torchrun --nproc-per-node 2 tests/training/worker.py JOBS.json
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from bertft.commands.prepare import TrainRequest
from bertft.commands.train import train
from bertft.commands.watch import Silent
from bertft.contracts import StepReport
from bertft.errors import Interrupted


class Stop(Silent):
    """The second process, and only that one, is told to end at a step."""

    def __init__(self, at: int) -> None:
        self._at = at

    def step(self, report: StepReport) -> None:
        if report.step == self._at and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        request = job["request"] | {"overrides": tuple(job["request"].get("overrides", ()))}
        try:
            train(TrainRequest(**request), watch=Stop(job.get("stop_at", 0)))
        except Interrupted as error:
            Path(f"{job['told']}-{os.environ['RANK']}").write_text(str(error), encoding="utf-8")


if __name__ == "__main__":
    main()
