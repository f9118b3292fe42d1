"""Every page does what it says: its commands run, in order, and print what it shows.

What stands in a ```console block is run as it is written, and its output compared. Commands of a
```sh block are for a reader to change: trainings are cut down to what a test can afford, and files,
runs and encoders that a test does not have are small ones of the same name (`stand_ins.py`).
A translated page with the commands and transcripts of its original is not run a second time.
"""

from __future__ import annotations

import difflib
import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from docs.pages import (
    ROOT,
    Block,
    Exchange,
    blocks,
    commands,
    distinct_pages,
    exchanges,
    name,
    same,
)
from docs.stand_ins import FILES, StandIns, pickled_model, remove, written

from bertft.recipe import bundled_recipes, load_recipe

OURS = {"bertft", "cat", "cp", "echo", "head", "mkdir", "printf", "tail"}
"""Programs that are run in ```sh blocks; what else stands there installs something, or serves."""
ANSWERS = {"predict", "tokenize", "embed", "similar", "fill-mask", "next-sentence", "score"}


@dataclass
class Reader:
    """Somebody who follows a page: the folder they work in, and the recipe named last."""

    folder: Path
    stand_ins: StandIns
    recipe: str = "sentiment"
    shown: set[str] = field(default_factory=set)
    """What transcripts have written: all else is a stand-in, and makes room."""

    def follow(self, command: str) -> list[str]:
        """The words of a command; it is remembered which recipe they name."""
        words = shlex.split(command.split("\n")[0], comments=True)
        if words[:1] == ["bertft"] and words[1:2] in (["train"], ["check"], ["eval"]):
            named = [word for word in words[2:3] if word in bundled_recipes()]
            self.recipe = named[0] if named else self.recipe
        return words

    def run(self, script: str, *, short: bool) -> tuple[int, str]:
        stand_in = self.stand_ins.model if short else None
        done = self.stand_ins.shell.run(script, folder=self.folder, stand_in=stand_in)
        return done.code, done.output

    def try_out(self, command: str) -> None:
        """A command of a ```sh block ends well, and answers where it is asked."""
        words = self.follow(command)
        if words[0] not in OURS:
            return
        self.shown -= {*written(words)}
        if words[:3] == ["bertft", "models", "convert"]:
            pickled_model(self.stand_ins.model, self.folder / words[3])
        if words[:3] == ["bertft", "recipes", "copy"]:
            (self.folder / words[-1]).unlink(missing_ok=True)
        if words[0] == "bertft":
            self.stand_ins.provide(words[1:], recipe=self.recipe, folder=self.folder)
        code, output = self.run(self.possible(command, words), short=True)
        assert code == 0, f"{command}\n{output}"
        if words[:1] == ["bertft"] and words[1] in ANSWERS:
            files = [self.folder / one for one in written(words)]
            assert output.strip() or any(one.stat().st_size for one in files), command

    def possible(self, command: str, words: list[str]) -> str:
        """The command, or only its options where it needs a stopped run or data of the Hub."""
        if "--resume" in words or (words[1:2] == ["train"] and self.reads_hub(words)):
            return f"bertft {words[1]} --help"
        return command

    def reads_hub(self, words: list[str]) -> bool:
        own = "--train" in words or words[2] not in bundled_recipes()
        return not own and load_recipe(words[2]).data.train.startswith("hub:")

    def compare(self, exchange: Exchange) -> None:
        """A command of a ```console block prints what stands below it."""
        names = {*written(self.follow(exchange.command))}
        remove(names - self.shown, folder=self.folder)
        self.shown |= names
        _, output = self.run(exchange.command, short=False)
        if not same(exchange.expected, output):
            shown = difflib.ndiff(exchange.expected, output.splitlines())
            pytest.fail(f"$ {exchange.command}\n" + "\n".join(shown), pytrace=False)

    def run_python(self, scripts: list[Block], *, page: str) -> None:
        """All Python of a page as one file; lines have the numbers of the page."""
        lines: list[str] = []
        for block in scripts:
            lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
        text = "\n".join(lines)
        named = re.findall(rf'"((?:[^"\s]+(?:{"|".join(FILES)}))|runs/[^"/]+)', text)
        self.stand_ins.provide(["predict", *named], recipe=self.recipe, folder=self.folder)
        file = self.folder / f"{Path(page).stem}.py"
        file.write_text(text, encoding="utf-8")
        code, output = self.run(f"bertft {shlex.quote(file.name)}", short=False)
        assert code == 0, output


@pytest.mark.slow
@pytest.mark.parametrize("page", distinct_pages(), ids=name)
def test_a_page_does_what_it_says(
    page: Path, stand_ins: StandIns, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    reader = Reader(tmp_path, stand_ins)
    found = blocks(page)
    if "data/" in "".join(block.text for block in found):
        shutil.copytree(ROOT / "data", tmp_path / "data")
    for block in found:
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            for command in commands(block):
                with subtests.test(command, line=block.line):
                    reader.try_out(command)
        elif block.language == "console":
            for exchange in exchanges(block):
                with subtests.test(exchange.command, line=exchange.line):
                    reader.compare(exchange)
    scripts = [block for block in found if block.language == "python"]
    if scripts:
        with subtests.test("python", line=scripts[0].line):
            reader.run_python(scripts, page=name(page))
