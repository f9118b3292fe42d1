"""The bundled recipes: each is valid and opens with its command; list, show and copy them."""

from __future__ import annotations

import json
import re

import pytest

from bertft.encoder.zoo import find
from bertft.loaders.files import resolve
from bertft.loaders.reading import read_examples
from bertft.recipe import BUNDLED, HUB, bundled_recipes, load_recipe
from bertft.tasks import make_task
from bertft.watch import Silent

RECIPES = bundled_recipes()
NAMES = sorted(RECIPES)
SAMPLES = [
    name
    for name in NAMES
    if load_recipe(name).data.train.startswith(BUNDLED) and name != "pretrain"  # no labels
]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestEachRecipe:
    def test_is_valid_with_its_task_options(self, name):
        recipe = load_recipe(name)
        task = make_task(recipe.task)
        assert task.name == recipe.task["name"]

    def test_opens_with_the_command_that_runs_it(self, name):
        text = RECIPES[name].read_text(encoding="utf-8")
        assert text.startswith(f"# bertft train {name}\n#\n# ")

    def test_is_described_in_one_line(self, name):
        description = load_recipe(name).description
        assert 10 < len(description) < 100
        assert "\n" not in description

    def test_its_data_are_bundled_files_or_names_of_hub_splits(self, name):
        data = load_recipe(name).data
        paths = [path for path in (data.train, data.dev, data.test) if path]
        assert data.train
        for path in paths:
            if path.startswith(BUNDLED):
                assert resolve(path).stat().st_size > 0
            else:
                assert re.fullmatch(HUB + r"[\w-]+/[\w-]+(@[\w/]+)?(:\w+){1,2}", path)
        assert len(set(paths)) == len(paths)

    def test_its_encoder_is_in_the_zoo(self, name):
        assert find(load_recipe(name).model.name) is not None


@pytest.mark.parametrize("name", SAMPLES)
def test_every_bundled_row_has_a_text_and_a_known_label(name):
    recipe = load_recipe(name)
    task = make_task(recipe.task)
    splits = {
        split: read_examples(task, path, recipe.data, watch=Silent())
        for split in ("train", "dev", "test")
        if (path := getattr(recipe.data, split))
    }
    task = task.learn_labels(splits["train"], path=recipe.data.train)
    for split, examples in splits.items():
        task.check(examples, path=split)
        assert all(one.text.strip() for one in examples)
        assert what_is_asked(examples) == what_is_asked(splits["train"]), split


def what_is_asked(examples):
    """The labels, entity types, or kinds of question that a split has."""
    if hasattr(examples[0], "entities"):
        return {entity.label for one in examples for entity in one.entities}
    if hasattr(examples[0], "answers"):
        return {bool(one.answers) for one in examples}
    if hasattr(examples[0], "negatives"):
        return {"passages"}
    return {label for one in examples for label in one.names}


def test_the_default_needs_no_network():
    recipe = load_recipe("sentiment")
    assert recipe.data.train.startswith(BUNDLED)
    entry = find(recipe.model.name)
    assert entry is not None
    assert entry.embedded


class TestList:
    def test_one_line_per_recipe_for_programs(self, command):
        code, out, err = command("recipes", "list")
        rows = [line.split("\t") for line in out.splitlines()]
        assert (code, err) == (0, "")
        assert rows[0] == ["recipe", "task", "model", "description"]
        assert [row[0] for row in rows[1:]] == NAMES
        assert all(len(row) == 4 for row in rows)

    def test_json(self, command):
        _, out, _ = command("recipes", "list", "--json")
        rows = {row["recipe"]: row for row in json.loads(out)}
        assert list(rows) == NAMES
        assert rows["sentiment"]["task"] == "classification"
        assert rows["sentiment"]["model"] == "minilm"


class TestShow:
    def test_the_file_as_it_is_written(self, command, name):
        code, out, err = command("recipes", "show", name)
        assert (code, err) == (0, "")
        assert out == RECIPES[name].read_text(encoding="utf-8")

    def test_a_wrong_name(self, command):
        code, out, err = command("recipes", "show", "sentimnt")
        assert (code, out) == (2, "")
        assert err == "error: no recipe 'sentimnt'; did you mean 'sentiment'?\n"


class TestCopy:
    def test_into_this_folder_under_its_own_name(self, command, tmp_path):
        code, out, err = command("recipes", "copy", "sst2")
        assert (code, out) == (0, "")
        assert err == "sst2.toml written; train with: bertft train sst2.toml\n"
        assert (tmp_path / "sst2.toml").read_bytes() == RECIPES["sst2"].read_bytes()

    def test_into_a_folder_or_under_another_name(self, command, tmp_path):
        (tmp_path / "own").mkdir()
        assert command("recipes", "copy", "sst2", "own")[0] == 0
        assert command("recipes", "copy", "sst2", "own/films.toml")[0] == 0
        assert sorted(p.name for p in (tmp_path / "own").iterdir()) == ["films.toml", "sst2.toml"]

    @pytest.mark.parametrize("to", ["mine.toml", "mine"])
    def test_never_over_a_file(self, command, tmp_path, to):
        (tmp_path / "mine").mkdir()
        for path in (tmp_path / "mine.toml", tmp_path / "mine" / "sst2.toml"):
            path.write_text("mine", encoding="utf-8")
        code, _, err = command("recipes", "copy", "sst2", to)
        assert code == 2
        assert re.fullmatch(r"error: mine\S+ exists already; name another file\n", err)
        assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == "mine"
        assert (tmp_path / "mine" / "sst2.toml").read_text(encoding="utf-8") == "mine"

    def test_where_there_is_no_folder(self, command):
        code, _, err = command("recipes", "copy", "sst2", "nowhere/own.toml")
        assert code == 2
        assert err.startswith("error: nowhere/own.toml cannot be written")

    def test_the_copy_trains(self, command, tiny, tmp_path):
        command("recipes", "copy", "sentiment", "own.toml")
        flags = ["--model", str(tiny), "--set", "model.max_length=32", "--dry-run"]
        device = ["--set", "training.device=cpu", "--set", "training.precision=fp32"]
        code, out, err = command("train", "own.toml", *flags, *device)
        assert (code, out) == (0, "")
        assert "labels    2: negative, positive" in err
        assert [path.name for path in tmp_path.iterdir()] == ["own.toml"]
