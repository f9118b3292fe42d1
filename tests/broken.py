"""Writes what test_bad_input needs: good reviews, a model, a run, and broken ones of each kind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from samples import GOOD, write_csv


def lay_out(folder: Path, *, tiny: Path, trained: Path) -> None:
    """Fill ``folder``: train.csv, dev.csv, test.csv, tiny/, run/ (finished), and the broken."""
    for name in ("train.csv", "dev.csv", "test.csv"):
        shutil.copy(trained.parent / name, folder / name)
    shutil.copytree(tiny, folder / "tiny")
    shutil.copytree(trained, folder / "run")
    _data(folder)
    _tasks(folder)
    _recipes(folder)
    _models(folder)
    (folder / "half").mkdir()
    (folder / "odd" / "best").mkdir(parents=True)
    (folder / "odd" / "best" / "bertft.json").write_text('{"task": 1}', encoding="utf-8")


def _data(folder: Path) -> None:
    texts = {
        "a.txt": "a good film\n",
        "columns.csv": "text,weight\na,1\n",
        "empty.csv": "",
        "header.csv": "text,label\n",
        "quote.csv": 'text,label\na,x\n"b,y\nc,x\n',
        "nul.csv": "text,label\na,x\nb\0,y\n",
        "ragged.csv": "text,label\na,x\nb, c,y\n",
        "hole.csv": "text,label\na,x\n ,y\n",
        "broken.jsonl": '{"text": "a", "label": "x"}\n{"text": "b"\n',
        "single.csv": "text,label\na,x\n",
        "stars.csv": "text,label\na,good\nb,goood\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "cp949.csv").write_bytes("text,label\n영화,x\n".encode("cp949"))
    write_csv(folder / "one.csv", [(text, "good") for text in GOOD])
    korean = [("영화 정말 좋다", "good"), ("너무 나쁘다", "bad")] * 6
    write_csv(folder / "korean.csv", korean)


def _tasks(folder: Path) -> None:
    """Files of inference, entities and questions."""
    texts = {
        "pairs.csv": "premise,hypothesis,label\na film,a movie,entailment\nit is,it was,0\n",
        "alone.csv": "premise,label\na film,entailment\n",
        "tag.conll": "the\tO\nfilm\tB-\n",
        "columns.conll": "the\tDT\tO\nfilm\tO\n",
        "bare.conll": "the\nfilm\n",
        "none.conll": "the\tO\n\nfilm\tO\n",
        "spans.jsonl": '{"text": "a film", "entities": [{"start": 2, "end": 9, "label": "X"}]}\n',
        "moved.json": _squad("the film is good", "film", 5),
        "nowhere.json": _squad("the film is good", "movie", 4),
        "blank.json": _squad("", "film", 0),
        "squad.json": "{",
        "rows.jsonl": '{"question": "who", "text": "a"}\n',
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _squad(context: str, answer: str, start: int) -> str:
    asked = {"id": "q1", "question": "what", "answers": [{"text": answer, "answer_start": start}]}
    paragraph = {"context": context, "qas": [asked]}
    return json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]}, indent=1)


def _recipes(folder: Path) -> None:
    typo = '[task]\nname = "classification"\n[training]\nepoch = 2\n'
    (folder / "typo.toml").write_text(typo, encoding="utf-8")
    (folder / "syntax.toml").write_text("[task]\nname = classification\n", encoding="utf-8")


def _models(folder: Path) -> None:
    for name in ("no-config", "no-words", "pickle", "cut", "garbled"):
        shutil.copytree(folder / "tiny", folder / name)
    (folder / "no-config" / "config.json").unlink()
    for path in (folder / "no-words").glob("tokenizer*"):
        path.unlink()
    (folder / "pickle" / "model.safetensors").unlink()
    torch.save({"weight": torch.zeros(2)}, folder / "pickle" / "pytorch_model.bin")
    weights = folder / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    (folder / "garbled" / "tokenizer.json").write_text("{}", encoding="utf-8")
