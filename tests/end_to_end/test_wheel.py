"""The wheel works outside the checkout: recipes and data travel with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from samples import GOOD

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_recipe_and_data_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for kind in ("recipes", "data"):
        for path in (ROOT / kind).rglob("*"):
            if path.is_file():
                assert f"bertft/_bundled/{path.relative_to(ROOT).as_posix()}" in names
    for path in (ROOT / "bertft/reports/templates").iterdir():
        assert f"bertft/reports/templates/{path.name}" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_an_empty_environment_trains_scores_and_predicts(
    wheel: Path, tmp_path: Path, tiny: Path, reviews: dict[str, Path]
) -> None:
    """The dependencies are shared with this environment; bertft itself comes from the wheel."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    bin_ = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    install = [str(bin_ / "python"), "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    site = next(path for path in sys.path if path.endswith("site-packages"))
    asked = [str(bin_ / "python"), "-c", "import site; print(site.getsitepackages()[0])"]
    done = subprocess.run(asked, check=True, capture_output=True, text=True)
    dependencies = Path(done.stdout.strip())
    # After the environment's own packages, so that the wheel's bertft is the one imported; the
    # path entry alone does not read the .pth file that would bring the checkout back.
    (dependencies / "dependencies.pth").write_text(site + "\n", encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()

    def bertft(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(bin_ / "bertft"), *arguments]
        return subprocess.run(
            command, cwd=work, input=stdin, capture_output=True, text=True, check=True
        )

    where = [str(bin_ / "python"), "-c", "import bertft; print(bertft.__file__)"]
    found = subprocess.run(where, cwd=work, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(tmp_path)
    assert "sentiment\t" in bertft("recipes", "list").stdout
    settings = ["training.epochs=1", "model.max_length=32", "training.device=cpu"]
    flags = [part for setting in settings for part in ("--set", setting)]
    files = [part for name, path in reviews.items() for part in (f"--{name}", str(path))]
    done = bertft("train", "sentiment", "--model", str(tiny), *files, *flags)
    assert done.stdout == ""
    done = bertft("eval", "sentiment", "--json")
    assert json.loads(done.stdout)["n"] == len(reviews["test"].read_text().splitlines()) - 1
    done = bertft("predict", "-", stdin="\n".join(GOOD))
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == GOOD
