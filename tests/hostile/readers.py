"""Every reader of bertft with whole files to break: the folder of a finished run in, Readers out.

A Reader's ``read`` takes the folder in which its broken ``file`` lies beside whole ones, and reads
it as the commands do. It raises BertftError, or returns how much it read.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.commands.predict import predict_files
from bertft.commands.predict_request import PredictRequest
from bertft.commands.runs import list_runs, show_run
from bertft.console.console import Console
from bertft.console.scores import show_scores
from bertft.jobs.prepare import prepare
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.loaders.reading import read_examples
from bertft.prediction.predictor import Predictor, load
from bertft.recipe import bundled_root, load_recipe
from bertft.runs.compare import compare_runs
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.watch import Silent

DATA = bundled_root() / "data"


@dataclass(frozen=True)
class Reader:
    """``file`` is what is broken, ``samples`` its whole contents, ``cost`` inputs that it stands
    for: a reader that loads a model is given fewer."""

    name: str
    file: str
    samples: tuple[bytes, ...]
    read: Callable[[Path], int]
    cost: int = 1


def readers(run: Path) -> list[Reader]:
    """All readers; ``run`` is a finished run of the tiny model."""
    return [*_data_readers(), *_predictors(run), *_run_readers(run), *_model_readers(run)]


# --- training data ----------------------------------------------------------------------------


def _data_readers() -> Iterator[Reader]:
    reviews = _head("sentiment/en/train.csv", 30)
    lines = [line.rsplit(b",", 1) for line in reviews.splitlines()[1:]]
    texts = [(text.strip(b'"').decode(), label.decode()) for text, label in lines]
    objects = [{"id": str(i), "text": t, "label": n} for i, (t, n) in enumerate(texts)]
    jsonl = _jsonl(objects)
    tsv = b"text\tlabel\n" + b"".join(f"{t}\t{n}\n".encode() for t, n in texts)
    several = _jsonl({"text": t, "labels": [n, "other"]} for t, n in texts)
    numbers = _jsonl(
        {"sentence1": t, "sentence2": t, "label": i / 7} for i, (t, _) in enumerate(texts)
    )
    entities = _head("ner/en/train.jsonl", 20)
    words = _jsonl(
        {"tokens": ["Ann", *t.split()], "ner_tags": ["B-PER", *["O"] * len(t.split())]}
        for t, _ in texts
    )
    conll = _conll(entities)
    kinds = {"name": "classification"}
    yield _data("CSV", "a.csv", kinds, reviews)
    yield _data("TSV", "a.tsv", kinds, tsv)
    yield _data("JSON lines", "a.jsonl", kinds, jsonl)
    yield _data("JSON array", "a.json", kinds, json.dumps(objects, indent=1).encode())
    yield _data("Parquet", "a.parquet", kinds, _parquet(objects), _parquet(objects[:9]))
    yield _data("several labels", "a.jsonl", {**kinds, "multi_label": True}, several)
    yield _data("numbers", "a.jsonl", {**kinds, "regression": True, "pairs": True}, numbers)
    yield _data("pairs", "a.csv", {"name": "nli"}, _head("nli/en/train.csv", 20))
    yield _data("CoNLL", "a.conll", {"name": "ner"}, conll)
    yield _data("KLUE-NER", "a.tsv", {"name": "ner"}, _characters())
    yield _data("tagged rows", "a.jsonl", {"name": "ner"}, entities, words)
    yield _data("tagged Parquet", "a.parquet", {"name": "ner"}, _parquet(_objects(entities)))
    yield _data("SQuAD", "a.json", {"name": "qa"}, _squad("en", 2), _squad("ko", 1, indent=1))
    yield _data("question rows", "a.jsonl", {"name": "qa"}, _questions())
    passages = _head("retrieval/en/train.jsonl", 20)
    yield _data("passages", "a.jsonl", {"name": "retrieval"}, passages)
    yield _data("passages of SQuAD", "a.json", {"name": "retrieval"}, _squad("en", 2))


def _data(name: str, file: str, task: dict[str, Any], *samples: bytes) -> Reader:
    def read(folder: Path) -> int:
        path = str(folder / file)
        data = DataSettings()
        skip = data.model_copy(update={"on_bad_row": "skip"})
        skipped = _attempt(lambda: len(_used(task, path, skip)))
        strict = len(_used(task, path, data))
        assert skipped == strict, "a file without fault has no row to skip"
        return strict

    return Reader(name, file, samples, read)


def _used(task: dict[str, Any], path: str, data: DataSettings) -> list[Any]:
    """The examples, as far as training uses them without a model; their texts can be written."""
    made = make_task(task)
    examples = read_examples(made, path, data, watch=Console())
    for one in examples:
        json.dumps([one.id, one.text, getattr(one, "gold", None)], ensure_ascii=False).encode()
    made = made.learn_labels(examples, path=path)
    made.check(examples, path=path)
    return examples


def _attempt(read: Callable[[], int]) -> int:
    from bertft.errors import BertftError

    try:
        return read()
    except BertftError:
        return -1


# --- predict ----------------------------------------------------------------------------------


def _predictors(run: Path) -> Iterator[Reader]:
    text = (DATA / "demo" / "notes.txt").read_bytes()
    rows = (DATA / "demo" / "pairs.csv").read_bytes()
    predictor = load(run, device="cpu", precision="fp32")
    yield _predicted("predict, text", "a.txt", predictor, text)
    yield _predicted("predict, whole file", "a.txt", predictor, text, whole_file=True)
    yield _predicted("predict, CSV", "a.csv", predictor, rows)


def _predicted(
    name: str, file: str, predictor: Predictor, *samples: bytes, whole_file: bool = False
) -> Reader:
    def read(folder: Path) -> int:
        from unittest import mock

        request = PredictRequest(
            files=(str(folder / file),),
            run=str(folder / "run"),
            out=str(folder / "answers.jsonl"),
            overwrite=True,
            whole_file=whole_file,
            device="cpu",
        )
        with mock.patch("bertft.commands.predict.load", return_value=predictor):
            return predict_files(request, watch=Silent())

    return Reader(name, file, samples, read, cost=5)


# --- recipes and runs -------------------------------------------------------------------------


def _run_readers(run: Path) -> Iterator[Reader]:
    recipes = [path.read_bytes() for path in sorted((bundled_root() / "recipes").glob("*.toml"))]
    resolved = (run / "recipe.toml").read_bytes()
    yield Reader("recipe", "a.toml", (*recipes, resolved), _read_recipe)
    settings = b"training.epochs=3\ntask.label_names=['a', 'b']\ndata.columns=[]\nmodel.name=x"
    yield Reader("--set", "set.txt", (settings,), _read_settings)
    for name in ("scores.json", "environment.json"):
        yield Reader(name, f"runs/run/{name}", ((run / name).read_bytes(),), _read_run)
    answers = (run / "predictions.jsonl").read_bytes()
    yield Reader("predictions.jsonl", "runs/run/predictions.jsonl", (answers,), _compare, cost=5)


def _read_recipe(folder: Path) -> int:
    recipe = load_recipe(str(folder / "a.toml"))
    make_task(recipe.task)
    recipe.to_toml().encode()
    return len(recipe.hash())


def _read_settings(folder: Path) -> int:
    given = (folder / "set.txt").read_bytes().split(b"\n")
    overrides = tuple(os.fsdecode(line.replace(b"\0", b"")) for line in given)
    request = TrainRequest(recipe="sentiment", overrides=overrides)
    recipe = read_recipe(request)
    make_task(recipe.task)
    recipe.to_toml().encode("utf-8", "surrogateescape")
    return len(overrides)


def _read_run(folder: Path) -> int:
    console = Console()
    with _inside(folder):
        rows = list_runs(tell=lambda line: None)
        console.show_table(list(rows[0]) if rows else ["run"], [list(row.values()) for row in rows])
        shown = show_run("runs/run")
        json.dumps(shown, ensure_ascii=False).encode()
        if shown["scores"]:
            show_scores(console, shown["scores"])
    return len(rows)


def _compare(folder: Path) -> int:
    with _inside(folder):
        return int(compare_runs("runs/run", "runs/run")["n"])


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


# --- models -----------------------------------------------------------------------------------


def _model_readers(run: Path) -> Iterator[Reader]:
    for name in ("bertft.json", "config.json", "tokenizer.json", "tokenizer_config.json"):
        sample = (run / "best" / name).read_bytes()
        yield Reader(name, f"runs/run/best/{name}", (sample,), _predict_with, cost=10)
    weights = (run / "best" / "model.safetensors").read_bytes()
    yield Reader("safetensors", "runs/run/best/model.safetensors", (weights,), _predict_with, 10)
    config = (run / "best" / "config.json").read_bytes()
    yield Reader("encoder", "runs/run/best/config.json", (config,), _train_on, cost=20)


def _predict_with(folder: Path) -> int:
    predictor = load(folder / "runs" / "run", device="cpu", precision="fp32")
    answers = predictor.predict(["a good film", "", "x" * 300 + " 각"])
    json.dumps(answers, ensure_ascii=False).encode()
    return len(answers)


def _train_on(folder: Path) -> int:
    request = TrainRequest(
        recipe="sentiment",
        overrides=("training.device=cpu", "training.precision=fp32", "model.max_length=32"),
        train=str(folder / "train.csv"),
        model=str(folder / "runs" / "run" / "best"),
    )
    from bertft.jobs.build import build_model, make_trainer

    job = prepare(read_recipe(request), request, watch=Silent())
    model, head = build_model(job)
    make_trainer(job, model, head)
    return len(job.encoded["train"])


# --- samples ----------------------------------------------------------------------------------


def _head(path: str, lines: int) -> bytes:
    return b"".join((DATA / path).read_bytes().splitlines(keepends=True)[:lines])


def _objects(jsonl: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in jsonl.splitlines()]


def _jsonl(objects: Any) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects).encode()


def _parquet(objects: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(objects), file)
    return file.getvalue()


def _conll(jsonl: bytes) -> bytes:
    from bertft.commands.predict_request import FORMATS

    file = io.StringIO()
    with FORMATS["conll"](file) as write:
        for one in _objects(jsonl):
            text = one["text"]
            found = [{**e, "text": text[e["start"] : e["end"]]} for e in one["entities"]]
            write({"text": text, "entities": found})
    return ("-DOCSTART- -X- O\n\n# id = 7\n" + file.getvalue()).encode()


def _characters() -> bytes:
    lines = ["## klue-ner-v1_dev_00000-wiki\t<김:PS> 간다", "김\tB-PS", "씨\tI-PS", " \tO", "간\tO"]
    return "".join(line + "\n" for line in [*lines, "다\tO", ""] * 5).encode()


def _squad(language: str, articles: int, *, indent: int | None = None) -> bytes:
    content = json.loads((DATA / "qa" / language / "dev.json").read_bytes())
    content["data"] = content["data"][:articles]
    return json.dumps(content, ensure_ascii=False, indent=indent).encode()


def _questions() -> bytes:
    context = "The bridge was built in 1824."
    answers = {"text": ["1824"], "answer_start": [24]}
    rows = [{"id": i, "context": context, "question": "when", "answers": answers} for i in range(9)]
    return _jsonl([*rows, {**rows[0], "id": "n", "answers": {"text": [], "answer_start": []}}])
