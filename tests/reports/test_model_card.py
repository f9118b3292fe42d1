"""The model card: what it says of each task, and that its code runs on the folder as it stands."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from bertft.encoder.load import load_tokenizer
from bertft.recipe import parse_recipe
from bertft.reports.model_card import model_card
from bertft.tasks import make_task

CLASSES = ["bad", "good"]
TAGS = ["O", "B-PER", "I-PER"]
TASKS: dict[str, tuple[dict[str, Any], list[str], dict[str, Any]]] = {
    "classification": ({"name": "classification"}, CLASSES, {}),
    "pairs": ({"name": "classification", "pairs": True}, CLASSES, {}),
    "pair column": ({"name": "classification", "pair_column": "b"}, CLASSES, {}),
    "regression": ({"name": "classification", "regression": True, "pairs": True}, [], {}),
    "nli": ({"name": "nli"}, ["entailment", "neutral", "contradiction"], {}),
    "ner": ({"name": "ner"}, TAGS, {}),
    "ner by piece": ({"name": "ner", "label_pieces": "all"}, TAGS, {}),
    "qa": (
        {"name": "qa", "window_overlap": 4},
        [],
        {"null_threshold": -1.5, "confidence": [0.8, 0.25]},
    ),
}
EVERY_TASK = pytest.mark.parametrize("kind", TASKS)


def card_of(kind: str, **changes: Any) -> dict[str, Any]:
    task, labels, learned = TASKS[kind]
    return {
        "task": task,
        "labels": labels,
        "learned": learned,
        "max_length": 32,
        "recipe": "mine",
        "encoder": {"name": "tiny", "revision": ""},
        "step": 8,
        "dev_scores": {"accuracy": 0.75},
    } | changes


def markdown(kind: str, *, data: dict[str, str] | None = None, **changes: Any) -> str:
    settings = {"task": TASKS[kind][0], "data": data or {"train": "a.csv"}}
    recipe = parse_recipe(settings, where="test")
    return model_card(card_of(kind, **changes), recipe)


@pytest.mark.parametrize(
    ("kind", "tag"),
    [
        ("classification", "text-classification"),
        ("regression", "text-classification"),
        ("nli", "text-classification"),
        ("ner", "token-classification"),
        ("qa", "question-answering"),
    ],
)
def test_the_hub_is_told_the_task_and_the_scores(kind: str, tag: str) -> None:
    """The Hub's own reader finds them, and writes the same header again."""
    text = markdown(kind, dev_scores={"accuracy": 0.75, "loss": 0.5})
    card = ModelCard(text)
    assert (card.data.pipeline_tag, card.data.tags) == (tag, ["bertft"])
    assert card.data.library_name == "transformers"
    results = card.data.eval_results
    assert {one.metric_type: one.metric_value for one in results} == {"accuracy": 0.75, "loss": 0.5}
    assert {(one.task_type, one.dataset_type, one.dataset_split) for one in results} == {
        (tag, "custom", "dev")
    }
    assert card.data.to_yaml() == text.split("---\n")[1].strip()
    unknown = (card.data.base_model, card.data.license, card.data.language, card.data.datasets)
    assert unknown == (None,) * 4, "a folder and a file of the user's say nothing of these"


class TestWhatIsKnown:
    def test_of_bundled_data_and_an_encoder_of_the_zoo(self) -> None:
        data = {"train": "bundled:sentiment/ko/train.csv"}
        encoder = {"name": "multilingual-e5-small", "revision": "ab" * 20}
        found = ModelCard(markdown("classification", data=data, encoder=encoder)).data
        assert found.base_model == "intfloat/multilingual-e5-small"
        assert (found.language, found.license) == ("ko", "mit")

    def test_of_data_of_the_hub(self) -> None:
        data = {"train": "hub:nyu-mll/glue:sst2:train", "dev": "hub:nyu-mll/glue:sst2:validation"}
        encoder = {"name": "google-bert/bert-base-cased", "revision": "ab" * 20}
        found = ModelCard(markdown("classification", data=data, encoder=encoder)).data
        assert found.base_model == "google-bert/bert-base-cased"
        assert (found.datasets, found.license) == (["nyu-mll/glue"], None)
        (one,) = found.eval_results
        place = (one.dataset_type, one.dataset_config, one.dataset_split)
        assert place == ("nyu-mll/glue", "sst2", "validation")

    def test_without_dev_scores(self) -> None:
        text = markdown("classification", dev_scores=None)
        assert ModelCard(text).data.eval_results is None
        assert "dev score" not in text

    def test_no_name_leaves_its_place(self) -> None:
        """Neither the header nor the list is broken by labels, files or recipes."""
        evil = 'a`b``c\n---\n# d | "e" {{ f }} <g>'
        card = ModelCard(
            markdown("classification", labels=[evil], recipe=evil, data={"train": evil})
        )
        assert card.data.model_name == evil
        assert card.data.eval_results[0].dataset_name == f"held out from {evil}"
        flat = " ".join(evil.split())
        assert f"- Labels: ``` {flat} ```" in card.text
        assert [line for line in card.text.splitlines() if line.startswith("# ")] == [
            "# " + flat.replace("|", "\\|")
        ]


@EVERY_TASK
def test_labels_are_listed_where_there_are_any(kind: str) -> None:
    text = markdown(kind)
    listed = re.findall(r"^- Labels: (.*)$", text, re.M)
    assert listed == ([", ".join(f"`{name}`" for name in TASKS[kind][1])] if TASKS[kind][1] else [])
    assert "\n\n- " in text
    assert (
        "- Longest input: 32 tokens\n- Data: train `a.csv`, dev held out from train\n- Set" in text
    )


class TestWhatWasLearned:
    def test_the_null_threshold_and_the_confidence(self) -> None:
        text = markdown("qa")
        assert "more than -1.5000, chosen on dev" in text
        assert "sigmoid(0.8000 logit(p) +0.2500)" in text

    def test_a_threshold_of_zero_is_one(self) -> None:
        text = markdown("qa", learned={"null_threshold": 0.0, "confidence": [1.0, -0.5]})
        assert "more than 0.0000, chosen on dev" in text
        assert "sigmoid(1.0000 logit(p) -0.5000)" in text

    def test_a_model_that_always_answers_says_so(self) -> None:
        text = markdown("qa", learned={"null_threshold": None, "confidence": [1.0, 0.0]})
        assert "No answer: never given" in text
        assert "[CLS]" not in text

    def test_transitions(self) -> None:
        told = "Transitions between tags"
        assert told in markdown("ner", learned={"transitions": [[0.0]]})
        assert told not in markdown("ner")

    @pytest.mark.parametrize("kind", ["classification", "regression", "nli", "ner"])
    def test_other_tasks_speak_of_neither(self, kind: str) -> None:
        text = markdown(kind)
        assert "No answer" not in text
        assert "Confidence" not in text


def saved(kind: str, tiny: Path, folder: Path) -> Path:
    """A folder as training leaves it, of an untrained model."""
    task, labels, learned = TASKS[kind]
    make_task(task).bind(labels, learned).head([]).build(tiny).save_pretrained(folder)
    load_tokenizer(tiny).save_pretrained(folder)
    (folder / "bertft.json").write_text(json.dumps(card_of(kind)), encoding="utf-8")
    return folder


def run_snippets(text: str, folder: Path) -> list[Any]:
    """Run the Python blocks of a card; gives what the last line of each one makes."""
    made = []
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        *lines, last = block.replace("path/to/this/folder", str(folder)).strip().split("\n")
        if " = " in last:
            lines, last = [*lines, last], last.split(" = ")[0]
        names: dict[str, Any] = {}
        exec("\n".join(lines), names)
        made.append(eval(last, names))
    return made


@EVERY_TASK
def test_the_code_of_the_card_runs(kind: str, tiny: Path, tmp_path: Path) -> None:
    folder = saved(kind, tiny, tmp_path / "best")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of pipelines, about words and devices
        made = run_snippets(markdown(kind), folder)
    if kind == "qa":
        ((answer,), output) = made
        assert {"answer", "score", "no_answer"} <= set(answer)
        assert output.start_logits.shape == output.end_logits.shape
    elif kind.startswith("ner"):
        assert all({"entity_group", "start", "end"} <= set(one) for one in made[0])
    elif kind == "regression":
        (answer,) = made
        assert answer["label"] == "value"
    else:
        answers = made[0][0] if kind == "classification" else made[0]
        assert {one["label"] for one in answers} == set(TASKS[kind][1])
        assert sum(one["score"] for one in answers) == pytest.approx(1)


def test_pairs_are_given_as_pairs() -> None:
    for kind in ("pairs", "pair column", "regression", "nli"):
        assert '"text_pair": ' in markdown(kind), kind
    assert '"text_pair"' not in markdown("classification")


def test_words_are_put_together_as_they_were_tagged() -> None:
    assert 'aggregation_strategy="first"' in markdown("ner")
    assert 'aggregation_strategy="simple"' in markdown("ner by piece")
