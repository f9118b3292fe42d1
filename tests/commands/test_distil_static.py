"""distil --to static: token vectors that numpy answers with, as a run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from running import Ear
from samples import BAD, GOOD

import bertft
from bertft.commands.distil import DistilRequest
from bertft.commands.distil_static import distil_static
from bertft.contracts import Encoded
from bertft.encoder.static import inverse_frequency, principal
from bertft.engines.on_static import StaticEngine, StaticWeights, open_static
from bertft.errors import BertftError
from bertft.runs.compare import compare_runs

NEW = ["a good food", "slow and bad", "i love fun", "dull and awful"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "texts.csv"
    rows = [f"{n},{text}" for n, text in enumerate((GOOD + BAD) * 4)]
    path.write_text("\n".join(["no,review", *rows, "99,"]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(trained, texts):
    """(the static run, what was said)"""
    ear, out = Ear(), texts.parent / "static"
    request = DistilRequest(
        run=str(trained),
        files=(str(texts),),
        to="static",
        out=str(out),
        seed=3,
        overrides=("static.dimensions=16", "static.batch_size=8", "static.learning_rate=1e-2"),
    )
    assert distil_static(request, watch=ear).run == out
    return out, ear.notes


def test_it_agrees_with_its_teacher(made, trained):
    run, notes = made
    teacher, static = bertft.load(trained, device="cpu", precision="fp32"), bertft.load(run)
    pairs = zip(teacher.predict(NEW), static.predict(NEW), strict=True)
    assert sum(a["label"] == b["label"] for a, b in pairs) >= 3
    assert static.predict("")["error"]
    assert any("the teacher's" in one and "95 % CI" in one for one in notes)
    assert any("1 row cannot be used: left out" in one for one in notes)


def test_several_teach(trained, texts, tmp_path):
    second = shutil.copytree(trained, tmp_path / "second")
    ear = Ear()
    request = DistilRequest(
        run=str(trained), teachers=(str(second),), files=(str(texts),), to="static",
        out=str(tmp_path / "static"), overrides=("static.dimensions=8", "static.epochs=1"),
    )  # fmt: skip
    distil_static(request, watch=ear)
    assert any("with the mean of 2 teachers' probabilities" in one for one in ear.notes)


def test_it_is_a_run(made, trained, command):
    run, _ = made
    scores = json.loads((run / "scores.json").read_text())
    assert scores["split"] == "test"  # the teacher's
    assert compare_runs(str(trained), str(run))["n"] == scores["n"]
    code, out, _ = command("eval", str(run), "--data", str(trained.parent / "test.csv"), "--json")
    assert code == 0
    assert json.loads(out)["metrics"] == scores["metrics"]
    for verb in (["explain", "a film", "--run", str(run)], ["export", str(run), "folder"]):
        code, _, err = command(*verb)
        assert code == 2, err


def test_numpy_alone_answers(made):
    run, _ = made
    program = (
        "import sys, bertft; found = bertft.load(sys.argv[1]).predict(sys.argv[2:]); "
        "assert not {'torch', 'transformers', 'scipy'} & {*sys.modules}; "
        "print([one['label'] for one in found])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(run), *NEW], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([one["label"] for one in bertft.load(run).predict(NEW)])


def test_a_damaged_file_is_told(made, tmp_path):
    run = shutil.copytree(made[0], tmp_path / "copy")
    (run / "best" / "vectors.safetensors").write_bytes(b"no")
    with pytest.raises(BertftError, match=r"vectors\.safetensors: cannot be loaded"):
        bertft.load(run)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"overrides": ("training.epochs=1",)}, "training.epochs=1: no setting of a static model"),
        ({"overrides": ("static.hidden=0",)}, "static.hidden"),
        ({"overrides": ("static.width=3",)}, "static.width"),
        ({"run": "nowhere"}, "no run directory nowhere"),
        ({"files": ("nowhere.txt",)}, "nowhere.txt"),
    ],
)
def test_a_slip_is_told_before_the_teacher_works(trained, texts, tmp_path, change, told):
    given = {"run": str(trained), "files": (str(texts),), "out": str(tmp_path / "new")}
    with pytest.raises(BertftError, match=told):
        distil_static(DistilRequest(**(given | {"to": "static"} | change)), watch=Ear())
    assert not list(tmp_path.glob("new*"))


def test_pairs_are_refused(bases, texts, tmp_path):
    request = DistilRequest(run=str(bases["nli"]), files=(str(texts),), to="static")
    with pytest.raises(BertftError, match="classification of single texts, not of pairs"):
        distil_static(request, watch=Ear())


def weights() -> StaticWeights:
    random = np.random.default_rng(0)
    shapes = [(9, 4), (4, 5), (5,), (5, 3), (3,)]
    return StaticWeights(*(random.normal(size=one).astype(np.float32) for one in shapes))


def test_the_engine_computes_what_it_says(tmp_path: Path, monkeypatch):
    made = weights()
    made.save(tmp_path / "vectors.safetensors")
    engine = open_static(tmp_path / "vectors.safetensors")
    texts = [[1, 2, 2], [8], [3, 4, 5, 6, 7]]
    encoded = [Encoded(ids, [], n) for n, ids in enumerate(texts)]
    found = engine.logits(encoded)
    for ids, logits in zip(texts, found, strict=True):
        total = made.vectors[ids].sum(axis=0)
        inner = np.maximum(total / np.linalg.norm(total) @ made.hidden + made.hidden_bias, 0)
        assert logits == pytest.approx(inner @ made.output + made.output_bias, abs=5e-3)
    monkeypatch.setattr("bertft.engines.on_static.TOKENS", 4)
    assert np.allclose(engine.logits(encoded), found)
    assert engine.logits([]) == []
    assert isinstance(engine, StaticEngine)


def test_principal_components_keep_what_differs():
    random = np.random.default_rng(0)
    flat = random.normal(size=(50, 2)) @ random.normal(size=(2, 6)) + 3
    flat[0] = 0  # a special token
    found = principal(flat.astype(np.float32), dimensions=2)
    assert found.shape == (50, 2)
    assert not found[0].any()
    apart = [np.linalg.norm(one[1:, None] - one[None, 1:], axis=-1) for one in (flat, found)]
    assert np.allclose(*apart, atol=1e-3)


def test_frequent_tokens_count_less():
    found = inverse_frequency(np.array([0, 10, 100_000]))
    assert found[0] > found[1] > found[2] > 0
