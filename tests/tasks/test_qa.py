"""Questions: answers go through windows and come back as spans of the untouched passage."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from bertft.contracts import Answer, Encoded, FloatArray, Pieces
from bertft.encoder.load import load_tokenizer
from bertft.encoder.pieces import pieces_of
from bertft.errors import DataError, RecipeError
from bertft.heads.span import SpanHead
from bertft.loaders.soft_answers import SoftAnswers
from bertft.loaders.source import Source
from bertft.loaders.squad import AnswerText, Question
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.tasks.qa import NO_ANSWER, Qa

LONG = "the film was never dull , the food was very good and we love it but the plot is slow " * 3


def task(**options: object) -> Qa:
    made = make_task({"name": "qa", "window_overlap": 4, **options})
    assert isinstance(made, Qa)
    return made


def asked(
    context: str, *answers: str, question: str = "is it good ?", id: str = "1", at: int = 0
) -> Question:
    """A question whose answers stand in the passage, looked for from ``at`` on."""
    gold = tuple(AnswerText(text, context.index(text, at)) for text in answers)
    return Question(id, 1, question, context, gold)


def ideal(one: Encoded) -> FloatArray:
    """What a perfect model would say; question and separators are shouted."""
    assert isinstance(one.target, tuple)
    assert one.offsets is not None
    rows = np.where(one.offsets[:, 1:] > 0, 0.0, 50.0) * np.ones((1, 2))
    rows[0] = 0
    rows[one.target[0], 0] += 20
    rows[one.target[1], 1] += 20
    return rows.astype(np.float32)


def windows(
    made: Qa, examples: Sequence[Question], tokenizer: PreTrainedTokenizerBase, length: int = 64
) -> list[Pieces]:
    encoded = made.encode(examples, tokenizer, max_length=length)
    assert all(len(one) <= length for one in encoded)
    return pieces_of(len(examples), encoded, [ideal(one) for one in encoded])


def round_trip(
    made: Qa, one: Question, tokenizer: PreTrainedTokenizerBase, length: int = 64
) -> Answer:
    (pieces,) = windows(made, [one], tokenizer, length)
    answer = made.decode(one, pieces)
    assert one.context[answer["start"] : answer["end"]] == answer["answer"]
    assert made.gold(one, answer, pieces)["loss"] < 1e-6
    return answer


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny)


class TestRoundTrip:
    @pytest.mark.parametrize(
        ("context", "answer"),
        [
            ("we love food", "love food"),
            ("  we,love\t food!\r\nno ", "love\t food"),
            ("good 👨\u200d👩\u200d👧 film 😀", "👨\u200d👩\u200d👧"),
            ("no e\u0301e\u0301 plot x\u0323\u0301 is", "e\u0301e\u0301"),
            ("a\x01 \x02 film \u200b was\x07 good", "film \u200b was"),
            (
                unicodedata.normalize("NFD", "영화 정말 최고"),
                "\u110c\u1165\u11bc\u1106\u1161\u11af",
            ),
            (unicodedata.normalize("NFD", "영화가 좋다"), "\u110b\u1167\u11bc\u1112\u116a"),
            (LONG, "food was very good"),
        ],
    )
    def test_answers_are_spans_of_the_passage(self, tokenizer, context, answer):
        made, one = task(), asked(context, answer)
        for length in (64, 20):
            found = round_trip(made, one, tokenizer, length)
            assert (found["answer"], found["start"]) == (answer, one.answers[0].start)
            assert made.remarks([one], made.encode([one], tokenizer, max_length=length)) == []
        assert list(found) == [
            "id", "question", "answer", "start", "end", "score", "no_answer", "truncated",
        ]  # fmt: skip
        assert found["no_answer"] is found["truncated"] is False

    def test_of_answers_that_occur_twice_the_place_counts(self, tokenizer):
        one = asked("good film , good food", "good", at=5)
        assert round_trip(task(), one, tokenizer)["start"] == 12

    def test_several_questions_of_one_passage(self, tokenizer):
        """The passage is tokenised once; each question has its own windows."""
        rows = [
            asked(LONG, "film", question="is it fun ?"),
            asked("we love it", "love"),
            asked(LONG, "plot", question="we"),
        ]
        pieces = windows(task(), rows, tokenizer, 24)
        found = [task().decode(*pair)["answer"] for pair in zip(rows, pieces, strict=True)]
        assert found == ["film", "love", "plot"]
        for row, parts in zip(rows, pieces, strict=True):
            (alone,) = windows(task(), [row], tokenizer, 24)
            assert [one.input_ids for one, _ in parts] == [one.input_ids for one, _ in alone]


class TestWindows:
    CONTEXT = "the film was never dull and the food was very good"

    def held(self, tokenizer: Any, answer: str) -> list[bool]:
        """Which windows of 6 pieces of the passage (overlap 2) hold the answer."""
        one = asked(self.CONTEXT, answer, question="no")
        found = task(window_overlap=2).encode([one], tokenizer, max_length=10)
        return [row.target != NO_ANSWER for row in found]

    def test_the_answer_is_a_target_in_every_window_that_holds_it_whole(self, tokenizer):
        assert self.held(tokenizer, "film") == [True, False, False]
        assert self.held(tokenizer, "dull and") == [True, True, False]
        assert self.held(tokenizer, "never dull and the") == [False, False, False]
        assert self.held(tokenizer, "good") == [False, False, True]

    def test_an_answer_in_no_window_is_counted(self, tokenizer):
        made = task(window_overlap=2)
        rows = [
            asked(self.CONTEXT, "was never dull and the food", question="no"),
            asked(self.CONTEXT, "film", question="no"),
            asked(self.CONTEXT, question="no"),
        ]
        encoded = made.encode(rows, tokenizer, max_length=10)
        (remark,) = made.remarks(rows, encoded)
        assert remark.startswith("1 of 2 answers are in no window whole: a larger model.max_length")

    def test_an_answer_inside_a_token_is_counted(self, tokenizer):
        made, one = task(), asked("we love 영화 정말", "영")
        (remark,) = made.remarks([one], made.encode([one], tokenizer, max_length=64))
        assert remark.startswith("1 of 1 answers begin or end inside a token")
        assert round_trip(made, one, tokenizer)["answer"] == "영화"

    def test_without_gold_there_are_no_targets(self, tokenizer):
        bare = Question("1", 1, "no", LONG, None)
        found = task().encode([bare], tokenizer, max_length=20)
        assert {one.target for one in found} == {None}
        impossible = Question("1", 1, "no", LONG, ())
        found = task().encode([impossible], tokenizer, max_length=20)
        assert {one.target for one in found} == {NO_ANSWER}

    def test_a_long_question_is_cut_and_flagged(self, tokenizer):
        made = task(max_question_length=5)
        rows = [asked("we love it", "love", question="good " * count) for count in (5, 9)]
        pieces = windows(made, rows, tokenizer)
        assert [parts[0][0].dropped for parts in pieces] == [0, 4]
        assert pieces[0][0][0].input_ids == pieces[1][0][0].input_ids
        flags = [made.decode(*pair)["truncated"] for pair in zip(rows, pieces, strict=True)]
        assert flags == [False, True]

    def test_an_overlap_larger_than_the_room(self, tokenizer):
        one = asked("we love it", "love", question="no")
        with pytest.raises(RecipeError, match="window_overlap 30 leaves no room") as caught:
            task(window_overlap=30).encode([one], tokenizer, max_length=34)
        assert "\n" not in str(caught.value)
        assert len(task(window_overlap=29).encode([one], tokenizer, max_length=34)) == 1

    @pytest.mark.parametrize("context", ["", "\x01\u200b", " \n"])
    def test_an_empty_passage_has_no_answer(self, tokenizer, context):
        one = Question("1", 1, "no", context, None)
        (encoded,) = task().encode([one], tokenizer, max_length=64)
        pieces = [(encoded, np.ones((len(encoded), 2), np.float32))]
        for threshold in (None, 0.0):
            made = task().bind([], {"null_threshold": threshold, "confidence": [1.0, 0.0]})
            answer = made.decode(one, pieces, top_k=3)
            assert (answer["answer"], answer["no_answer"]) == ("", True)
            assert answer["answers"] == []
            assert 0 <= answer["score"] <= 1


WORDS = np.array([(0, 0), (0, 0), (0, 0), (0, 2), (3, 7), (8, 10), (0, 0)], dtype=np.int32)


def scored(starts: Sequence[float], ends: Sequence[float], *, null: float = 0.0) -> Pieces:
    """One window of "we love it" with logits for each of its words."""
    rows = np.zeros((7, 2), dtype=np.float32)
    rows[0] = null / 2
    rows[3:6] = np.stack([starts, ends], axis=1)
    return [(Encoded([1] * 7, [], 0, target=(0, 0), offsets=WORDS), rows)]


BARE = Question("1", 1, "who ?", "we love it", None)


class TestDecoding:
    def test_models_of_answerable_questions_always_answer(self):
        answer = task().decode(BARE, scored([0, 1, 0], [0, 1, 0], null=900))
        assert (answer["answer"], answer["no_answer"]) == ("love", False)

    @pytest.mark.parametrize(("null", "given"), [(3.4, "love"), (3.6, "")])
    def test_no_answer_beyond_the_threshold(self, null, given):
        made = task().bind([], {"null_threshold": 1.5, "confidence": [1.0, 0.0]})
        answer = made.decode(BARE, scored([0, 1, 0], [0, 1, 0], null=null))
        assert (answer["answer"], answer["no_answer"]) == (given, given == "")
        if not given:
            assert (answer["start"], answer["end"]) == (0, 0)

    def test_the_best_answers_are_distinct_and_sorted(self):
        pieces = scored([0.5, 2, 0], [0.1, 2, 1])
        answer = task().decode(BARE, [*pieces, *pieces], top_k=4)
        best = answer["answers"]
        assert best[0]["answer"] == answer["answer"] == "love"
        texts = ["love", "love it", "we love", "we love it"]
        assert [one["answer"] for one in best] == texts
        for key in ("score", "logit"):
            values = [one[key] for one in best]
            assert values == sorted(values, reverse=True)
        assert all(BARE.context[one["start"] : one["end"]] == one["answer"] for one in best)
        assert [one["logit"] for one in best[:2]] == [4.0, 3.0]

    def test_answers_can_be_compared_between_passages(self):
        """Where "no answer" was learned, it is the passage's own zero."""
        (best,) = task().decode(BARE, scored([0, 1, 0], [0, 1, 0], null=5), top_k=1)["answers"]
        assert best["logit"] == 2.0
        made = task().bind([], {"null_threshold": 9.0, "confidence": [1.0, 0.0]})
        (best,) = made.decode(BARE, scored([0, 1, 0], [0, 1, 0], null=5), top_k=1)["answers"]
        assert best["logit"] == -3.0

    def test_answers_may_be_limited_in_length(self):
        pieces = scored([5, 0, 0], [0, 0, 5])
        assert task().decode(BARE, pieces)["answer"] == "we love it"
        assert task(max_answer_length=2).decode(BARE, pieces)["answer"] in ("we", "we love", "it")

    @pytest.mark.parametrize("threshold", [None, 0.0])
    def test_confidence_is_a_probability_that_grows_with_the_answer_s_lead(self, threshold):
        made = task().bind([], {"null_threshold": threshold, "confidence": [0.7, -0.3]})
        leads = [1, 2, 4, 8, 30, 900]
        found = [made.decode(BARE, scored([0, x, 0], [0, x, 0]))["score"] for x in leads]
        assert found == sorted(found)
        assert found[0] < found[2] < found[3]
        assert all(0 <= one <= 1 for one in found)

    def test_loss_is_that_of_the_head(self, tokenizer):
        made, head = task(), SpanHead()
        one = asked(LONG, "food")
        encoded = made.encode([one], tokenizer, max_length=24)
        generator = np.random.default_rng(1)
        rows = [generator.normal(size=(len(part), 2)).astype(np.float32) for part in encoded]
        total = 0.0
        for part, row in zip(encoded, rows, strict=True):
            logits = torch.from_numpy(row)[None]
            output = type("Output", (), {"start_logits": logits[..., 0]})()
            output.end_logits = logits[..., 1]
            total += float(head.loss(output, head.targets([part], length=None)))
        pieces = list(zip(encoded, rows, strict=True))
        judged = made.gold(one, made.decode(one, pieces), pieces)
        assert judged == {"gold": ["food"], "loss": pytest.approx(total / len(encoded), rel=1e-5)}


class TestFit:
    """Passages of three words; "love" is right, and some questions have no answer."""

    @pytest.fixture
    def dev(self) -> tuple[list[Question], list[Pieces]]:
        """Questions with a margin up to 1 have an answer, those from 3 have none."""
        rows, pieces = [], []
        for number, margin in enumerate([-3.0, -2, 0, 1, 3, 4, 5, 6]):
            rows.append(asked(BARE.context, *(["love"] if margin < 2 else []), id=str(number)))
            pieces.append(scored([0, 1, 0], [0, 1, 0], null=2 + margin))
        return rows, pieces

    def test_the_threshold_separates(self, dev):
        rows, pieces = dev
        made = task().learn_labels(rows, path="").fit(rows, pieces)
        assert made.null_threshold == 2.0
        answers = [made.decode(*pair) for pair in zip(rows, pieces, strict=True)]
        assert [answer["no_answer"] for answer in answers] == [False] * 4 + [True] * 4
        values = made.score(rows, answers).values
        assert values["f1"] == values["exact_match"] == values["no_answer_accuracy"] == 1.0

    def test_answerable_questions_need_none(self, dev):
        rows, pieces = dev
        made = task().learn_labels(rows[:4], path="").fit(rows[:4], pieces[:4])
        assert made.null_threshold is None
        assert not made.decode(BARE, scored([0, 1, 0], [0, 1, 0], null=90))["no_answer"]

    def test_a_passage_without_any_piece_does_not_stop_it(self, dev):
        rows, pieces = dev
        bare = Encoded([1] * 3, [], 0, target=(0, 0), offsets=np.zeros((3, 2), np.int32))
        nothing: Pieces = [(bare, np.zeros((3, 2), np.float32))]
        rows, pieces = [*rows, Question("9", 1, "a", "\u200b", ())], [*pieces, nothing]
        made = task().learn_labels(rows, path="").fit(rows, pieces)
        assert made.null_threshold == 2.0
        assert made.decode(rows[-1], nothing)["no_answer"]

    def test_confidence_follows_how_often_answers_are_right(self):
        """Equally sure of all, right in one of four."""
        rows = [asked(BARE.context, "love" if n % 4 == 0 else "we", id=str(n)) for n in range(80)]
        pieces = [scored([0, 3, 0], [0, 3, 0])] * 80
        made = task().fit(rows, pieces)
        score = made.decode(BARE, pieces[0])["score"]
        assert score == pytest.approx(0.25, abs=0.03)
        assert task().decode(BARE, pieces[0])["score"] > 0.8

    def test_what_was_learned_survives_json(self, dev):
        made = task().learn_labels(dev[0], path="").fit(*dev)
        saved = json.loads(json.dumps(made.learned, allow_nan=False))
        assert task().bind([], saved) == made
        plain = task().fit(dev[0][:4], dev[1][:4])
        assert task().bind([], json.loads(json.dumps(plain.learned))) == plain

    def test_questions_without_any_answer_are_refused(self):
        with pytest.raises(DataError, match=r"a\.json: no question has an answer"):
            task().learn_labels([asked("we love it")], path="a.json")


class TestRecords:
    def test_reading(self, tmp_path):
        row = {"id": "x", "question": "who", "context": "we love", "answers": ["love"]}
        (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
        source = Source(str(tmp_path / "a.jsonl"), data=DataSettings())
        assert list(task().read(source)) == [
            Question("x", 1, "who", "we love", (AnswerText("love", 3),))
        ]

    def test_python(self):
        record = {"question": "who", "context": "we"}
        assert task().example(record, id="4") == Question("4", 0, "who", "we", None)
        assert task().example({**record, "id": 9}, id="4").id == "9"
        with pytest.raises(DataError, match=r'a question alone; give .*"context"'):
            task().example("who", id="4")
        with pytest.raises(DataError, match="question or context is missing; both"):
            task().example({"question": "who"}, id="4")

    def test_what_is_regained_scores_the_same(self, tokenizer):
        made = task().bind([], {"null_threshold": 0.0, "confidence": [1.0, 0.0]})
        rows = [asked("we love it", "love", "love it"), asked("we love it", id="2")]
        pieces = windows(made, rows, tokenizer)
        answers = [made.decode(*pair) for pair in zip(rows, pieces, strict=True)]
        lines = [
            json.dumps(answer | made.gold(one, answer, parts))
            for one, answer, parts in zip(rows, answers, pieces, strict=True)
        ]
        again = [made.regain(json.loads(line)) for line in lines]
        assert [one.id for one in again] == ["1", "2"]
        before, after = (made.score(side, answers) for side in (rows, again))
        assert before.values == after.values
        assert before.values["f1"] == 1.0

    @pytest.mark.parametrize("scoring", ["squad", "korquad", "klue"])
    def test_the_scoring_is_the_recipe_s(self, scoring):
        rows = [asked("the 영화가", "영화")]
        answers = [{"answer": "the 영화가", "no_answer": False, "score": 0.5}]
        values = task(scoring=scoring).score(rows, answers).values
        value = values["rouge_w" if scoring == "klue" else "f1"]
        assert value == pytest.approx({"squad": 0, "korquad": 0.5, "klue": 4 / 9}[scoring])


def test_gold_of_several_teachers_is_what_all_find_likeliest() -> None:
    task: Any = make_task({"name": "qa"})
    example = Question("1", 1, "who", "Kim lives in Seoul.", None)
    first = SoftAnswers({0: 0.6}, {3: 0.6}), (0, 3)
    second = SoftAnswers({13: 0.9}, {18: 0.8}), (13, 18)
    row = task.soft_row(example, [first, second])
    assert row["answers"] == {"text": ["Seoul"], "answer_start": [13]}
    assert row["soft_answers"] == {"start": [[0, 0.3], [13, 0.45]], "end": [[3, 0.3], [18, 0.4]]}
    none = SoftAnswers({}, {}), None
    assert task.soft_row(example, [first, none])["answers"] == {"text": [], "answer_start": []}
    assert task.soft_row(example, [first])["answers"]["text"] == ["Kim"]
