"""Texts out of scope: no label of the model, told by what dev says of its logits."""

from __future__ import annotations

import numpy as np
import pytest

from bertft.contracts import Encoded
from bertft.errors import DataError, RecipeError
from bertft.evaluation.outcomes import outcome
from bertft.tasks import make_task
from bertft.tasks.classification import Classification
from bertft.tasks.soft_labels import Soft
from bertft.tasks.suspects import find_suspects
from bertft.tasks.text_rows import TextExample


def example(*gold: str, text: str = "a film") -> TextExample:
    return TextExample("1", 1, text, None, gold or None)


def pieces(*logits: float) -> list[tuple[Encoded, np.ndarray]]:
    return [(Encoded([1, 2], [], 0), np.asarray(logits, dtype=np.float32))]


def learned(*golds: str, **options: object) -> Classification:
    made = make_task({"name": "classification", **options})
    task = made.learn_labels([example(one) for one in golds], path="train.csv")
    assert isinstance(task, Classification)
    return task


class TestLabels:
    def test_a_label_that_says_so_is_none_of_the_labels(self):
        task = learned("pay", "oos", "card")
        assert task.labels == ("card", "pay")
        assert task.learned == {"out_of_scope": {"label": "oos"}}
        assert task.check([example("pay"), example("oos")], path="dev.csv") == [
            "1 text labelled 'oos': out of scope, which is no label"
        ]

    def test_without_it_nothing_is_new(self):
        task = learned("pay", "card")
        assert task.scope is None
        assert task.learned == {}
        with pytest.raises(DataError, match="label 'oos' is none of the model's 2 labels"):
            task.check([example("oos")], path="dev.csv")

    def test_it_can_be_asked_for_without_such_texts(self):
        task = learned("pay", "card", out_of_scope=True)
        assert task.labels == ("card", "pay")
        assert task.gold_ids([example("oos"), example("pay")]) == [[], [1]]

    def test_it_can_be_a_label_as_any_other(self):
        task = learned("pay", "oos", out_of_scope=False)
        assert task.labels == ("oos", "pay")
        assert task.scope is None

    @pytest.mark.parametrize(
        "options",
        [
            {"label_names": ["pay", "oos", "card"]},
            {"label_aliases": {"1": "oos", "0": "pay", "2": "card"}},
        ],
    )
    def test_numbers_that_stand_for_it(self, options):
        task = learned("0", "1", "2", **options)
        assert set(task.labels) == {"pay", "card"}
        ids = task.gold_ids([example("0"), example("1"), example("2")])
        assert [[task.labels[one] for one in row] for row in ids] == [["pay"], [], ["card"]]

    def test_its_name_can_be_another(self):
        task = learned("pay", "기타", "card", out_of_scope_label="기타")
        assert task.labels == ("card", "pay")

    def test_one_label_beside_it_is_too_few(self):
        with pytest.raises(DataError, match="all rows have the same label"):
            learned("pay", "oos")

    def test_a_file_of_nothing_else_is_refused(self):
        with pytest.raises(DataError, match=r"dev\.csv: all 2 texts are labelled 'oos'"):
            learned("pay", "card", "oos").check([example("oos")] * 2, path="dev.csv")

    @pytest.mark.parametrize(
        "settings",
        [
            {"name": "classification", "multi_label": True},
            {"name": "classification", "regression": True},
            {"name": "nli"},
        ],
    )
    def test_tasks_that_have_no_scope(self, settings):
        with pytest.raises(RecipeError, match="out_of_scope"):
            make_task({**settings, "out_of_scope": True})

    def test_several_labels_may_have_that_name(self):
        made = make_task({"name": "classification", "multi_label": True})
        task = made.learn_labels([example("oos", "pay")], path="train.csv")
        assert task.labels == ("oos", "pay")


class TestTargets:
    def test_such_texts_teach_that_no_label_fits(self, tiny):
        from bertft.encoder.load import load_tokenizer

        task = learned("pay", "oos", "card")
        examples = [example("pay"), example("oos"), example()]
        found = task.encode(examples, load_tokenizer(tiny), max_length=8)
        assert [one.target for one in found] == [[0, 1], [0.5, 0.5], None]
        alone = task.encode([example("pay")], load_tokenizer(tiny), max_length=8)
        assert alone[0].target == 1

    def test_a_share_of_soft_labels_may_be_out_of_scope(self, tiny):
        from bertft.encoder.load import load_tokenizer

        task = learned("pay", "card", "oos")
        soft = TextExample("1", 1, "a film", None, Soft(("pay",), {"pay": 0.5, "oos": 0.5}))
        assert task.check([soft], path="") == []
        (found,) = task.encode([soft], load_tokenizer(tiny), max_length=8)
        assert found.target == [0.25, 0.75]


class TestAnswers:
    """A model of the labels card and pay whose logits are high where a label fits."""

    IN, OUT = pieces(0.0, 9.0), pieces(0.5, 0.0)

    @pytest.fixture
    def fitted(self) -> Classification:
        task = learned("pay", "oos", "card")
        examples = [*[example("pay")] * 60, *[example("oos")] * 4]
        return task.fit(examples, [self.IN] * 60 + [self.OUT] * 4)

    def test_dev_tells_the_threshold(self, fitted):
        assert fitted.scope is not None
        assert (fitted.scope.seen, fitted.scope.refused) == (4, 0.0)
        assert make_task({"name": "classification"}).bind(fitted.labels, fitted.learned) == fitted

    def test_the_usual_answer_stays(self, fitted):
        inside, outside = (fitted.decode(example(), one) for one in (self.IN, self.OUT))
        assert (inside["label"], inside["out_of_scope"]) == ("pay", False)
        assert (outside["label"], outside["out_of_scope"]) == ("card", True)
        assert 0 < inside["out_of_scope_score"] < 0.1
        assert 0.9 < outside["out_of_scope_score"] <= 1
        assert outside["score"] == max(outside["scores"].values())

    def test_without_such_texts_a_share_is_refused(self):
        task = learned("pay", "card", out_of_scope=True, out_of_scope_refused=0.1)
        logits = [pieces(0.0, float(size)) for size in range(1, 101)]
        found = task.fit([example("pay")] * 100, logits)
        answers = [found.decode(example("pay"), one) for one in logits]
        assert [one["out_of_scope"] for one in answers] == [True] * 10 + [False] * 90
        assert found.scope is not None
        assert found.scope.refused == pytest.approx(0.1)

    def test_before_dev_nothing_is_said(self):
        answer = learned("pay", "oos", "card").decode(example(), self.IN)
        assert "out_of_scope" not in answer

    def test_labels_are_scored_on_texts_in_scope(self, fitted):
        examples = [example("pay"), example("card"), example("oos"), example("oos")]
        answers = [
            fitted.decode(*one)
            for one in zip(examples, [self.IN, self.IN, self.OUT, self.IN], strict=True)
        ]
        scores = fitted.score(examples, answers)
        assert scores.values["accuracy"] == 0.5
        assert len(scores.statistic.rows) == 4  # each text has its row: runs are compared by it
        found = scores.tables["out_of_scope"]
        assert found["texts"] == {"in_scope": 2, "out_of_scope": 2}
        assert found["recognised"]["value"] == 0.5
        assert found["accuracy"]["value"] == 0.5
        golds = [fitted.gold(*one, self.IN) for one in zip(examples, answers, strict=True)]
        assert [one["gold"] for one in golds] == ["pay", "card", "oos", "oos"]
        evidence = fitted.evidence(answers, golds)
        assert evidence is not None
        assert len(evidence) == 2
        rows = [a | b for a, b in zip(answers, golds, strict=True)]
        assert [outcome(one, scoring="squad").right for one in rows] == [True, False, True, False]
        assert [fitted.regain(one).names for one in rows] == [one.names for one in examples]

    def test_texts_out_of_scope_alone_have_no_scores(self, fitted):
        answers = [fitted.decode(example("oos"), self.OUT)]
        scores = fitted.score([example("oos")], answers)
        assert scores.values["accuracy"] == 0
        assert scores.tables["out_of_scope"]["recognised"]["value"] == 1
        assert "auroc" not in scores.tables["out_of_scope"]

    def test_no_label_of_such_a_text_is_doubted(self, fitted):
        examples = [*[example("pay")] * 6, example("oos"), *[example("card")] * 6, example("pay")]
        right = {"pay": self.IN, "card": pieces(9.0, 0.0), "oos": self.OUT}
        logits = [right[one.names[0]] for one in examples[:-1]] + [pieces(9.0, 0.0)]
        assert [one.example for one in find_suspects(fitted, examples, logits)] == [13]
