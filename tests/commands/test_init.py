"""init: what a file is, and a recipe for it that check and train take as it is."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import BAD, GOOD, Command, write_csv

from bertft.checks.language import language_of
from bertft.commands.check import check
from bertft.commands.init import InitRequest, init
from bertft.commands.train import train
from bertft.errors import DataError, RecipeError
from bertft.jobs.lengths import Lengths
from bertft.jobs.look import Look, look_at
from bertft.jobs.proposal import Proposal, place_of, propose
from bertft.jobs.request import TrainRequest
from bertft.loaders.source import Meter
from bertft.recipe import bundled_root, load_recipe
from bertft.settings import DataSettings
from bertft.tasks import make_task

TEXTS = [f"{text} number {number}" for number, text in enumerate([*GOOD, *BAD] * 3)]
DATA = bundled_root() / "data"


def table(path: Path, header: str, cells: Any, *, mark: str = ",") -> Path:
    lines = [mark.join((text, *map(str, cells(place)))) for place, text in enumerate(TEXTS)]
    path.write_text("\n".join([header.replace(",", mark), *lines]) + "\n", encoding="utf-8")
    return path


def lines(path: Path, row: Any) -> Path:
    rows = (json.dumps(row(place, text)) for place, text in enumerate(TEXTS))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def look(path: Path, **options: Any) -> dict[str, Any]:
    """The ``[task]`` table that a file is found to need."""
    found = look_at(str(path), DataSettings(), options=options)
    return found.options | dict(found.columns)


SHAPES = {
    "labels": (lambda f: table(f / "a.csv", "text,label", lambda n: ["good", "bad"][n % 2 :][:1]),
               {"name": "classification", "text_column": "text", "label_column": "label"}),
    "stars": (lambda f: table(f / "a.csv", "review,label", lambda n: [n % 5 + 1]),
              {"name": "classification", "text_column": "review"}),
    "many classes by number": (
        lambda f: table(f / "a.csv", "text,label", lambda n: [n % 24]), {"name": "classification"}),
    "scores": (lambda f: table(f / "a.csv", "text,score", lambda n: [n % 7 / 2]),
               {"regression": True, "label_column": "score"}),
    "amounts": (lambda f: table(f / "a.csv", "text,score", lambda n: [n * n]),
                {"regression": True}),
    "semicolons": (
        lambda f: table(f / "a.csv", "text,label", lambda n: [n % 2], mark=";"),
        {"name": "classification"}),
    "tab": (lambda f: table(f / "a.tsv", "text,label", lambda n: ["ab"[n % 2]], mark="\t"),
            {"name": "classification"}),
    "parts": (lambda f: table(f / "a.csv", "text,labels", lambda n: [["a|b", "b", "b|c"][n % 3]]),
              {"multi_label": True, "label_separator": "|"}),
    "a bar in a name": (
        lambda f: table(f / "a.csv", "text,label", lambda n: [["a|b", "c|d"][n % 2]]),
        {"name": "classification", "label_column": "label"}),
    "lists": (lambda f: lines(f / "a.jsonl", lambda n, t: {"text": t, "labels": ["a", n % 2]}),
              {"multi_label": True}),
    "bits": (lambda f: table(f / "a.csv", "text,rude,funny", lambda n: [n % 2, n % 3 % 2]),
             {"label_column": ("rude", "funny")}),
    "inference": (
        lambda f: lines(f / "a.jsonl", lambda n, t: {
            "premise": t, "hypothesis": t[::-1], "label": ["Entailment", "neutral"][n % 2]}),
        {"name": "nli", "pair_column": "hypothesis"}),
    "pairs": (
        lambda f: lines(f / "a.jsonl", lambda n, t: {
            "sentence1": t, "sentence2": t[::-1], "label": n % 2}),
        {"name": "classification", "pairs": True}),
    "questions and passages": (
        lambda f: lines(f / "a.jsonl", lambda n, t: {"query": t, "passage": f"it is {t} . yes"}),
        {"name": "retrieval", "text_column": "query", "pair_column": "passage"}),
    "answers that are labels": (
        lambda f: lines(f / "a.jsonl", lambda n, t: {
            "question": t, "passage": ["it is a very good film", "it is a bad film"][n % 2],
            "label": n % 2}),
        {"name": "classification", "label_column": "label"}),
    "similarity": (
        lambda f: lines(f / "a.jsonl", lambda n, t: {
            "sentence1": t, "sentence2": t[::-1], "score": n % 9 / 2}),
        {"pairs": True, "regression": True}),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_is_found_to_be_what_it_is(shape, tmp_path):
    write, wanted = SHAPES[shape]
    found = look(write(tmp_path))
    assert {key: found.get(key) for key in wanted} == wanted
    for option in {"pairs", "regression", "multi_label"} - wanted.keys():
        assert not found.get(option), option


@pytest.mark.parametrize(
    ("file", "task"),
    [
        ("sentiment/ko/train.csv", "classification"),
        ("nli/en/train.csv", "nli"),
        ("ner/en/train.jsonl", "ner"),
        ("qa/ko/train.json", "qa"),
        ("retrieval/en/train.jsonl", "retrieval"),
        ("retrieval/ko/dev.jsonl", "retrieval"),
    ],
)
def test_the_bundled_data_are_found_to_be_what_they_are(file, task):
    assert look(DATA / file)["name"] == task


def test_tagged_words_are_entities_and_labelled_lines_are_not(tmp_path):
    words = tmp_path / "a.conll"
    words.write_text("Ann B-PER\nlives O\nin O\nRome B-LOC\n\nBen B-PER\nlaughs O\n" * 5, "utf-8")
    assert look(words)["name"] == "ner"


def test_options_that_are_asked_for_stay(tmp_path):
    path = table(tmp_path / "a.csv", "words,label", lambda n: [n % 2])
    found = look(path, text_column="words", label_aliases={"0": "no", "1": "yes"})
    assert found["text_column"] == "words"
    with pytest.raises(DataError, match="no column 'nothing'"):
        look(path, text_column="nothing")


class TestRecipe:
    def test_check_and_a_dry_run_take_it(self, tiny, tmp_path):
        path = write_csv(tmp_path / "own.csv", [(t, "ab"[n % 2]) for n, t in enumerate(TEXTS)])
        target, _ = init(InitRequest(file=str(path), model=str(tiny)))
        assert target == tmp_path / "own.toml"
        report = check(load_recipe(str(target)))
        assert not report.exit_code(strict=False)
        request = TrainRequest(recipe=str(target), dry_run=True, out=str(tmp_path / "run"))
        assert train(request) is None
        assert not (tmp_path / "run").exists()

    def test_its_settings_are_those_of_the_data(self, tiny, tmp_path):
        path = write_csv(tmp_path / "own.csv", [(t, "ab"[n % 2]) for n, t in enumerate(TEXTS)])
        target, proposal = init(InitRequest(file=str(path), model=str(tiny)))
        recipe, text = load_recipe(str(target)), target.read_text(encoding="utf-8")
        assert recipe.data.train == str(path)
        assert recipe.task["label_names"] == ["a", "b"]
        assert recipe.model.max_length == 32 >= proposal.lengths.most
        assert recipe.training.keep == "last"
        assert f"# labels: a {len(TEXTS) // 2}, b {len(TEXTS) // 2}" in text
        assert "# lengths: median" in text

    def test_files_beside_it_are_its_dev_and_test_data(self, tmp_path):
        for name in ("dev", "test", "train"):
            shutil.copy(DATA / f"nli/en/{name}.csv", tmp_path / f"my.{name}.csv")
        data = propose(look_at(str(tmp_path / "my.train.csv"), DataSettings(), options={}),
                       DataSettings()).sections["data"]  # fmt: skip
        named = {key: value for _, key, value in data}
        assert named["dev"] == str(tmp_path / "my.dev.csv")
        assert named["test"] == str(tmp_path / "my.test.csv")
        assert "dev_share" not in named

    def test_rows_that_cannot_be_used_are_left_out_and_said(self, tiny, tmp_path):
        rows = [(t, "ab"[n % 2]) for n, t in enumerate(TEXTS)]
        path = write_csv(tmp_path / "own.csv", [*rows, ("a text", "")])
        target, proposal = init(InitRequest(file=str(path), model=str(tiny)))
        assert proposal.look.refused == 1
        assert load_recipe(str(target)).data.on_bad_row == "skip"
        assert "# 1 row cannot be used; the first:" in target.read_text(encoding="utf-8")
        assert not check(load_recipe(str(target))).exit_code(strict=False)

    def test_settings_of_the_file_go_into_it(self, tiny, tmp_path):
        path = table(tmp_path / "a.csv", "words,label", lambda n: ["xy"[n % 2]], mark="^")
        overrides = ('data.delimiter="^"', "task.text_column=words")
        target, _ = init(InitRequest(file=str(path), model=str(tiny), overrides=overrides))
        recipe = load_recipe(str(target))
        assert (recipe.data.delimiter, recipe.task["text_column"]) == ("^", "words")

    def test_numbers_of_labels_get_no_names(self, tiny, tmp_path):
        path = table(tmp_path / "a.csv", "text,label", lambda n: [n % 2])
        target, _ = init(InitRequest(file=str(path), model=str(tiny)))
        assert "label_names" not in load_recipe(str(target)).task
        assert "name them, in their order" in " ".join(
            target.read_text(encoding="utf-8").replace("#", "").split()
        )

    def test_long_texts_are_read_in_windows(self, tiny, tmp_path):
        rows = [(f"{t} " * 30, "ab"[n % 2]) for n, t in enumerate(TEXTS)]
        target, _ = init(
            InitRequest(file=str(write_csv(tmp_path / "a.csv", rows)), model=str(tiny))
        )
        recipe = load_recipe(str(target))
        assert (recipe.model.max_length, recipe.task["long_text"]) == (64, "windows")

    @given(st.text(min_size=1), st.text(min_size=1))
    def test_whatever_texts_it_holds_it_is_valid(self, reason, value):
        found = Look("a\nb.csv", {}, make_task({"name": "classification"}), [], Meter())
        sections = {"data": [(reason, "train", value), (value, "", None)]}
        made = Proposal(found, "English", Lengths(3, 5, 9, 64, True), "minilm", sections)
        read = tomllib.loads(made.to_toml("a\nb.toml"))
        assert read.pop("description")
        assert read == {"data": {"train": value}}


class TestRefused:
    def test_a_recipe_is_never_lost(self, tiny, tmp_path):
        path = write_csv(tmp_path / "own.csv", [(t, "ab"[n % 2]) for n, t in enumerate(TEXTS)])
        (tmp_path / "own.toml").write_text("mine", encoding="utf-8")
        with pytest.raises(RecipeError, match=r"own\.toml exists already; .*--force"):
            init(InitRequest(file=str(path), model=str(tiny)))
        assert (tmp_path / "own.toml").read_text(encoding="utf-8") == "mine"
        init(InitRequest(file=str(path), model=str(tiny), force=True))
        assert load_recipe(str(tmp_path / "own.toml")).task["name"] == "classification"

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("a.txt", "a text\nanother one\n", "plain text has no labels"),
            ("a.csv", "", "is empty"),
            ("a.csv", "text,label\n", "no usable rows"),
            ("a.csv", "text,label\nfoo,a\nbar,a\n", "all rows have the same label"),
            ("a.csv", "text,label\nfoo,a\nbar,\nbaz,\n", r"2 of 3 rows cannot be used; .*missing"),
            ("a.csv", "one,two,three\na,b,c\n", r"no column for .*columns here: one, two, three"),
            ("a.json", '{"data": 3}', "a.json"),
            ("a.conll", "a O\nb O\n", "no text has an entity"),
        ],
    )
    def test_a_file_without_anything_to_learn(self, name, content, message, tmp_path):
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            init(InitRequest(file=str(tmp_path / name)))
        assert [one.name for one in tmp_path.iterdir()] == [name]

    @pytest.mark.parametrize("file", ["-", "hub:a/b", "bundled:nli/en/train.csv"])
    def test_what_is_no_file_of_ones_own(self, file):
        with pytest.raises(DataError, match="looks at a file of yours"):
            init(InitRequest(file=file, out="a.toml"))


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["a film that was good", "the plot is not for me and you"] * 9, "en"),
        (["good", "bad"], "en"),
        (["정말 좋다", "BTS 노래 최고"], "ko"),
        (["정말 좋다"] * 5 + ["this is the one that we have to see"] * 5, "ko+en"),
        (["der Film hat mir sehr gut gefallen, aber das Ende war zu lang"] * 5, "other"),
        (["とても良い映画でした"] * 3, "other"),
        (["123", "!!"], "en"),
    ],
)
def test_languages(texts, language):
    assert language_of(texts) == language


@pytest.mark.parametrize(
    ("file", "recipe"),
    [("a/b.csv", "a/b.toml"), ("b.jsonl.gz", "b.toml"), ("a.train.csv", "a.train.toml")],
)
def test_the_recipe_stands_beside_its_file(file, recipe):
    assert place_of(file) == Path(recipe)


class TestCommand:
    def test_it_says_what_the_file_is_and_what_comes_next(
        self, command: Command, tiny: Path, tmp_path: Path
    ) -> None:
        path = write_csv(tmp_path / "own.csv", [(t, "ab"[n % 2]) for n, t in enumerate(TEXTS)])
        code, out, err = command("init", str(path), "--model", str(tiny))
        assert (code, out) == (0, "")
        shown = " ".join(err.split())
        for part in (
            "task classification of texts into 2 labels",
            "columns text: text, label: label",
            f"rows {len(TEXTS)} ",
            "language English",
            f"next bertft check {tmp_path / 'own.toml'} bertft train {tmp_path / 'own.toml'}",
        ):
            assert part in shown

    def test_train_on_a_file_of_data_leads_to_it(self, command: Command) -> None:
        code, _, err = command("train", "reviews.csv")
        assert code == 2
        assert "bertft init reviews.csv" in " ".join(err.split())
