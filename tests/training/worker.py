"""One of several processes: takes the trainings that a file names, one after another.

torchrun --nproc-per-node 2 tests/training/worker.py JOBS.json
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from bertft.commands.train import train
from bertft.encoder import lookup
from bertft.errors import Interrupted
from bertft.jobs.request import TrainRequest
from bertft.training import inference
from bertft.watch import Silent, StepReport

MAX_TOKENS = inference.MAX_TOKENS


class Stop(Silent):
    """The second process, and only that one, is told to end at a step; or both are killed."""

    def __init__(self, *, told_at: int, killed_at: int) -> None:
        self._told_at, self._killed_at = told_at, killed_at

    def step(self, report: StepReport) -> None:
        if report.step == self._told_at and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGTERM)
        if report.step == self._killed_at:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        request = job["request"] | {"overrides": tuple(job["request"].get("overrides", ()))}
        inference.MAX_TOKENS = job.get("max_tokens", MAX_TOKENS)
        lookup.LARGE = 8  # so that the rows of small tables are exchanged, too
        stop = Stop(told_at=job.get("stop_at", 0), killed_at=job.get("killed_at", 0))
        try:
            train(TrainRequest(**request), watch=stop)
        except Interrupted as error:
            Path(f"{job['told']}-{os.environ['RANK']}").write_text(str(error), encoding="utf-8")


if __name__ == "__main__":
    main()
