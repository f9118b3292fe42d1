"""Tagged files of other shapes, from check to train, eval and predict; and what follows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import FAST, set_flags

from bertft.commands.check import check
from bertft.encoder.load import load_tokenizer
from bertft.encoder.pieces import pieces_of
from bertft.errors import BertftError
from bertft.jobs.prepare import prepare
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.loaders.reading import read_examples
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.watch import Silent

NAMES = ["kim", "lee park", "ann"]
PLACES = ["oslo", "seoul"]
SHORT = ("model.max_length=32", "task.window_overlap=4")
DEVICE = ["--device", "cpu", "--precision", "fp32"]


def sentences(count: int = 24) -> list[list[tuple[str, str]]]:
    found = []
    for i in range(count):
        name = NAMES[i % 3].split()
        words = [(word, f"{'I' if n else 'B'}-PER") for n, word in enumerate(name)]
        found.append([*words, ("was", "O"), ("in", "O"), (PLACES[i % 2], "B-LOC")])
    return found


def conll(form: str) -> str:
    return "\n".join(
        "".join(form.format(i=i, word=w, tag=t) + "\n" for i, (w, t) in enumerate(one, start=1))
        for one in sentences()
    )


def doccano() -> str:
    lines = []
    for one in sentences():
        text, spans, at = " ".join(word for word, _ in one), [], 0
        for word, tag in one:
            if tag.startswith("I-"):
                spans[-1][1] = at + len(word)
            elif tag != "O":
                spans.append([at, at + len(word), tag[2:]])
            at += len(word) + 1
        lines.append(json.dumps({"text": text, "label": spans}))
    return "\n".join(lines) + "\n"


@pytest.fixture
def trained_on(command: Any, tiny: Path, tmp_path: Path):
    def train(name: str, content: str) -> str:
        (tmp_path / name).write_text(content, encoding="utf-8")
        code, _, err = command("train", "ner", "--train", name, "--dev", name, "--test", "",
                               "--model", str(tiny), "--out", "run",
                               *set_flags(*FAST, *SHORT, "data.test=''"))  # fmt: skip
        assert code == 0, err
        return str(err)

    return train


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.conll", conll("{i}\t{word}\t{tag}"), "column 1 only counts and is left out"),
        ("a.jsonl", doccano(), "read as doccano's JSON lines"),
    ],
)
def test_train_eval_and_predict_alike(command, trained_on, tmp_path, name, content, said):
    assert said in trained_on(name, content)
    code, _, err = command("eval", "run", "--data", name, *DEVICE)
    assert (code, said in err) == (0, True), err
    answers = {}
    for form in ("jsonl", "doccano", "label-studio", "conll"):
        out = {"label-studio": "json", "doccano": "jsonl"}.get(form, form)
        flags = ["--run", "run", "--format", form, "--out", f"{form}.{out}", *DEVICE]
        code, _, err = command("predict", name, *flags)
        assert (code, said in err) == (0, True), err
        code, _, err = command("eval", "run", "--data", f"{form}.{out}", *DEVICE, "--json")
        answers[form] = code
        assert code == 0 or "no text has an entity" in err, err
    lines = (tmp_path / "jsonl.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    assert texts == [" ".join(word for word, _ in one) for one in sentences()]


def report(task: str, tiny: Path, *settings_: str, fix: str = "", **files: str) -> Any:
    request = TrainRequest(recipe=task, model=str(tiny), overrides=(*SHORT, *settings_), **files)
    return check(read_recipe(request), fix=fix)


@pytest.mark.parametrize("name", ["a.conll", "a.jsonl"])
def test_no_entity_at_all(tiny, tmp_path, name):
    words = ["it", "was"] * 40  # more than one window holds
    content = "".join(f"{word}\tO\n" for word in words)
    if name == "a.jsonl":
        content = json.dumps({"text": " ".join(words), "entities": []}) + "\n"
    path = tmp_path / name
    path.write_text(content)
    found = report("ner", tiny, "data.dev=''", "data.test=''", train=str(path))
    (fault,) = [one for one in found.findings if one.severity == "error"]
    assert (fault.code, fault.places[0].text) == ("labels", "no text has an entity")
    found = report("ner", tiny, "data.train=''", "data.dev=''", test=str(path))
    assert found.count("error") == 0
    where = str(path)
    request = TrainRequest(recipe="ner", model=str(tiny), train=where, dev=where, overrides=SHORT)
    with pytest.raises(BertftError, match="no text has an entity; add tagged texts"):
        prepare(read_recipe(request), request, watch=Silent())


def test_other_offsets_are_a_warning_and_repaired(tiny, tmp_path):
    lines = [json.loads(line) for line in doccano().splitlines()]
    rows = [{"text": one["text"], "entities": [[a, b - 1, n] for a, b, n in one["label"]]}
            for one in lines]  # fmt: skip
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {"train": str(path), "dev": str(path), "test": str(path)}
    found = report("ner", tiny, **files)
    warnings = [one for one in found.findings if one.code == "offsets"]
    assert [(one.count, one.of) for one in warnings] == [(48, 48)] * 3
    assert found.exit_code(strict=True) == 3
    found = report("ner", tiny, fix=str(tmp_path / "out"), **files)
    assert "offsets" not in {one.code for one in found.findings}
    assert sum(one.code == "repaired" for one in found.findings) == 3
    found = report("ner", tiny, 'task.offsets="inclusive"', **files)
    assert "offsets" not in {one.code for one in found.findings}


WORD = st.sampled_from(["kim", "\u200b", "\x01", "가", "😀", "e\u0301", "#", "1", '"', "a-b"])
TAG = st.sampled_from(["O", "B-X", "I-X", "B-Y z", "I-Y z", "S-X", "E-X"])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.lists(st.lists(st.tuples(WORD, TAG), min_size=1, max_size=12), min_size=1, max_size=6),
    pieces=st.sampled_from(["first", "all"]),
    decoding=st.sampled_from(["constrained", "greedy", "viterbi"]),
    seed=st.integers(0, 9),
)
def test_whatever_is_readable_can_be_used(tiny, tmp_path, data, pieces, decoding, seed):
    """Labels, findings, windows, fit, decode and scores: one line, or no fault."""
    path = tmp_path / "fuzz.conll"
    path.write_text("\n".join("".join(f"{w}\t{t}\n" for w, t in one) for one in data))
    try:
        report(
            "ner",
            tiny,
            f"task.label_pieces={pieces}",
            train=str(path),
            dev=str(path),
            test=str(path),
        )
        task: Any = make_task(
            {"name": "ner", "label_pieces": pieces, "decoding": decoding, "window_overlap": 2}
        )
        examples = read_examples(task, str(path), DataSettings(), watch=Silent())
        task = task.learn_labels(examples, path=str(path))
    except BertftError:  # no entity in it, say: one line
        return
    encoded = task.encode(examples, load_tokenizer(tiny), max_length=8)
    task.remarks(examples, encoded)
    noise = np.random.default_rng(seed)
    logits = [noise.normal(size=(len(one), len(task.labels))).astype("float32") for one in encoded]
    windows = pieces_of(len(examples), encoded, logits)
    task = task.fit(examples, windows)
    answers = [task.decode(*pair) for pair in zip(examples, windows, strict=True)]
    for example, answer, parts in zip(examples, answers, windows, strict=True):
        json.dumps(answer | task.gold(example, answer, parts))
        for one in answer["entities"]:
            assert example.text[one["start"] : one["end"]] == one["text"]
    assert task.score(examples, answers).values
    task.bind(task.labels, json.loads(json.dumps(task.learned)))
