"""Recipes: unknown keys, wrong types, overrides, hashes, and the way back to TOML."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.errors import RecipeError
from bertft.recipe import find_recipe, load_recipe, parse_recipe
from bertft.settings import Recipe
from bertft.tasks import make_task

TASK = {"name": "classification"}


def parse(settings: dict[str, object], *overrides: str) -> Recipe:
    return parse_recipe({"task": dict(TASK), **settings}, overrides=overrides, where="my.toml")


def write(folder: Path, text: str) -> str:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


class TestUnknownKeys:
    @pytest.mark.parametrize(
        ("settings", "key", "nearest"),
        [
            ({"trainig": {"epochs": 2}}, "trainig", "training"),
            ({"descripton": "x"}, "descripton", "description"),
            ({"model": {"nmae": "minilm"}}, "model.nmae", "name"),
            ({"data": {"trian": "a.csv"}}, "data.trian", "train"),
            ({"training": {"epoch": 2}}, "training.epoch", "epochs"),
        ],
    )
    def test_the_nearest_key_is_named(self, settings, key, nearest):
        message = f"my.toml: unknown key '{key}'; did you mean '{nearest}'?"
        with pytest.raises(RecipeError, match=f"^{re.escape(message)}$"):
            parse(settings)

    def test_all_keys_of_the_section_where_none_is_near(self):
        with pytest.raises(RecipeError, match=r"'model.zzz'; choose one of: name, revision, max_"):
            parse({"model": {"zzz": 1}})

    def test_in_the_task_section(self):
        recipe = parse({"task": {**TASK, "treshold": 0.3}})
        with pytest.raises(RecipeError, match=r"\[task\]: unknown key 'treshold'.*'threshold'\?"):
            make_task(recipe.task)

    def test_unknown_task(self):
        with pytest.raises(RecipeError, match=r"no task 'clasification'.*'classification'\?"):
            make_task({"name": "clasification"})

    @pytest.mark.parametrize("task", [{}, {"multi_label": True}, {"name": 3}])
    def test_task_without_a_name(self, task):
        with pytest.raises(RecipeError, match=r'my.toml: \[task\] has no name; write: name = "'):
            parse({"task": task})

    def test_no_task_at_all(self):
        with pytest.raises(RecipeError, match=r"my\.toml: task: field required"):
            parse_recipe({}, where="my.toml")


class TestTypes:
    @pytest.mark.parametrize(
        ("section", "key", "value"),
        [
            ("training", "epochs", "3"),
            ("training", "epochs", 3.0),
            ("training", "epochs", True),
            ("training", "epochs", 0),
            ("training", "seed", -1),
            ("training", "learning_rate", "2e-5"),
            ("training", "learning_rate", 0),
            ("training", "learning_rate", float("inf")),
            ("training", "weight_decay", float("nan")),
            ("training", "warmup", 1.0),
            ("training", "adam_betas", [0.9, 1.5]),
            ("training", "adam_betas", ["0.9", 0.99]),
            ("training", "adam_betas", [0.9]),
            ("training", "gradient_checkpointing", 1),
            ("training", "schedule", "cosine"),
            ("training", "precision", "fp8"),
            ("model", "name", 7),
            ("model", "max_length", 4),
            ("data", "dev_share", 1.0),
            ("data", "columns", "text"),
            ("data", "columns", ["text", 2]),
        ],
    )
    def test_wrong_values_are_refused_not_converted(self, section, key, value):
        with pytest.raises(RecipeError, match=f"^my.toml: {section}.{key}") as caught:
            parse({section: {key: value}})
        assert "\n" not in str(caught.value)

    def test_the_value_is_shown_and_long_ones_are_cut(self):
        with pytest.raises(RecipeError, match=r'epochs: input should be a valid integer, not "x"$'):
            parse({"training": {"epochs": "x"}})
        with pytest.raises(RecipeError, match=r"\.\.\.$") as caught:
            parse({"training": {"epochs": "x" * 500}})
        assert len(str(caught.value)) < 150

    def test_a_section_that_is_no_section(self):
        with pytest.raises(RecipeError, match=r"^my\.toml: training: "):
            parse({"training": 3})

    def test_whole_numbers_where_fractions_are_meant(self):
        assert parse({"training": {"learning_rate": 1}}).training.learning_rate == 1.0

    def test_a_recipe_is_frozen(self):
        with pytest.raises(ValueError, match="frozen"):
            parse({}).training.epochs = 5


class TestOverrides:
    @pytest.mark.parametrize(
        ("override", "value"),
        [
            ("training.epochs=7", ("training", "epochs", 7)),
            (" training.epochs = 7 ", ("training", "epochs", 7)),
            ("training.learning_rate=2e-5", ("training", "learning_rate", 2e-5)),
            ("training.gradient_checkpointing=true", ("training", "gradient_checkpointing", True)),
            ("data.header=false", ("data", "header", False)),
            ('data.columns=["a", "b"]', ("data", "columns", ["a", "b"])),
            ("data.train=my files/a=b.csv", ("data", "train", "my files/a=b.csv")),
            ('data.train="1"', ("data", "train", "1")),
            ("data.delimiter=\\t", ("data", "delimiter", "\\t")),
            ("data.train=2024-05-01", ("data", "train", "2024-05-01")),
            ("training.metric=macro_f1", ("training", "metric", "macro_f1")),
            ("data.dev=", ("data", "dev", "")),
        ],
    )
    def test_values_are_toml_or_else_plain_text(self, override, value):
        section, key, expected = value
        found = getattr(getattr(parse({}, override), section), key)
        assert found == expected
        assert type(found) is type(expected)

    def test_task_options_and_the_last_one_wins(self):
        recipe = parse({}, "task.label_aliases.0=no", "training.epochs=2", "training.epochs=4")
        assert recipe.task == {**TASK, "label_aliases": {"0": "no"}}
        assert recipe.training.epochs == 4

    @pytest.mark.parametrize("wrong", ["epochs=2", "training.epochs", "=2", "training..epochs=2"])
    def test_not_of_the_form(self, wrong):
        with pytest.raises(RecipeError, match=r"^--set .*: not of the form .*training\.epochs=2$"):
            parse({}, wrong)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ("training.epoch=2", r"unknown key 'training\.epoch'; did you mean 'epochs'\?"),
            ("trainng.epochs=2", r"unknown key 'trainng'; did you mean 'training'\?"),
            ("training.epochs=two", r'training\.epochs: .*valid integer, not "two"'),
            ("data.train=12", r"data\.train: .*valid string, not 12"),
            ('data.columns=["a", 2]', r"data\.columns\.1: .*valid string, not 2"),
            ("model.max_length.x=2", r"'max_length' is not a section"),
        ],
    )
    def test_faults_name_the_override_and_not_the_file(self, wrong, message):
        with pytest.raises(RecipeError, match=f"^--set {re.escape(wrong)}: {message}$"):
            parse({"model": {"max_length": 64}}, "training.seed=3", wrong)

    def test_a_fault_of_the_file_stays_with_the_file(self):
        with pytest.raises(RecipeError, match=r"^my\.toml: unknown key 'training\.epoch'"):
            parse({"training": {"epoch": 2}}, "training.seed=3")

    def test_the_settings_handed_in_are_left_alone(self):
        settings = {"task": dict(TASK), "training": {"epochs": 2}}
        parse_recipe(settings, overrides=["training.epochs=9"], where="x")
        assert settings["training"] == {"epochs": 2}


class TestHash:
    def test_defaults_written_out_or_left_out_are_the_same_experiment(self):
        written = parse({"training": {"epochs": 3, "learning_rate": 5e-5}, "description": ""})
        assert written.hash() == parse({}).hash()
        assert (
            parse({"training": {"weight_decay": 0}}).hash()
            == parse({"training": {"weight_decay": 0.0}}).hash()
        )

    def test_the_order_of_keys_does_not_matter(self):
        first = parse({"training": {"epochs": 1, "seed": 2}})
        assert first.hash() == parse({"training": {"seed": 2, "epochs": 1}}).hash()

    @pytest.mark.parametrize(
        "override",
        [
            "training.seed=14",
            "training.learning_rate=5.0000001e-5",
            "model.name=other",
            "model.revision=main",
            "data.train=b.csv",
            "task.multi_label=true",
            "training.adam_betas=[0.9, 0.998]",
        ],
    )
    def test_any_setting_changes_it(self, override):
        assert parse({}, override).hash() != parse({}).hash()

    def test_is_sha256(self):
        assert re.fullmatch("[0-9a-f]{64}", parse({}).hash())


names = st.text(max_size=12)
settings = st.fixed_dictionaries(
    {},
    optional={
        "description": names,
        "task": st.fixed_dictionaries(
            {"name": st.just("classification")},
            optional={
                "label_names": st.lists(names, max_size=3),
                "label_aliases": st.dictionaries(names, names, max_size=3),
                "threshold": st.floats(0.01, 0.99),
            },
        ),
        "model": st.fixed_dictionaries(
            {}, optional={"name": names, "max_length": st.integers(8, 4096)}
        ),
        "data": st.fixed_dictionaries(
            {}, optional={"train": names, "columns": st.lists(names), "header": st.booleans()}
        ),
        "training": st.fixed_dictionaries(
            {},
            optional={
                "epochs": st.integers(1, 10**9),
                "learning_rate": st.floats(min_value=1e-300, max_value=1e300),
                "adam_betas": st.tuples(*[st.floats(0, 0.999999)] * 2).map(list),
                "seed": st.integers(0, 2**32 - 1),
                "freeze": st.sampled_from(["none", "encoder", "layers:2"]),
            },
        ),
    },
)


class TestRoundTrip:
    @given(settings)
    def test_toml_gives_the_same_recipe_and_hash(self, drawn):
        recipe = parse_recipe({"task": TASK, **drawn}, where="drawn")
        again = parse_recipe(tomllib.loads(recipe.to_toml()), where="again")
        assert again == recipe
        assert again.hash() == recipe.hash()

    def test_every_default_is_written_out(self):
        content = tomllib.loads(parse({}).to_toml())
        for name, field in Recipe.model_fields.items():
            if name != "task" and name != "description":
                assert set(content[name]) == set(field.annotation.model_fields)


class TestFiles:
    def test_syntax_errors_have_file_and_line(self, tmp_path):
        path = write(tmp_path, '[task]\nname = "classification"\n\n[training]\nmetric = f1\n')
        with pytest.raises(RecipeError, match=f"^{re.escape(path)}:5: not valid TOML: .*quotes$"):
            load_recipe(path)

    def test_a_key_given_twice(self, tmp_path):
        path = write(tmp_path, "[model]\nmax_length = 8\nmax_length = 9\n")
        with pytest.raises(RecipeError, match=f"^{re.escape(path)}:3: "):
            load_recipe(path)

    def test_not_utf8(self, tmp_path):
        path = tmp_path / "own.toml"
        path.write_bytes('description = "영화"'.encode("cp949"))
        with pytest.raises(RecipeError, match=r"own\.toml: not UTF-8 text"):
            load_recipe(str(path))

    def test_bom_is_allowed(self, tmp_path):
        path = write(tmp_path, '\ufeff[task]\nname = "classification"\n')
        assert load_recipe(path).task == TASK

    def test_names_come_before_paths(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "sentiment").write_text("broken", encoding="utf-8")
        assert find_recipe("sentiment").name == "sentiment.toml"

    def test_unknown_names(self):
        with pytest.raises(RecipeError, match=r"no recipe 'sentimnt'; did you mean 'sentiment'\?"):
            find_recipe("sentimnt")
        with pytest.raises(
            RecipeError, match=r"no recipe 'zzz'; choose one of: .*banking77, .*, \.\.\."
        ):
            find_recipe("zzz")

    @pytest.mark.parametrize("path", ["mine.toml", "folder/mine"])
    def test_missing_files(self, path):
        with pytest.raises(RecipeError, match=f"^no recipe file {path}; 'bertft recipes list'"):
            find_recipe(path)


class TestFreeze:
    @pytest.mark.parametrize("value", ["none", "encoder", "layers:0", "layers:12"])
    def test_what_may_be_frozen(self, value):
        assert parse({}, f"training.freeze={value}").training.freeze == value

    @pytest.mark.parametrize("value", ["layers", "layers:", "layers:-1", "layer:2", "6", "all"])
    def test_anything_else_is_refused_with_what_to_write(self, value):
        with pytest.raises(RecipeError, match="freeze: write none, encoder, or layers:4"):
            parse({}, f'training.freeze="{value}"')


class TestFrozenLayers:
    FINE = {"training": {"learning_rate": 3e-5}}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("overrides", "rate"),
        [
            ((), 3e-5),
            (("training.freeze=layers:2",), 6e-5),
            (("training.freeze=encoder",), 3e-5),
            (("training.learning_rate=1e-4", "training.freeze=layers:2"), 1e-4),
            (("training.freeze=layers:2", "training.mode=lora"), 1e-3),
        ],
    )
    def test_what_is_above_takes_larger_steps(self, overrides, rate):
        recipe = parse(self.FINE, *overrides)
        assert recipe.training.learning_rate == rate
        assert parse_recipe(tomllib.loads(recipe.to_toml()), where="recipe.toml") == recipe

    def test_a_recipe_that_freezes_layers_sets_its_own(self):
        own = {"training": {"freeze": "layers:2", "learning_rate": 3e-5}}
        assert parse(own).training.learning_rate == 3e-5
        assert parse(own, "training.freeze=layers:3").training.learning_rate == 3e-5
        assert parse({"training": {"freeze": "layers:2"}}).training.learning_rate == 1e-4


class TestLora:
    FINE = {"training": {"epochs": 3, "learning_rate": 5e-5, "layer_decay": 0.9}}  # noqa: RUF012

    def test_adapters_take_larger_steps(self):
        found = parse(self.FINE, "training.mode=lora").training
        assert (found.epochs, found.learning_rate, found.layer_decay) == (3, 1e-3, 1.0)
        own = {"training": self.FINE["training"] | {"mode": "lora"}}
        assert parse(own).training.learning_rate == 5e-5
        assert parse(own).training.layer_decay == 0.9


class TestFeaturesMode:
    FINE = {"training": {"epochs": 3, "batch_size": 16, "learning_rate": 5e-5}}  # noqa: RUF012

    def test_settings_for_fine_tuning_do_not_count(self):
        found = parse(self.FINE, "training.mode=features").training
        assert (found.epochs, found.batch_size, found.learning_rate) == (10, 32, 1e-3)

    def test_the_head_of_tags_takes_larger_steps(self):
        tags = self.FINE | {"task": {"name": "ner"}}
        assert parse(tags, "training.mode=features").training.learning_rate == 3e-2
        given = ("training.mode=features", "training.learning_rate=0.02")
        assert parse(tags, *given).training.learning_rate == 0.02

    def test_overrides_count_before_or_after_the_mode(self):
        for overrides in (
            ("training.learning_rate=0.02", "training.mode=features"),
            ("training.mode=features", "training.learning_rate=0.02"),
        ):
            found = parse(self.FINE, *overrides).training
            assert (found.learning_rate, found.epochs) == (0.02, 10)

    def test_a_recipe_that_is_for_features_sets_its_own(self):
        own = {"training": {"mode": "features", "epochs": 4}}
        assert parse(own).training.epochs == 4
        assert parse(own).training.learning_rate == 1e-3
        assert parse(own, "training.epochs=7").training.epochs == 7
        assert parse(own, "training.mode=features").training.epochs == 4

    @given(
        st.dictionaries(
            st.sampled_from(["epochs", "batch_size", "evaluate_every"]), st.integers(1, 50)
        )
    )
    def test_what_is_written_out_is_read_back_as_it_is(self, settings):
        overrides = [f"training.{name}={value}" for name, value in settings.items()]
        recipe = parse(self.FINE, "training.mode=features", *overrides)
        again = parse_recipe(tomllib.loads(recipe.to_toml()), where="recipe.toml")
        assert again == recipe
        assert recipe.training.model_dump().items() >= settings.items()

    def test_an_unknown_mode_names_the_nearest(self):
        message = '--set training.mode=feature: training.mode: not "feature"; '
        with pytest.raises(RecipeError, match=f"^{message}did you mean 'features'\\?$"):
            parse({}, "training.mode=feature")
