"""No pickle is opened and no code of a model folder is run, whatever a folder holds."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from samples import FAST, Command, set_flags


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (Path.touch, (self.mark,))


def change(file: Path, **fields: Any) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content | fields), encoding="utf-8")


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that exists once a trap has sprung."""
    return tmp_path / "sprung"


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A model folder of one's own, with a head: that of a finished run."""
    return Path(shutil.copytree(trained / "best", tmp_path / "model"))


@pytest.fixture
def train(command: Command, folder: Path, trained: Path) -> Any:
    """Starts a training on the model folder: (exit code, stdout, stderr)."""
    data = str(trained.parent / "train.csv")

    def call() -> tuple[int, str, str]:
        chosen = ["--model", str(folder), "--train", data, "--dry-run"]
        return command("train", "sentiment", *set_flags(*FAST), *chosen)

    return call


@pytest.fixture
def predict(command: Command, folder: Path, tmp_path: Path) -> Any:
    """Answers a text with the model folder: (exit code, stdout, stderr)."""
    (tmp_path / "a.txt").write_text("a good film\n", encoding="utf-8")
    return lambda: command("predict", "a.txt", "--run", str(folder))


def plant(path: Path, mark: Path) -> None:
    path.write_bytes(pickle.dumps({"weight": Trap(mark)}))


def test_the_trap_springs(tmp_path: Path, mark: Path) -> None:
    plant(tmp_path / "trap", mark)
    pickle.loads((tmp_path / "trap").read_bytes())
    assert mark.exists()


PICKLES = ("pytorch_model.bin", "model.bin", "training_args.bin", "optimizer.pt", "tf_model.h5")


def test_pickles_beside_safetensors_are_not_opened(train, predict, folder, mark):
    for name in PICKLES:
        plant(folder / name, mark)
    assert [train()[0], predict()[0]] == [0, 0]
    assert not mark.exists()


@pytest.mark.parametrize("name", [*PICKLES, "pytorch_model.safetensors", "model.safetensors"])
def test_pickles_in_the_place_of_safetensors_are_refused(train, predict, folder, mark, name):
    (folder / "model.safetensors").unlink()
    plant(folder / name, mark)
    for code, out, err in (train(), predict()):
        assert (code, out) == (2, "")
        assert "safetensors" in err or "cannot be loaded" in err
    assert not mark.exists()


@pytest.mark.parametrize("listed", ["evil.bin", "../evil.safetensors", 7])
def test_an_index_leads_to_safetensors_only(train, predict, folder, mark, listed):
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    plant(folder / "evil.bin", mark)
    index = {"metadata": {}, "weight_map": {"bert.embeddings.word_embeddings.weight": listed}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    for code, out, err in (train(), predict()):
        assert (code, out) == (2, "")
        assert "model.safetensors.index.json: n" in err
    assert not mark.exists()


def test_a_pickle_is_not_converted(command, folder, mark, tmp_path):
    plant(folder / "pytorch_model.bin", mark)
    code, _, err = command("models", "convert", str(folder), str(tmp_path / "new"))
    assert (code, mark.exists()) == (2, False)
    assert "refused, not plain tensors" in err


@pytest.mark.parametrize("known", [True, False], ids=["known model type", "unknown model type"])
def test_python_files_are_never_imported(train, predict, folder, mark, monkeypatch, known):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether to run it"))
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n", encoding="utf-8")
    autos = ("AutoConfig", "AutoModel", "AutoModelForSequenceClassification")
    changes = {} if known else {"model_type": "evil", "architectures": ["Evil"]}
    change(folder / "config.json", auto_map=dict.fromkeys(autos, "evil.Evil"), **changes)
    tokenizer = {"auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    tokenizer |= {} if known else {"tokenizer_class": "Evil"}
    change(folder / "tokenizer_config.json", **tokenizer)
    codes = [train()[0], predict()[0]]
    assert set(codes) <= {0, 2}
    assert known or codes == [2, 2]
    assert not mark.exists()
