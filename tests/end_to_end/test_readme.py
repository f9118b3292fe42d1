"""Every `bertft` command of the README files and the tour runs, on small files of the same names.

Training is cut down to what a test can afford (the tiny encoder, ``--dry-run`` where the recipe's
own data would be long to train on); every option stays as written. The newest run is that of the
`bertft train` above a command, as it is for somebody who follows the page.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from samples import BAD, FAST, GOOD, Command, set_flags

from bertft.recipe import bundled_recipes, load_recipe

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.ko.md")
TOURS = ("docs/tour.md", "docs/tour.ko.md")
BLOCK = re.compile(r"^```(?:sh|bash|console|shell)\n(.*?)^```", re.M | re.S)
INSIDE = {"tokenize", "embed", "similar", "context", "fill-mask", "next-sentence", "score"}
"""Verbs that read a bare encoder, whatever was trained."""
FILES = {".csv", ".txt", ".conll", ".json", ".jsonl"}


@dataclass(frozen=True)
class Line:
    """A command of a page, and the recipe that was named last above it."""

    page: str
    text: str
    recipe: str

    @property
    def arguments(self) -> list[str]:
        return shlex.split(self.text.split("|")[0], comments=True)[1:]

    @property
    def kind(self) -> str:
        return "similarity" if self.arguments[0] in INSIDE else kind_of(self.recipe)

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def kind_of(recipe: str) -> str:
    """The task of a recipe; similarity for classification with a number."""
    task = load_recipe(recipe).task
    return "similarity" if task.get("regression") else str(task["name"])


def commands(page: str) -> list[Line]:
    """The lines of shell blocks that call bertft, continued lines joined."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [
        line.strip().removeprefix("$ ")
        for block in BLOCK.findall(text)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    found = []
    recipe = "sentiment"
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[:1] != ["bertft"]:
            continue
        if words[1] in ("train", "check") and words[2] in bundled_recipes():
            recipe = words[2]
        found.append(Line(page, line, recipe))
    return found


CASES = [line for page in (*READMES, *TOURS) for line in commands(page)]


@pytest.mark.parametrize(("english", "korean"), [READMES, TOURS])
def test_both_languages_show_the_same_commands(english: str, korean: str) -> None:
    """The Korean page may show Korean recipes; verbs and tasks are the same."""

    def shown(page: str) -> set[tuple[str, str]]:
        """(verb, task), where the verb depends on the task."""
        verbs = ((line.arguments[0], line.kind) for line in commands(page))
        return {(verb, kind if verb not in INSIDE | {"models"} else "") for verb, kind in verbs}

    assert len(commands(english)) > 20
    assert shown(english) == shown(korean)
    if english == "README.md":
        assert {kind for verb, kind in shown(english) if verb == "train"} == set(RECIPES)


@pytest.mark.parametrize("page", READMES)
def test_the_readme_names_every_recipe(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [name for name in bundled_recipes() if f"`{name}`" not in text] == []


def test_the_readme_files_and_the_tour_lead_to_each_other() -> None:
    for readme, tour in zip(READMES, TOURS, strict=True):
        assert f"({tour})" in (ROOT / readme).read_text(encoding="utf-8")
    for page in TOURS:
        text = (ROOT / page).read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
        assert links
        assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_both_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in READMES:
        for target in set(re.findall(r"^(?:\$ )?make (\w+)", (ROOT / name).read_text(), re.M)):
            assert re.search(rf"^{target}:", makefile, re.M), f"{name}: make {target}"


# --- small files and runs of each task ----------------------------------------------------------

QUESTIONS = [
    {
        "id": str(number),
        "context": f"{text} . the plot is slow and the food was great",
        "question": "is the film good or not" if number % 3 else "we hate this",
        "answers": {"text": ["slow"], "answer_start": [len(text) + 15]}
        if number % 3
        else {"text": [], "answer_start": []},
    }
    for number, text in enumerate(GOOD + BAD)
]


def table(header: str, rows: list[tuple[str, ...]]) -> str:
    return "\n".join([header, *(",".join(row) for row in rows)]) + "\n"


def squad(questions: list[dict[str, object]]) -> str:
    articles = []
    for one in questions:
        given = one["answers"]
        assert isinstance(given, dict)
        pairs = zip(given["text"], given["answer_start"], strict=True)
        answers = [{"text": text, "answer_start": start} for text, start in pairs]
        qa = {"id": one["id"], "question": one["question"], "answers": answers}
        articles.append({"title": "", "paragraphs": [{"context": one["context"], "qas": [qa]}]})
    return json.dumps({"version": "v2.0", "data": articles})


def content(kind: str, suffix: str) -> str:
    """A small file of a task: with gold, where the suffix can hold it."""
    if suffix == ".txt":
        return "\n".join(GOOD) + "\n"
    names = ("entailment", "neutral", "contradiction")
    pairs = list(zip(GOOD, BAD, strict=True))
    made = {
        ("classification", ".csv"): lambda: table(
            "text,label", [(one, "positive") for one in GOOD] + [(one, "negative") for one in BAD]
        ),
        ("similarity", ".csv"): lambda: table(
            "sentence1,sentence2,label",
            [(*pair, str(number / 2)) for number, pair in enumerate(pairs)],
        ),
        ("nli", ".csv"): lambda: table(
            "premise,hypothesis,label",
            [(*pair, names[number % 3]) for number, pair in enumerate(pairs)],
        ),
        ("ner", ".conll"): lambda: "\n\n".join(
            "\n".join(f"{word} {'B-THING' if word in ('film', 'food') else 'O'}" for word in words)
            for words in (one.split() for one in GOOD + BAD)
        ),
        ("qa", ".json"): lambda: squad(QUESTIONS),
        ("qa", ".jsonl"): lambda: "\n".join(json.dumps(one) for one in QUESTIONS),
    }
    return made[kind, suffix]()


SUFFIXES = {"ner": ".conll", "qa": ".json"}
RECIPES = {
    "classification": "sentiment",
    "similarity": "stsb",
    "nli": "nli",
    "ner": "ner",
    "qa": "qa",
}
"""A recipe of each task: it is trained once, and its run serves for all others of the task."""
SMALL = {
    "ner": ("task.window_overlap=8",),
    "qa": ("model.max_length=64", "task.window_overlap=8", "task.max_question_length=16"),
}
"""What the tiny encoder of 64 positions needs beside the recipes' settings."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> dict[str, Path]:
    """A finished run of the tiny encoder for each task, on small files."""
    from bertft.commands.train import train
    from bertft.jobs.request import TrainRequest

    runs = {}
    for kind, recipe in RECIPES.items():
        folder = tmp_path_factory.mktemp(kind)
        file = folder / f"data{SUFFIXES.get(kind, '.csv')}"
        file.write_text(content(kind, file.suffix), encoding="utf-8")
        request = TrainRequest(
            recipe=recipe,
            overrides=(*FAST, *SMALL.get(kind, ())),
            model=str(tiny),
            train=str(file),
            dev=str(file),
            out=str(folder / "run"),
        )
        result = train(request)
        assert result is not None
        runs[kind] = result.run
    return runs


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """The tiny encoder with the heads of its pre-training."""
    from transformers import AutoTokenizer, BertConfig, BertForPreTraining

    folder = tmp_path_factory.mktemp("pretrained")
    BertForPreTraining(BertConfig.from_pretrained(tiny)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    return folder


# --- running ------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", CASES, ids=str)
def test_a_command_of_the_readme_runs(
    line: Line, trained: dict[str, Path], tiny: Path, pretrained: Path, command: Command
) -> None:
    prepare_folder(line, trained)
    for folder in re.findall(r"models convert (\S+)", line.text):
        pickled_model(tiny, Path(folder))
    arguments = line.arguments
    if arguments[0] == "train":
        arguments = shortened(arguments, tiny, kind=line.kind)
    if arguments[0] == "pretrain":
        arguments += set_flags(*FAST[:3], "model.max_length=32")
        arguments += ["--model", str(pretrained)] if "--model" in arguments else []
    bare = arguments[0] == "explain" and "--run" not in arguments
    if bare or arguments[0] in INSIDE:
        arguments = [*arguments, "--model", str(pretrained)]
    code, out, err = command(*arguments)
    assert code == 0, f"{line}\n{err}"
    if arguments[0] == "predict" or arguments[0] in INSIDE - {"context"}:
        size = sum(path.stat().st_size for path in written(arguments))
        assert out.strip() or size, f"{line}\n{err}"


def shortened(arguments: list[str], tiny: Path, *, kind: str) -> list[str]:
    """The same training with the tiny encoder, without steps where data come from the Hub."""
    recipe_data = not any(flag in arguments for flag in ("--train", "--resume"))
    if "--resume" in arguments:
        return ["train", "--help"]
    if "--model" in arguments:
        place = arguments.index("--model") + 1
        arguments[place] = str(tiny)
    else:
        arguments += ["--model", str(tiny)]
    arguments += set_flags(*FAST[:3], "model.max_length=32", *SMALL.get(kind, ()))
    return arguments + (["--dry-run"] if recipe_data else [])


def pickled_model(tiny: Path, folder: Path) -> None:
    """A model folder as old ones are published: weights in pytorch_model.bin."""
    import torch
    from safetensors.torch import load_file

    shutil.copytree(tiny, folder)
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()


def written(arguments: list[str]) -> list[Path]:
    """The file that ``--out`` names."""
    return [Path(arguments[arguments.index("--out") + 1])] if "--out" in arguments else []


def prepare_folder(line: Line, trained: dict[str, Path]) -> None:
    """The files and runs that a command speaks of, in the working folder."""
    for word in line.arguments:
        path = Path(word)
        if path.suffix in FILES and path not in written(line.arguments):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content(line.kind, path.suffix), encoding="utf-8")
    named = {
        word: line.recipe
        for word in line.arguments
        if word.startswith("runs/") and Path(word) not in written(line.arguments)
    }
    for name, recipe in {f"runs/{one.recipe}": one.recipe for one in CASES}.items() | named.items():
        run = Path(name)
        shutil.copytree(trained[kind_of(recipe)], run)
        environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
        environment["recipe"] = recipe
        (run / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
        when = 2_000_000_000 if recipe == line.recipe else 1_000_000_000
        os.utime(run / "scores.json", (when, when))


# --- make demo ----------------------------------------------------------------------------------


def demo_files() -> dict[str, str]:
    """TASK of `make demo` -> the file that it answers."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^DEMO_([a-z]+) := (\S+)$", makefile, re.M))


def test_make_demo_has_a_file_and_a_recipe_for_each_task() -> None:
    files = demo_files()
    assert set(files) == {"sentiment", "nli", "ner", "qa"}
    assert set(files) <= set(bundled_recipes())
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in files:
        assert re.search(rf"^OWN_{name} := YOUR\.\w+ ", makefile, re.M)
        assert re.search(rf"^NEXT_{name} := .*YOUR\.\w+", makefile, re.M)


@pytest.mark.parametrize(("task", "file"), demo_files().items())
def test_the_demo_file_of_a_task_is_answered(
    task: str, file: str, trained: dict[str, Path], command: Command
) -> None:
    path = ROOT / "data" / "demo" / file
    count = len(path.read_text(encoding="utf-8").splitlines()) - file.endswith(".csv")
    run = str(trained[kind_of(task)])
    code, out, err = command("predict", str(path), "--run", run, "--format", "txt")
    assert code == 0, err
    assert len(out.splitlines()) == count == (6 if task == "qa" else 8)


def test_the_demo_passage_is_asked(trained: dict[str, Path], command: Command) -> None:
    path = ROOT / "data" / "demo" / "passage.txt"
    question = "When was the shed built?"
    run = str(trained["qa"])
    code, out, err = command("predict", "--question", question, str(path), "--run", run)
    assert code == 0, err
    answer = json.loads(out)
    text = path.read_text(encoding="utf-8")
    assert text[answer["start"] : answer["end"]] == answer["answer"]
