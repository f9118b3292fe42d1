"""One suite over all tasks: what loop, eval and predict rely on holds for each of them.

A new task adds its CASES, and a kind of target to ``ideal_logits`` where it brings one.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

from bertft.commands.explain import explain
from bertft.contracts import Answer, Encoded, FloatArray, Task
from bertft.encoder.load import load_tokenizer
from bertft.encoder.packing import Packer
from bertft.errors import DataError
from bertft.inside.request import EncoderRequest, ExplainRequest
from bertft.loaders.source import Source
from bertft.prediction.exporting import write_export
from bertft.prediction.predictor import Predictor, load
from bertft.prediction.tables import as_text, predicted
from bertft.prediction.texts import TextRequest
from bertft.reports.explain_chart import bar_chart
from bertft.settings import DataSettings
from bertft.tasks import TASKS, make_task
from bertft.watch import Silent

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
    regains_text: bool = True
    """Whether predictions.jsonl holds all that the model reads (not the passage of a question)."""


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
INFERENCE = [
    {"premise": "a good film", "hypothesis": "a film", "label": "entailment"},
    {"premise": "it is good", "hypothesis": "it is bad", "label": "Contradiction"},
    {"premise": LONG, "hypothesis": "we love " + LONG, "label": "NEUTRAL"},
]
NUMBERS = [
    {"sentence1": "a good film", "sentence2": "a film", "score": 4.5},
    {"sentence1": "it is good", "sentence2": "it is bad", "score": "0"},
    {"sentence1": LONG, "sentence2": "we love it", "score": 2},
]


def tagged(text: str, *marked: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A row of tagged text: each marked part with its label."""
    spans = [(text.index(part), part, label) for part, label in marked]
    entities = [{"start": i, "end": i + len(part), "label": label} for i, part, label in spans]
    return {"text": text, "entities": entities, **more}


ENTITIES = [
    tagged("the good film", ("good film", "WORK")),
    tagged("i hate it", id="x-7"),
    tagged("나쁘다 영화 최고", ("영화", "WORK"), ("최고", "PRAISE")),
    tagged(LONG, ("film", "WORK"), ("food", "FOOD"), ("plot", "WORK")),
    tagged("e\u0301 film \t\U0001f3ac movie", ("film", "WORK"), ("movie", "WORK")),
]


def asked(question: str, context: str, *answers: str, **more: Any) -> dict[str, Any]:
    """A row of a question; each answer stands where it first occurs."""
    golds = [{"text": one, "answer_start": context.index(one)} for one in answers]
    return {"question": question, "context": context, "answers": golds, **more}


QUESTIONS = [
    asked("is it good", "the film is good and not bad", "good"),
    asked("is the food bad", "the film is slow , the food is very good", "very good", "good"),
    asked("영화", "영화 정말 최고", "정말 최고", id="q-3"),
    asked("is the plot slow", LONG, "slow"),
]
UNANSWERED = [*QUESTIONS, asked("is the movie fun", "we hate the plot")]
QA = {"window_overlap": 2, "max_question_length": 5, "max_answer_length": 3}
CASES = {
    "inference": Case("nli", INFERENCE, "label"),
    "number": Case(
        "classification",
        NUMBERS,
        "value",
        {"regression": True, "pairs": True},
        hidden=("score",),
    ),
    "entities": Case("ner", ENTITIES, "entities", {"window_overlap": 4}, hidden=("entities",)),
    "entities by piece": Case(
        "ner",
        ENTITIES,
        "entities",
        {"window_overlap": 4, "label_pieces": "all", "character_scores": True},
        hidden=("entities",),
    ),
    "entities by transitions": Case(
        "ner",
        ENTITIES,
        "entities",
        {"window_overlap": 4, "decoding": "viterbi"},
        hidden=("entities",),
    ),
    "question": Case("qa", QUESTIONS, "answer", QA, hidden=("answers",), regains_text=False),
    "unanswered question": Case(
        "qa", UNANSWERED, "answer", QA, hidden=("answers",), regains_text=False
    ),
    "single": Case("classification", SINGLE, "label"),
    "scope": Case("classification", SINGLE, "label", {"out_of_scope": True}),
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
EVERY_CASE = pytest.mark.parametrize("name", CASES, scope="module")


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

    def ideal_pieces(self, example: Any, *, sign: int = 1) -> list[tuple[Encoded, FloatArray]]:
        """Windows of one example with ideal logits, or inverted ones."""
        size = len(self.task.labels)
        return [(one, sign * ideal_logits(one, labels=size)) for one in self.encode([example])]

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
    if isinstance(one.target, float):
        return np.array([one.target])
    if isinstance(one.target, tuple):
        return 30.0 * (np.arange(len(one))[:, None] == np.array(one.target))  # [L, 2]
    if isinstance(one.target, list) and one.offsets is not None:
        return 30.0 * (np.array(one.target)[:, None] == np.arange(labels))  # [L, C]
    if isinstance(one.target, list) and len(one.target) == labels:
        return 30.0 * np.where(np.array(one.target) == 1, 1.0, -1.0)
    raise NotImplementedError(f"ideal logits for a target such as {one.target!r}")


def names_the_same(given: Any, gold: Any) -> bool:
    """Whether an answer says what gold says."""
    if isinstance(given, list) and given and isinstance(given[0], dict):
        return [{key: one[key] for key in gold[0]} for one in given] == gold
    if isinstance(given, str) and isinstance(gold, list):
        return given in gold or (not given and not gold)
    return bool(sorted(given) == sorted(gold) if isinstance(given, list) else given == gold)


@pytest.fixture(scope="module")
def place(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a case. Like what is made in it, all tests of the case share it."""
    return tmp_path_factory.mktemp(name.replace(" ", "-"))


@pytest.fixture(scope="module")
def ready(name: str, tiny: Path, place: Path) -> Ready:
    case = CASES[name]
    path = place / "rows.jsonl"
    lines = [json.dumps(row, ensure_ascii=False) for row in case.rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {"name": case.task, **case.options}
    task = make_task(settings)
    examples = list(task.read(Source(str(path), data=DataSettings())))
    bound = task.learn_labels(examples, path=str(path))
    assert bound.metric == task.metric
    bound.check(examples, path=str(path))
    hidden = place / "bare.jsonl"
    bare_rows = [{k: v for k, v in row.items() if k not in case.hidden} for row in case.rows]
    hidden.write_text("\n".join(map(json.dumps, bare_rows)) + "\n", encoding="utf-8")
    bare = list(bound.read(Source(str(hidden), data=DataSettings(), gold=False)))
    return Ready(bound, examples, bare, load_tokenizer(tiny), settings)


@pytest.fixture(scope="module")
def saved(ready: Ready, tiny: Path, place: Path) -> Path:
    """A model of this task as train saves it, with random weights that make answers differ."""
    torch.manual_seed(3)
    model = ready.task.head(ready.examples).build(tiny)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    folder = place / "best"
    model.save_pretrained(folder)
    ready.tokenizer.save_pretrained(folder)
    card = {
        "task": ready.settings,
        "labels": ready.task.labels,
        "learned": ready.task.learned,
        "max_length": MAX_LENGTH,
    }
    (folder / "bertft.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


EXPORTED = ["several", "inference", "windows", "number", "entities", "question"]
"""Cases whose exports are compared: every head, pairs, windows, several labels, a number."""


def predictor(folder: Path) -> Predictor:
    return load(folder, device="cpu", precision="fp32")


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two answers are equal but for rounding."""
    if isinstance(one, float):
        return bool(abs(one - other) <= tolerance)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other, [tolerance] * len(one)))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k], tolerance) for k in one)
    return bool(one == other)


def test_every_task_has_a_case() -> None:
    # pretraining answers no texts: tests/tasks/test_pretraining.py has its contract.
    assert {case.task for case in CASES.values()} == set(TASKS) - {"pretraining"}
    for name in TASKS:
        assert make_task({"name": name}).name == name


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
    assert make_task(ready.settings).bind(ready.task.labels, ready.task.learned) == ready.task


@EVERY_CASE
def test_what_was_learned_survives_a_file(ready: Ready, name: str) -> None:
    """What ``fit`` finds on dev is saved as JSON and answers as before."""
    pieces: list[list[tuple[Encoded, FloatArray]]] = [[] for _ in ready.examples]
    random = np.random.default_rng(0)
    for one in ready.encode(ready.examples):
        logits = ideal_logits(one, labels=len(ready.task.labels))
        pieces[one.example].append((one, logits + random.normal(0, 9, logits.shape)))
    fitted = ready.task.fit(ready.examples, pieces)
    learned = json.loads(json.dumps(fitted.learned))
    again = make_task(ready.settings).bind(fitted.labels, learned)
    assert again == fitted
    answers = [fitted.decode(*pair) for pair in zip(ready.examples, pieces, strict=True)]
    assert answers == [again.decode(*pair) for pair in zip(ready.examples, pieces, strict=True)]


@EVERY_CASE
def test_a_label_of_other_data_is_refused(ready: Ready, name: str) -> None:
    if not ready.task.labels:
        assert name in ("number", "question", "unanswered question")  # they know no labels
        return
    last = ready.task.labels[-1].removeprefix("I-")
    renamed = [label.replace(last, "another") for label in ready.task.labels]
    fewer = ready.task.bind(renamed, ready.task.learned)
    with pytest.raises(DataError) as caught:
        fewer.check(ready.examples, path="other.csv")
    assert f"'{last}'" in str(caught.value).casefold() or f"'{last}'" in str(caught.value)


@EVERY_CASE
def test_ideal_logits_give_gold_and_perfect_scores(ready: Ready, name: str) -> None:
    answers = ready.decode(lambda one: ideal_logits(one, labels=len(ready.task.labels)))
    for example, answer in zip(ready.examples, answers, strict=True):
        judged = ready.task.gold(example, answer, ready.ideal_pieces(example))
        assert names_the_same(answer[CASES[name].given], judged["gold"])
        assert judged["loss"] == pytest.approx(0, abs=1e-6)
    scores = ready.task.score(ready.examples, answers)
    assert scores.values[ready.task.metric] == 1.0


@EVERY_CASE
def test_inverted_logits_give_bad_scores(ready: Ready, name: str) -> None:
    answers = ready.decode(lambda one: -ideal_logits(one, labels=len(ready.task.labels)))
    assert ready.task.score(ready.examples, answers).values[ready.task.metric] < 0.5
    losses = [
        ready.task.gold(example, answer, ready.ideal_pieces(example, sign=-1))["loss"]
        for example, answer in zip(ready.examples, answers, strict=True)
    ]
    assert np.mean(losses) > 1


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


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
@pytest.mark.parametrize("name", EXPORTED, scope="module")
def test_exports_answer_as_torch_does(
    saved: Path, ready: Ready, engine: str, name: str, tmp_path: Path
) -> None:
    """Labels and spans to the letter, figures to 1e-4: for all shapes of logits."""
    reference, folder = predictor(saved), tmp_path / "exported"
    folder.mkdir()
    write_export(reference, ready.examples, folder, engine=engine, int8=False, name=name)
    expected = reference.answer(ready.bare, top_k=3)
    found = Predictor(folder)
    assert same(expected, found.answer(ready.bare, top_k=3), 1e-4)
    again = pickle.loads(pickle.dumps(found))  # opened anew
    assert again.engine is not found.engine
    assert again.answer(ready.bare, top_k=3) == found.answer(ready.bare, top_k=3)


@EVERY_CASE
def test_columns_get_what_an_answer_adds(saved: Path, ready: Ready, name: str) -> None:
    """No other column, and in its order, whatever the task; also from a pickle."""
    model = pickle.loads(pickle.dumps(predictor(saved)))
    case = CASES[name]
    names = [one for one in case.rows[0] if one not in case.hidden]
    found = model.predict_columns({one: [row[one] for row in case.rows] for one in names})
    answers = model.answer(ready.bare)
    assert list(found) == [*names, *predicted(answers[0]), "error"]
    for number, answer in enumerate(answers):
        for one, value in predicted(answer).items():
            is_nested = isinstance(value, list)
            assert same(found[one][number], as_text(value) if is_nested else value, 1e-5)


@EVERY_CASE
def test_batches_are_packed(saved: Path, name: str) -> None:
    """No task falls back to padding with an encoder that can do without."""
    assert isinstance(predictor(saved).engine.batcher, Packer)


@EVERY_CASE
def test_plain_transformers_gives_the_same_answers(ready: Ready, saved: Path, name: str) -> None:
    """The class that config.json names loads the folder and computes the same logits."""
    config = transformers.AutoConfig.from_pretrained(saved)
    (architecture,) = config.architectures
    plain = getattr(transformers, architecture).from_pretrained(saved)
    if ready.task.labels:
        assert config.id2label == dict(enumerate(ready.task.labels))

    def logits_of(one: Encoded) -> FloatArray:
        inputs = {"input_ids": torch.tensor([list(one.input_ids)])}
        if one.token_type_ids:
            inputs["token_type_ids"] = torch.tensor([list(one.token_type_ids)])
        with torch.no_grad():
            output = plain(**inputs)
        if "logits" in output:
            return output.logits[0].numpy()
        return torch.stack([output.start_logits[0], output.end_logits[0]], dim=-1).numpy()

    expected = ready.decode(logits_of, ready.bare)
    found = predictor(saved).answer(ready.bare)
    assert len({json.dumps(one[CASES[name].given]) for one in found}) > 1 or "scores" in found[0]
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
        json.dumps(answer | ready.task.gold(example, answer, pieces), allow_nan=False)
        for example, answer, pieces in zip(
            ready.examples, answers, predictor(saved).pieces(ready.examples), strict=True
        )
    ]
    records = [json.loads(line) for line in lines]
    assert [{key: record[key] for key in answers[0]} for record in records] == answers
    again = [ready.task.regain(record) for record in records]
    assert [one.id for one in again] == [one.id for one in ready.examples]
    before, after = (ready.task.score(side, answers) for side in (ready.examples, again))
    assert after.values == before.values
    assert np.array_equal(after.statistic.rows, before.statistic.rows)
    if CASES[name].regains_text:
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
        if "scores" in full:
            assert len(short["scores"]) == 1
            assert short["scores"].items() <= full["scores"].items()
        if "answers" in short:
            (only,) = short.pop("answers")
            assert short["no_answer"] or only["answer"] == short["answer"]
        assert {**full, "scores": {}} == {**short, "scores": {}}


@EVERY_CASE
def test_offsets_are_those_of_the_text(ready: Ready, saved: Path, name: str) -> None:
    """Whatever the model answers, what it names stands where it says."""
    for example, answer in zip(ready.bare, predictor(saved).answer(ready.bare), strict=True):
        for one in answer.get("entities", ()):
            assert example.text[one["start"] : one["end"]] == one["text"]
        if "answer" in answer:
            assert example.text[answer["start"] : answer["end"]] == answer["answer"]


# --- explain ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def explained(saved: Path, place: Path) -> list[dict[str, Any]]:
    """What explain says of every row, which a page holds too."""
    request = ExplainRequest(
        texts=TextRequest(arguments=(str(place / "bare.jsonl"),)),
        encoder=EncoderRequest(run=str(saved), device="cpu"),
        attention=True,
        out=str(place / "page.html"),
    )
    return list(explain(request, watch=Silent()))


@EVERY_CASE
def test_the_answer_that_is_explained_is_the_one_of_predict(
    ready: Ready, saved: Path, explained: list[dict[str, Any]], place: Path, name: str
) -> None:
    answers = predictor(saved).answer(ready.bare)
    assert all(same(one["answer"], due, 1e-5) for one, due in zip(explained, answers, strict=True))
    for result in explained:
        answer, found = result["answer"], result["explanations"]
        if ready.task.name == "ner":
            assert len(found) == len(answer["entities"])
        else:
            assert len(found) == (2 if ready.task.name == "qa" else 1)
        if "scores" in answer:
            assert found[0]["probability"] == max(answer["scores"].values())
        shown = [bar for panel in bar_chart([result]).panels for bar in panel.bars]
        bars = sum(len(one["words"]) for one in found) or len(result["tokens"])
        assert sum(bar.value is not None for bar in shown) == bars
    page = (place / "page.html").read_text(encoding="utf-8")
    assert page.count("<article>") == len(answers)
    assert page.count("<section>") == sum(len(one["explanations"]) for one in explained)


@EVERY_CASE
def test_what_is_explained_is_complete_and_in_its_place(
    ready: Ready, explained: list[dict[str, Any]], name: str
) -> None:
    """Attributions add up, to what they miss; words and tokens are those of the texts."""
    for result in explained:
        weights = np.array(result["attention"])
        assert weights.shape == (2, 2, *[len(result["tokens"])] * 2)
        assert weights.sum(axis=-1) == pytest.approx(1, abs=1e-3)
        assert len(result["rollout"]) == len(result["places"]) == len(result["tokens"])
        for one in result["explanations"]:
            total = sum(word["attribution"] for word in one["words"])
            rise = one["logit"] - one["baseline_logit"]
            assert total == pytest.approx(rise + one["error"], abs=1e-4)
            assert abs(one["error"]) < 0.01 * max(1.0, abs(rise))
            for word in one["words"]:
                text = result["parts"][word["part"]]
                assert text[word["start"] : word["end"]] == word["text"]
                assert word["text"].strip()
            if result["window"] == one["window"]:
                silent = [
                    share
                    for share, at in zip(one["attributions"], result["places"], strict=True)
                    if at is None
                ]
                assert not any(silent), "special tokens are kept"


@EVERY_CASE
def test_the_logit_that_is_explained_is_that_of_the_answer(
    ready: Ready, saved: Path, explained: list[dict[str, Any]], name: str
) -> None:
    for result, pieces in zip(explained, predictor(saved).pieces(ready.bare), strict=True):
        for one in result["explanations"]:
            encoded, logits = pieces[one["window"]]
            assert one["logit"] == pytest.approx(_logit(one, logits, ready.task), abs=1e-4)
            if one["window"] == result["window"]:
                tokenizer = ready.tokenizer
                shown = tokenizer.convert_ids_to_tokens(list(encoded.input_ids))
                assert shown == result["tokens"]


def _logit(one: dict[str, Any], logits: FloatArray, task: Task[Any]) -> float:
    """The logit that an explanation speaks of."""
    if "side" in one:
        return float(logits[one["token"], ("start", "end").index(one["side"])])
    column = task.labels.index(one["label"]) if "label" in one else 0
    return float(logits[(one["token"], column) if "token" in one else column])
