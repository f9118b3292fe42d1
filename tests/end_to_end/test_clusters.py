"""The scripts of the page on clusters, on a local cluster: answers of two workers are those of one
process. They need Ray and Spark, which are large: an optional part of CI.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from docs.pages import LANGUAGES, ROOT, blocks
from samples import FAST, set_flags

from bertft.commands.launch import launch
from bertft.jobs.scripts import Launch
from bertft.prediction.predictor import load

PAGES = [ROOT / "docs" / language / "guides" / "clusters.md" for language in LANGUAGES]
WORDS = "the plot is slow good film dull never 영화 정말 좋다".split()  # noqa: SIM905
ROWS = 3000
pytestmark = pytest.mark.slow


@pytest.fixture
def rows(tmp_path: Path) -> pd.DataFrame:
    """A table, also as rows.csv; one text is missing."""
    chosen = random.Random(3)
    texts = [" ".join(chosen.choices(WORDS, k=chosen.randint(1, 9))) for _ in range(ROWS)]
    table = pd.DataFrame({"id": [f"r{n}" for n in range(ROWS)], "text": texts})
    table.loc[77, "text"] = None
    table.to_csv(tmp_path / "rows.csv", index=False)
    return table


def script(name: str) -> str:
    """A script of the page, the same in both languages."""
    (text, other) = ("".join(b.text for b in blocks(page) if b.file == name) for page in PAGES)
    assert text == other
    assert text
    return text


def start(folder: Path, name: str, text: str, *arguments: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, name, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path, "RAY_DEDUP_LOGS": "0"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.mark.parametrize(
    ("engine", "name"), [("ray", "predict_ray.py"), ("pyspark", "predict_spark.py")]
)
def test_two_workers_answer_as_one_process_does(
    run: Path, rows: pd.DataFrame, tmp_path: Path, engine: str, name: str
) -> None:
    pytest.importorskip(engine, reason=f"{engine} is not installed: pip install '.[clusters]'")
    if engine == "pyspark" and not shutil.which("java"):
        pytest.skip("Spark needs Java")
    start(tmp_path, name, script(name), "run", "rows.csv", "answers", "2")
    parts = [pd.read_parquet(one) for one in (tmp_path / "answers").glob("*.parquet")]
    found = pd.concat(parts).set_index("id").loc[rows["id"]]
    expected = pd.DataFrame(load(run).predict_columns(rows)).set_index("id")
    assert list(found) == list(expected)
    for column in ("predicted_label", "truncated", "error"):
        assert found[column].fillna("").tolist() == expected[column].fillna("").tolist(), column
    assert found["probability"].to_numpy(dtype=float) == pytest.approx(
        expected["probability"].to_numpy(dtype=float), abs=1e-2, nan_ok=True
    )  # bf16, where that pays, rounds by batch


@pytest.mark.parametrize("verb", ["train", "predict"])
def test_ray_runs_what_launch_writes(
    trained: Path, tiny: Path, rows: pd.DataFrame, tmp_path: Path, verb: str
) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install '.[clusters]'")
    data = str(trained.parent / "train.csv")
    arguments = {
        "train": ["sentiment", f"--train={data}", f"--model={tiny}", *set_flags(*FAST)],
        "predict": ["rows.csv", "--run", str(trained), "--part-rows", "500"],
    }
    what = Launch(
        arguments=(verb, *arguments[verb], "--out", "out/"),
        machines=1,
        processes=2,
        gpu=False,
        interface="",
        port=29511,
    )
    start(tmp_path, "script.py", launch("ray", what, out="out/", shard="").text)
    left = {"train": "scores.json", "predict": "_shard-2-of-2.json"}
    assert (tmp_path / "out" / left[verb]).is_file()
