"""`make demo`: each of its tasks has a recipe, a file to predict, and a word on what to do next."""

from __future__ import annotations

import json
import re

import pytest
from docs.pages import ROOT
from docs.stand_ins import StandIns, kind_of
from samples import Command

from bertft.recipe import bundled_recipes

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^DEMO_([a-z]+) := (\S+)$", MAKEFILE, re.M))
"""TASK of `make demo` -> the file that it predicts."""


def test_make_demo_has_a_file_and_a_recipe_for_each_task() -> None:
    assert set(FILES) == {"sentiment", "nli", "ner", "qa"}
    assert set(FILES) <= set(bundled_recipes())
    for name in FILES:
        assert re.search(rf"^OWN_{name} := YOUR\.\w+ ", MAKEFILE, re.M)
        assert re.search(rf"^NEXT_{name} := .*YOUR\.\w+", MAKEFILE, re.M)


@pytest.mark.parametrize(("task", "file"), FILES.items())
def test_the_demo_file_of_a_task_is_answered(
    task: str, file: str, stand_ins: StandIns, command: Command
) -> None:
    path = ROOT / "data" / "demo" / file
    count = len(path.read_text(encoding="utf-8").splitlines()) - file.endswith(".csv")
    run = str(stand_ins.run(kind_of(task)))
    code, out, err = command("predict", str(path), "--run", run, "--format", "txt")
    assert code == 0, err
    assert len(out.splitlines()) == count == (6 if task == "qa" else 8)


def test_the_demo_passage_is_asked(stand_ins: StandIns, command: Command) -> None:
    path = ROOT / "data" / "demo" / "passage.txt"
    question = "When was the shed built?"
    run = str(stand_ins.run("qa"))
    code, out, err = command("predict", "--question", question, str(path), "--run", run)
    assert code == 0, err
    answer = json.loads(out)
    text = path.read_text(encoding="utf-8")
    assert text[answer["start"] : answer["end"]] == answer["answer"]
