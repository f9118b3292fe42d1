"""The table of benchmarks/quality.py: both orders of Trainer beside bertft, with intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

F1 = {"random": (0.74, 0.76), "grouped": (0.70, 0.72), "bertft": (0.80, 0.82)}


def test_three_columns_and_two_differences(script: Any, tmp_path: Path) -> None:
    """Means 0.81, 0.75 and 0.71, all of deviation 0.0141; 0.01 for a mean of two, 2 degrees of
    freedom: t is 4.303, half an interval sqrt(2) x 1.0 x 4.303 = 6.08 points."""
    arguments = []
    for order in ("random", "grouped"):
        for seed, value in enumerate(F1[order]):
            path = tmp_path / f"{order}-{seed}.json"
            content = {"name": "ner", "scores": {"f1": value}, "seconds_training": 10 + seed}
            path.write_text(json.dumps(content | {"settings": {"order": order}}))
            arguments.append(str(path))
    for seed, value in enumerate(F1["bertft"]):
        run = tmp_path / f"run-{seed}"
        run.mkdir()
        (run / "scores.json").write_text(json.dumps({"metrics": {"f1": {"value": value}}}))
        steps = [{"event": "plan"}, {"step_seconds": 3.0}, {"step_seconds": 4.0}]
        (run / "journal.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in steps))
        arguments += ["--ours", f"ner={run / 'scores.json'}"]
    done = script("quality.py", "table", *arguments)
    header, _, scores, seconds = done.stdout.splitlines()
    assert header.startswith("| data | measure | bertft | Trainer random | Trainer grouped |")
    assert scores == (
        "| ner | f1 | 81.00 ± 1.41 | 75.00 ± 1.41 | 71.00 ± 1.41 "
        "| +6.00 (-0.08 to +12.08) | +10.00 (+3.92 to +16.08) | 2, 2, 2 |"
    )
    assert seconds.startswith("| ner | seconds_training | 7.0 ± 0.0 | 10.5 ± 0.7 | 10.5 ± 0.7 |")
