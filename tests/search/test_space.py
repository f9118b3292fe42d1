"""What may be searched: flags in, dimensions or one line out."""

from __future__ import annotations

import pytest

from bertft.errors import RecipeError
from bertft.recipe import load_recipe
from bertft.search.space import read_space, setting

RECIPE = load_recipe("sentiment")


def one(text: str):
    (found,) = read_space(RECIPE, [text])
    return found


def test_a_range_of_fractions_on_a_log_scale():
    found = one("training.learning_rate=1e-5..5e-4:log")
    assert (found.low, found.high, found.log, found.choices) == (1e-5, 5e-4, True, ())


def test_a_setting_of_whole_numbers_has_a_whole_range():
    found = one("training.epochs=2..5")
    assert (found.low, found.high, found.count) == (2, 5, 4)
    assert isinstance(found.low, int)


@pytest.mark.parametrize("text", ["training.weight_decay=0..1", "task.label_smoothing=0..0.3"])
def test_whole_ends_of_a_setting_of_fractions(text):
    found = one(text)
    assert isinstance(found.low, float)
    assert found.count == float("inf")


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("training.epochs=2,3,5", (2, 3, 5)),
        ("model.name=minilm,bert-base-uncased", ("minilm", "bert-base-uncased")),
        ("model.name=../one,../two", ("../one", "../two")),
        ("training.gradient_checkpointing=true,false", (True, False)),
        ("training.adam_betas=[0.9, 0.99],[0.9, 0.999]", ([0.9, 0.99], [0.9, 0.999])),
    ],
)
def test_choices_are_as_set_reads_them(text, choices):
    assert one(text).choices == choices


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs=2,3", "not of the form section.key=VALUES; write it as training.epochs=2,3"),
        ("training.lerning_rate=1..2", "unknown key 'training.lerning_rate'; did you mean 'train"),
        ("task.tresholds=0.1..0.2", "unknown key 'tresholds'"),
        ("training.epochs", "no values to search"),
        ("training.epochs=3", "one value leaves nothing to search; --set training.epochs=3"),
        ("training.epochs=3,3", "3 stands there twice"),
        ("training.epochs=2,,3", "a value is empty"),
        ("training.epochs=2..three", "'three' is no number"),
        ("training.epochs=5..2", "the range is empty"),
        ("training.epochs=2..5:lg", "unknown scale 'lg'; "),
        ("training.weight_decay=0..1:log", "a log scale starts above 0"),
        ("training.warmup=0..1", "training.warmup: input should be less than 1, not 1"),
        ("training.epochs=1.5..3", "training.epochs: input should be a valid integer"),
        ("training.epochs=2,many", "training.epochs: input should be a valid integer"),
        ("training.schedule=linear,constnat", "not \"constnat\"; did you mean 'constant'?"),
        ("training.schedule=1..2", "training.schedule"),
        ("training.seed=1,2", "not to be searched; a seed is luck"),
        ("data.train=a.csv,b.csv", "scores of other data are not compared"),
    ],
)
def test_a_slip_is_one_line_that_names_the_flag(text, said):
    with pytest.raises(RecipeError) as caught:
        read_space(RECIPE, [text])
    assert str(caught.value).startswith(f"--over {text}: ")
    assert said in str(caught.value)


def test_nothing_twice():
    with pytest.raises(RecipeError, match=r"names training\.epochs twice"):
        read_space(RECIPE, ["training.epochs=2,3", "training.epochs=4,5"])
    with pytest.raises(RecipeError, match=r"training\.epochs is both set and searched"):
        read_space(RECIPE, ["training.epochs=2,3"], overrides=["training.epochs=2"])
    with pytest.raises(RecipeError, match="needs settings to search"):
        read_space(RECIPE, [])


@pytest.mark.parametrize("value", [1e-05, 3, True, 'a"b', [0.9, 0.99]])
def test_what_was_found_can_be_set(value):
    import tomllib

    key, _, text = setting("training.x", value).partition("=")
    assert key == "training.x"
    assert tomllib.loads(f"value = {text}")["value"] == value
