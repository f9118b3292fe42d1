"""One suite over all tasks: what loop, eval and predict rely on holds for each of them.

A new task adds its CASES, and a kind of target to ``ideal_logits`` where it brings one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

from bertft.commands.predict import Predictor, load
from bertft.contracts import Answer, Encoded, FloatArray, Source, Task
from bertft.encoder.load import load_tokenizer
from bertft.errors import DataError
from bertft.recipe import DataSettings
from bertft.tasks import TASKS, make_task

MAX_LENGTH = 16
LONG = "the film was never dull , the food was very good and we love it but the plot is slow"


@dataclass(frozen=True, slots=True)
class Case:
    """Rows as they stand in a JSONL file, and where an answer names what ``gold`` names."""

    task: str
    rows: list[dict[str, Any]]
    given: str
    options: dict[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ("label",)
    """Columns that predict does not have."""


SINGLE = [
    {"text": "a good film", "label": "good"},
    {"text": "i hate it", "label": "bad"},
    {"text": "영화 정말 최고", "label": "good"},
    {"text": LONG, "label": "fair"},
    {"id": "x-7", "text": "no", "label": "bad"},
]
SEVERAL = [
    {"text": "a sad film", "label": ["sad"]},
    {"text": "fun and love", "label": ["fun", "love"]},
    {"text": "영화", "label": []},
    {"text": LONG, "label": ["fun", "sad", "love"]},
]
PAIRS = [
    {"text": "a good film", "text_pair": "a film", "label": "yes"},
    {"text": "it is good", "text_pair": "it is bad", "label": "no"},
    {"text": LONG, "text_pair": "we love " + LONG, "label": "maybe"},
]
CASES = {
    "single": Case("classification", SINGLE, "label"),
    "numbers": Case(
        "classification", [row | {"label": i} for i, row in enumerate(SINGLE)], "label"
    ),
    "several": Case("classification", SEVERAL, "labels", {"multi_label": True}),
    "pairs": Case("classification", PAIRS, "label", {"pairs": True}),
    "head and tail": Case("classification", SINGLE, "label", {"long_text": "head_tail"}),
    "windows": Case(
        "classification", SINGLE, "label", {"long_text": "windows", "window_overlap": 4}
    ),
}
EVERY_CASE = pytest.mark.parametrize("name", CASES)


@dataclass(frozen=True, slots=True)
class Ready:
    """A case that was read: its task with labels, its examples, and the same without gold."""

    task: Task[Any]
    examples: list[Any]
    bare: list[Any]
    tokenizer: Any
    settings: dict[str, Any]

    def encode(self, examples: list[Any]) -> list[Encoded]:
        return self.task.encode(examples, self.tokenizer, max_length=MAX_LENGTH)

    def decode(
        self, logits_of: Callable[[Encoded], FloatArray], examples: list[Any] | None = None
    ) -> list[Answer]:
        """Answers from logits for each Encoded."""
        chosen = self.examples if examples is None else examples
        pieces: list[list[tuple[Encoded, FloatArray]]] = [[] for _ in chosen]
        for one in self.encode(chosen):
            pieces[one.example].append((one, logits_of(one)))
        return [self.task.decode(*pair) for pair in zip(chosen, pieces, strict=True)]


def ideal_logits(one: Encoded, *, labels: int) -> FloatArray:
    """What a perfect model would answer."""
    if isinstance(one.target, int):
        return 30.0 * (np.arange(labels) == one.target)
    if isinstance(one.target, list) and len(one.target) == labels:
        return 30.0 * np.where(np.array(one.target) == 1, 1.0, -1.0)
    raise NotImplementedError(f"ideal logits for a target such as {one.target!r}")


@pytest.fixture
def ready(name: str, tiny: Path, tmp_path: Path) -> Ready:
    case = CASES[name]
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps(row, ensure_ascii=False) for row in case.rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {"name": case.task, **case.options}
    task = make_task(settings)
    examples = list(task.read(Source(str(path), data=DataSettings())))
    bound = task.learn_labels(examples, path=str(path))
    bound.check(examples, path=str(path))
    hidden = tmp_path / "bare.jsonl"
    bare_rows = [{k: v for k, v in row.items() if k not in case.hidden} for row in case.rows]
    hidden.write_text("\n".join(map(json.dumps, bare_rows)) + "\n", encoding="utf-8")
    bare = list(bound.read(Source(str(hidden), data=DataSettings(), gold=False)))
    return Ready(bound, examples, bare, load_tokenizer(tiny), settings)


@pytest.fixture
def saved(ready: Ready, tiny: Path, tmp_path: Path) -> Path:
    """A model of this task as train saves it, with random weights that make answers differ."""
    torch.manual_seed(3)
    model = ready.task.head(ready.examples).build(tiny)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    folder = tmp_path / "best"
    model.save_pretrained(folder)
    ready.tokenizer.save_pretrained(folder)
    card = {"task": ready.settings, "labels": ready.task.labels, "max_length": MAX_LENGTH}
    (folder / "bertft.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def predictor(folder: Path) -> Predictor:
    return load(folder, device="cpu", precision="fp32")


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two answers are equal but for rounding."""
    if isinstance(one, float):
        return bool(abs(one - other) <= tolerance)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k], tolerance) for k in one)
    return bool(one == other)


def test_every_task_has_a_case() -> None:
    assert {case.task for case in CASES.values()} == set(TASKS)
    for name, task in TASKS.items():
        assert make_task({"name": name}).name == task.name == name


@EVERY_CASE
def test_examples_come_in_order_with_id_and_line(ready: Ready, name: str) -> None:
    rows = CASES[name].rows
    assert [one.line for one in ready.examples] == list(range(1, len(rows) + 1))
    expected = [row.get("id", str(line)) for line, row in enumerate(rows, start=1)]
    assert [one.id for one in ready.examples] == [one.id for one in ready.bare] == expected


@EVERY_CASE
def test_labels_do_not_depend_on_the_order_of_rows(ready: Ready, name: str) -> None:
    backwards = make_task(ready.settings).learn_labels(ready.examples[::-1], path="")
    assert backwards.labels == ready.task.labels
    assert make_task(ready.settings).bind(ready.task.labels) == ready.task


@EVERY_CASE
def test_a_label_of_other_data_is_refused(ready: Ready, name: str) -> None:
    fewer = ready.task.bind([*ready.task.labels[:-1], "something else"])
    with pytest.raises(DataError) as caught:
        fewer.check(ready.examples, path="other.csv")
    assert ready.task.labels[-1] in str(caught.value)


@EVERY_CASE
def test_ideal_logits_give_gold_and_perfect_scores(ready: Ready, name: str) -> None:
    answers = ready.decode(lambda one: ideal_logits(one, labels=len(ready.task.labels)))
    for example, answer in zip(ready.examples, answers, strict=True):
        judged = ready.task.gold(example, answer)
        given, gold = answer[CASES[name].given], judged["gold"]
        assert (sorted(given), sorted(gold)) == (sorted(gold), sorted(given))
        assert judged["loss"] == pytest.approx(0, abs=1e-6)
    scores = ready.task.score(ready.examples, answers)
    assert scores.values[ready.task.metric] == 1.0


@EVERY_CASE
def test_inverted_logits_give_bad_scores(ready: Ready, name: str) -> None:
    answers = ready.decode(lambda one: -ideal_logits(one, labels=len(ready.task.labels)))
    assert ready.task.score(ready.examples, answers).values[ready.task.metric] < 0.5
    for example, answer in zip(ready.examples, answers, strict=True):
        assert ready.task.gold(example, answer)["loss"] > 1


@EVERY_CASE
def test_gold_changes_nothing_but_targets(ready: Ready, name: str) -> None:
    """What predict shows the model is what training showed it."""
    learned, predicted = ready.encode(ready.examples), ready.encode(ready.bare)
    assert [replace(one, target=None) for one in learned] == predicted
    assert all(one.target is not None for one in learned)
    assert {one.example for one in learned} == set(range(len(ready.examples)))
    assert all(2 <= len(one) <= MAX_LENGTH for one in learned)


@EVERY_CASE
def test_a_batch_answers_like_one_at_a_time(ready: Ready, saved: Path, name: str) -> None:
    """Neither padding, packing, order nor neighbours matter (logits to 1e-5)."""
    model = predictor(saved)
    together = model.answer(ready.bare)
    assert together == list(model.stream(iter(ready.bare)))
    for order in (slice(None), slice(None, None, -1)):
        rows = list(zip(ready.bare, together, strict=True))[order]
        # A probability moves by at most a quarter of its logit.
        for answer, (example, expected) in zip(
            model.answer([example for example, _ in rows]), rows, strict=True
        ):
            assert same(answer, expected, 1e-5 / 4)
            assert same(model.answer([example])[0], expected, 1e-5 / 4)


@EVERY_CASE
def test_plain_transformers_gives_the_same_answers(ready: Ready, saved: Path, name: str) -> None:
    """The class that config.json names loads the folder and computes the same logits."""
    config = transformers.AutoConfig.from_pretrained(saved)
    (architecture,) = config.architectures
    plain = getattr(transformers, architecture).from_pretrained(saved)
    assert config.id2label == dict(enumerate(ready.task.labels))

    def logits_of(one: Encoded) -> FloatArray:
        inputs = {"input_ids": torch.tensor([one.input_ids])}
        if one.token_type_ids:
            inputs["token_type_ids"] = torch.tensor([one.token_type_ids])
        with torch.no_grad():
            return plain(**inputs).logits[0].numpy()

    expected = ready.decode(logits_of, ready.bare)
    found = predictor(saved).answer(ready.bare)
    assert len({json.dumps(one.get("scores", one)) for one in found}) > 1
    assert all(same(a, b, 1e-5 / 4) for a, b in zip(found, expected, strict=True))


@EVERY_CASE
def test_saving_a_loaded_model_changes_no_weight(
    ready: Ready, saved: Path, tmp_path: Path, name: str
) -> None:
    again = tmp_path / "again"
    ready.task.head([]).build(saved).save_pretrained(again)
    first, second = (load_file(path / "model.safetensors") for path in (saved, again))
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())


@EVERY_CASE
def test_answers_are_json_and_bring_gold_back(ready: Ready, saved: Path, name: str) -> None:
    """A line of predictions.jsonl holds what the paired tests of two runs need."""
    answers = predictor(saved).answer(ready.examples)
    lines = [
        json.dumps(answer | ready.task.gold(example, answer), allow_nan=False)
        for example, answer in zip(ready.examples, answers, strict=True)
    ]
    records = [json.loads(line) for line in lines]
    assert [{key: record[key] for key in answers[0]} for record in records] == answers
    again = [ready.task.regain(record) for record in records]
    assert [one.id for one in again] == [one.id for one in ready.examples]
    before, after = (ready.task.score(side, answers) for side in (ready.examples, again))
    assert after.values == before.values
    assert np.array_equal(after.statistic.rows, before.statistic.rows)
    assert ready.encode(again) == ready.encode(ready.examples)


@EVERY_CASE
def test_a_record_is_answered_like_a_row(ready: Ready, saved: Path, name: str) -> None:
    """The Python API takes a row's columns as a mapping."""
    case = CASES[name]
    rows = [{k: v for k, v in row.items() if k not in case.hidden} for row in case.rows]
    model = predictor(saved)
    for one, other in zip(model.predict(rows), model.answer(ready.bare), strict=True):
        assert same({**one, "id": ""}, {**other, "id": ""}, 1e-5 / 4)


@EVERY_CASE
def test_top_k_shortens_scores_only(ready: Ready, saved: Path, name: str) -> None:
    model = predictor(saved)
    for full, short in zip(
        model.answer(ready.bare), model.answer(ready.bare, top_k=1), strict=True
    ):
        assert len(short["scores"]) == 1
        assert short["scores"].items() <= full["scores"].items()
        assert {**full, "scores": {}} == {**short, "scores": {}}
