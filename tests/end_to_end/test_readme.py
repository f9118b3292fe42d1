"""Every `bertft` command of the README files runs, on small files with the names used there.

Training is cut down to what a test can afford (the tiny encoder, ``--dry-run`` where the recipe's
own data would be long to train on); every option stays as written.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from samples import BAD, FAST, GOOD, Command, write_csv

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.ko.md")
BLOCK = re.compile(r"^```(?:sh|bash|console|shell)\n(.*?)^```", re.M | re.S)


def commands(name: str) -> list[str]:
    """The lines of shell blocks that call bertft, continued lines joined, comments cut off."""
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = [
        line.strip()
        for block in BLOCK.findall(text)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [line for line in lines if re.match(r"(\$ )?bertft ", line)]


CASES = [(name, line) for name in READMES for line in commands(name)]


def test_the_readme_files_show_the_same_commands() -> None:
    """The Korean page may show Korean recipes; verbs and options are the same."""

    def verbs(name: str) -> set[str]:
        return {line.removeprefix("$ ").split()[1] for line in commands(name)}

    assert len(CASES) > 10
    assert verbs("README.md") == verbs("README.ko.md")


def test_both_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in READMES:
        for target in set(re.findall(r"^(?:\$ )?make (\w+)", (ROOT / name).read_text(), re.M)):
            assert re.search(rf"^{target}:", makefile, re.M), f"{name}: make {target}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """A finished run of the tiny encoder on its own files."""
    from bertft.commands.train import TrainRequest, train

    folder = tmp_path_factory.mktemp("readme")
    rows = [(text, "positive") for text in GOOD] + [(text, "negative") for text in BAD]
    files = {name: str(write_csv(folder / f"{name}.csv", rows)) for name in ("train", "dev")}
    request = TrainRequest(
        recipe="sentiment", overrides=FAST, model=str(tiny), out=str(folder / "run"), **files
    )
    result = train(request)
    assert result is not None
    return result.run


@pytest.mark.parametrize(("name", "line"), CASES)
def test_a_command_of_the_readme_runs(
    name: str,
    line: str,
    trained: Path,
    tiny: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare_folder(trained)
    for folder in re.findall(r"models convert (\S+)", line):
        pickled_model(tiny, Path(folder))
    words = shlex.split(line.removeprefix("$ "), comments=True)
    words = [word for word in words if word not in {"|", ">"}]
    arguments = words[1:]
    if "|" in line:
        arguments = shlex.split(line.split("|")[0].removeprefix("$ "), comments=True)[1:]
    if arguments[0] == "train":
        arguments = shortened(arguments, tiny)
    code, _, err = command(*arguments)
    assert code == 0, f"{name}: {line}\n{err}"


def shortened(arguments: list[str], tiny: Path) -> list[str]:
    """The same training with the tiny encoder, without steps where data come from the Hub."""
    recipe_data = not any(flag in arguments for flag in ("--train", "--resume"))
    if "--resume" in arguments:
        return ["train", "--help"]
    if "--model" in arguments:
        place = arguments.index("--model") + 1
        arguments[place] = str(tiny)
    else:
        arguments += ["--model", str(tiny)]
    settings = [part for setting in FAST[:3] for part in ("--set", setting)]
    arguments += [*settings, "--set", "model.max_length=32"]
    return arguments + (["--dry-run"] if recipe_data else [])


def pickled_model(tiny: Path, folder: Path) -> None:
    """A model folder as old ones are published: weights in pytorch_model.bin."""
    import torch
    from safetensors.torch import load_file

    shutil.copytree(tiny, folder)
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()


def prepare_folder(trained: Path) -> None:
    """The files and runs that the README speaks of, in the working folder."""
    rows = [(text, "positive") for text in GOOD] + [(text, "negative") for text in BAD]
    for name in re.findall(r"[\w./-]+\.csv", " ".join(line for _, line in CASES)):
        if not name.startswith("answers"):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            write_csv(Path(name), rows)
    for name in re.findall(r"[\w./-]+\.txt", " ".join(line for _, line in CASES)):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("\n".join(GOOD) + "\n", encoding="utf-8")
    for recipe in ("sentiment", "sentiment-ko"):
        run = Path("runs") / recipe
        shutil.copytree(trained, run)
        environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
        environment["recipe"] = recipe
        (run / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
