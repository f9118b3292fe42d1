"""Classification, Examples to Encoded to answers: targets, windows, probabilities, loss, scores."""

from __future__ import annotations

import json
import math
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from bertft.contracts import Encoded
from bertft.errors import DataError, RecipeError
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import TOGETHER, answers_of, make_task
from bertft.tasks.classification import Classification, TextExample

LABELS = ("bad", "fair", "good")


def task(*labels: str, **options: object) -> Classification:
    made = make_task({"name": "classification", **options})
    assert isinstance(made, Classification)
    return made.bind(labels or LABELS, {})


def example(text: str = "a film", pair: str | None = None, *gold: str) -> TextExample:
    return TextExample("7", 3, text, pair, gold or None)


def piece(*logits: float, dropped: int = 0) -> tuple[Encoded, np.ndarray]:
    return Encoded([1, 2], [], 0, dropped=dropped), np.asarray(logits, dtype=np.float32)


@pytest.fixture(scope="module")
def tokenizer(tiny) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny)


class TestPairs:
    def read(self, made: Classification, path: object) -> list[TextExample]:
        return list(made.read(Source(str(path), data=DataSettings())))

    @pytest.mark.parametrize(
        "header",
        ["premise,hypothesis,gold_label", "sentence1,sentence2,label", "text,text_b,class"],
    )
    def test_usual_columns(self, tmp_path, header):
        (tmp_path / "a.csv").write_text(f"{header}\none,two,same\n", encoding="utf-8")
        (one,) = self.read(task(pairs=True), tmp_path / "a.csv")
        assert (one.text, one.pair, one.gold) == ("one", "two", ("same",))

    def test_naming_the_second_column_is_enough(self, tmp_path):
        (tmp_path / "a.csv").write_text("q,a,label\none,two,same\n", encoding="utf-8")
        (one,) = self.read(task(text_column="q", pair_column="a"), tmp_path / "a.csv")
        assert (one.text, one.pair) == ("one", "two")

    def test_one_column_cannot_be_both(self, tmp_path):
        (tmp_path / "a.csv").write_text("text,label\none,same\n", encoding="utf-8")
        with pytest.raises(DataError, match=r"a\.csv:1: no column 'text' for the pair"):
            self.read(task(pair_column="text"), tmp_path / "a.csv")
        with pytest.raises(DataError, match=r"no column for the pair .*columns here: text, label$"):
            self.read(task(pairs=True), tmp_path / "a.csv")

    def test_both_texts_reach_the_model_and_the_answer(self, tokenizer):
        one = example("good", "bad")
        (encoded,) = task(pairs=True).encode([one], tokenizer, max_length=16)
        assert tokenizer.decode(encoded.input_ids) == "[CLS] good [SEP] bad [SEP]"
        assert list(encoded.token_type_ids) == [0, 0, 0, 1, 1]
        answer = task(pairs=True).decode(one, [piece(0, 0, 1)])
        assert (answer["text"], answer["text_pair"]) == ("good", "bad")

    def test_the_longer_text_is_cut(self, tokenizer):
        one = example("the film " * 10, "good")
        (encoded,) = task(pairs=True).encode([one], tokenizer, max_length=8)
        assert tokenizer.decode(encoded.input_ids) == "[CLS] the film the film [SEP] good [SEP]"
        assert encoded.dropped == 16

    def test_windows_over_pairs_are_refused(self):
        with pytest.raises(RecipeError, match="long_text = 'windows' needs single texts"):
            task(pairs=True, long_text="windows")

    def test_records_of_the_python_api(self):
        made = task(pairs=True)
        one = made.example({"sentence2": "two", "sentence1": "one"}, id="4")
        assert (one.id, one.text, one.pair, one.gold) == ("4", "one", "two", None)
        with pytest.raises(DataError, match=r'compares two texts; give \{"text": \.\.\., "text_'):
            made.example("one", id="4")
        assert task().example("one", id="5").text == "one"
        assert task().example({"label": "x", "review": "one"}, id="5").text == "one"


class TestEncode:
    def test_targets(self, tokenizer):
        def targets(made: Classification, *rows: TextExample) -> list[object]:
            return [one.target for one in made.encode(rows, tokenizer, max_length=16)]

        assert targets(task(), example("a", None, "good"), example("b")) == [2, None]
        several = TextExample("1", 1, "a", None, ("good", "bad"))
        none = TextExample("1", 1, "a", None, ())
        made = task(multi_label=True)
        assert targets(made, several, none, example("a")) == [[1.0, 0.0, 1.0], [0.0] * 3, None]

    def test_decomposed_text_is_composed_for_the_model_only(self, tokenizer):
        text = "영화 정말 좋다"
        typed = example(unicodedata.normalize("NFD", text))
        assert typed.text != text
        both = task().encode([typed, example(text)], tokenizer, max_length=16)
        assert both[0].input_ids == both[1].input_ids
        assert tokenizer.unk_token_id not in both[0].input_ids
        assert task().decode(typed, [piece(0, 0, 1)])["text"] == typed.text

    def test_texts_that_fit_are_whole(self, tokenizer):
        (one,) = task().encode([example("good " * 14)], tokenizer, max_length=16)
        assert (len(one), one.dropped) == (16, 0)

    def test_truncate_keeps_the_start_and_counts_the_rest(self, tokenizer):
        (one,) = task().encode([example("bad " * 4 + "good " * 20)], tokenizer, max_length=8)
        assert tokenizer.decode(one.input_ids) == "[CLS] bad bad bad bad good good [SEP]"
        assert (one.dropped, list(one.token_type_ids)) == (18, [0] * 8)

    def test_head_tail_keeps_both_ends(self, tokenizer):
        made = task(long_text="head_tail")
        (one,) = made.encode([example("bad " + "the " * 20 + "good")], tokenizer, max_length=10)
        assert tokenizer.decode(one.input_ids) == "[CLS] bad the the the the the the good [SEP]"
        assert one.dropped == 14

    @given(words=st.integers(1, 60), overlap=st.integers(0, 9), length=st.integers(12, 30))
    def test_windows_hold_every_word_and_overlap(self, tokenizer, words, overlap, length):
        text = " ".join("abcdefghijklmnopqrstuvwxyz0123456789"[i % 36] for i in range(words))
        made = task(long_text="windows", window_overlap=overlap)
        found = made.encode(
            [example(text), example("good", None, "bad")], tokenizer, max_length=length
        )
        windows = [one for one in found if one.example == 0]
        whole = tokenizer(text, add_special_tokens=False)["input_ids"]
        places, start = [], 0
        for one in windows:
            inner = list(one.input_ids[1:-1])
            start = next(i for i in range(start, words) if whole[i : i + len(inner)] == inner)
            places.append(range(start, start + len(inner)))
            assert len(one) == min(length, words + 2)
            assert (one.input_ids[0], one.input_ids[-1]) == (2, 3)
        assert set().union(*places) == set(range(words))
        assert all(len(set(a) & set(b)) >= overlap for a, b in pairwise(places))
        assert sum(one.dropped for one in found) == 0
        assert [one.target for one in found] == [None] * len(windows) + [0]

    def test_an_overlap_without_room_is_refused(self, tokenizer):
        made = task(long_text="windows", window_overlap=6)
        with pytest.raises(RecipeError, match=r"window_overlap 6 leaves no room .*overlap=1$"):
            made.encode([example("a " * 9)], tokenizer, max_length=8)


finite = st.floats(-1e4, 1e4, width=32)


class TestDecode:
    @given(st.lists(finite, min_size=3, max_size=3))
    def test_probabilities(self, logits):
        answer = task().decode(example(), [piece(*logits)])
        assert math.isclose(sum(answer["scores"].values()), 1.0, abs_tol=1e-9)
        expected = torch.tensor(logits, dtype=torch.float64).softmax(0).tolist()
        assert answer["scores"] == pytest.approx(dict(zip(LABELS, expected, strict=True)))
        assert (
            answer["score"] == answer["scores"][answer["label"]] == max(answer["scores"].values())
        )
        assert list(answer["scores"].values()) == sorted(answer["scores"].values(), reverse=True)

    def test_fields(self):
        answer = task().decode(example(), [piece(0, 2, 1)])
        assert list(answer) == ["id", "text", "label", "score", "scores", "truncated"]
        assert (answer["id"], answer["text"], answer["label"]) == ("7", "a film", "fair")
        assert list(answer["scores"]) == ["fair", "good", "bad"]
        assert all(type(value) is float for value in answer["scores"].values())

    @pytest.mark.parametrize(("top_k", "names"), [(1, "b"), (2, "bc"), (3, "bca"), (9, "bca")])
    def test_top_k(self, top_k, names):
        answer = task("a", "b", "c").decode(example(), [piece(0, 2, 1)], top_k=top_k)
        assert "".join(answer["scores"]) == names
        assert answer["label"] == "b"

    def test_several_labels_above_the_threshold(self):
        made = task(multi_label=True, threshold=0.5)
        answer = made.decode(example(), [piece(0.0, -0.01, 3.0)])
        assert answer["labels"] == ["good", "bad"]
        assert answer["scores"] == pytest.approx({"good": 0.952574, "bad": 0.5, "fair": 0.4975})
        assert "label" not in answer
        assert "score" not in answer
        assert (
            task(multi_label=True, threshold=0.99).decode(example(), [piece(1, 2, 3)])["labels"]
            == []
        )

    def test_windows_are_pooled_by_the_mean_of_their_logits(self):
        answer = task("a", "b").decode(example(), [piece(4, 0), piece(0, 1), piece(0, 0)])
        assert answer["label"] == "a"
        assert answer["score"] == pytest.approx(1 / (1 + math.exp(-1)))

    def test_a_text_that_was_cut_is_flagged(self):
        assert task().decode(example(), [piece(0, 0, 1, dropped=2)])["truncated"] is True
        assert task().decode(example(), [piece(0, 0, 1)])["truncated"] is False


class TestAnswers:
    """Of many examples at once: those of each by itself, to the last bit."""

    LEARNED = (
        ({}, {}),
        ({}, {"temperature": 1.37}),
        ({}, {"out_of_scope": {"label": "oos", "threshold": 0.6}}),
        ({"multi_label": True}, {"scaling": [[1.5, -0.2]] * 9, "thresholds": [0.1, *[0.6] * 8]}),
    )

    @pytest.mark.parametrize(("options", "learned"), LEARNED)
    @pytest.mark.parametrize("top_k", [None, 2])
    def test_each_is_that_of_its_example(self, options, learned, top_k):
        labels = [f"label {number}" for number in range(9)]
        made = make_task({"name": "classification", **options}).bind(labels, learned)
        draw = np.random.default_rng(0)
        count = TOGETHER + 30
        logits = np.round(draw.normal(size=(count, 3, 9)) * 4)  # ties among them
        rows = [
            TextExample(f"{n}", n, f"text {n}", "pair" if n % 7 == 0 else None)
            for n in range(count)
        ]
        pieces = [
            [piece(*one, dropped=n % 11 == 0) for one in logits[n, : 1 + n % 3]]
            for n in range(count)
        ]
        found = answers_of(made, rows, pieces, top_k=top_k)
        alone = [made.decode(*one, top_k=top_k) for one in zip(rows, pieces, strict=True)]
        assert list(map(json.dumps, found)) == list(map(json.dumps, alone))
        assert len(set(map(json.dumps, found))) == count

    def test_of_no_examples(self):
        assert task().answers([], []) == []

    def test_the_numbers_are_those_of_python(self):
        made = make_task({"name": "classification"}).bind(
            LABELS, {"out_of_scope": {"label": "oos", "threshold": 0.6}}
        )
        for answer in made.answers([example()] * 2, [[piece(1, 2, 3)]] * 2):
            assert type(answer["score"]) is type(answer["out_of_scope_score"]) is float
            assert type(answer["out_of_scope"]) is type(answer["truncated"]) is bool


class TestGold:
    def test_loss_is_the_cross_entropy(self):
        made, one = task(), example("a", None, "fair")
        answer = made.decode(one, [piece(0.3, -0.2, 1.5)])
        expected = torch.nn.functional.cross_entropy(
            torch.tensor([[0.3, -0.2, 1.5]], dtype=torch.float64), torch.tensor([1])
        )
        gold = made.gold(one, answer, [])
        assert gold == {"gold": "fair", "loss": pytest.approx(float(expected), abs=1e-6)}

    def test_loss_of_several_labels_is_the_mean_binary_cross_entropy(self):
        made, one = task(multi_label=True), TextExample("1", 2, "a", None, ("good", "bad"))
        answer = made.decode(one, [piece(0.3, -0.2, 1.5)])
        logits = torch.tensor([0.3, -0.2, 1.5], dtype=torch.float64)
        targets = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
        expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
        gold = made.gold(one, answer, [])
        assert gold == {"gold": ["bad", "good"], "loss": pytest.approx(float(expected), abs=1e-6)}

    def test_certain_and_wrong_is_finite(self):
        one = example("a", None, "bad")
        answer = task().decode(one, [piece(-900, 900, 0)])
        assert task().gold(one, answer, [])["loss"] == pytest.approx(12 * math.log(10))

    @pytest.mark.parametrize("several", [False, True])
    def test_examples_are_regained_from_what_was_written(self, several):
        made = task(multi_label=several)
        one = TextExample("7", 0, "a", "b", ("bad", "good") if several else ("good",))
        answer = made.decode(one, [piece(1, 2, 3)])
        assert made.regain(answer | made.gold(one, answer, [])) == one


class TestScore:
    def test_single_label(self):
        rows = [example("a", None, name) for name in ("bad", "good", "good", "good")]
        answers = [task().decode(one, [piece(0, 0, 1)]) for one in rows]
        scores = task().score(rows, answers)
        assert task().metric == "accuracy"
        assert scores.values["accuracy"] == 0.75
        assert scores.baseline["accuracy"] == 0.75
        assert scores.tables["confusion"] == {"bad": {"good": 1}, "fair": {}, "good": {"good": 3}}
        assert scores.tables["per_class"]["good"]["support"] == 3

    def test_multi_label(self):
        made = task(multi_label=True)
        rows = [TextExample("1", 2, "a", None, gold) for gold in (("bad",), (), ("bad", "good"))]
        answers = [made.decode(one, [piece(1, -1, -1)]) for one in rows]
        assert made.metric == "micro_f1"
        assert made.score(rows, answers).values["micro_f1"] == pytest.approx(2 * 2 / (3 + 3))


class TestHead:
    def test_balanced_weights(self):
        rows = [example("a", None, name) for name in ("bad", "good", "good", "good")]
        head = task(class_weights="balanced", label_smoothing=0.1).head(rows)
        assert head.weights == pytest.approx((4 / 3, 1.0, 4 / 9))
        assert (head.labels, head.smoothing, head.multi_label) == (LABELS, 0.1, False)
        assert task().head(rows).weights is None

    def test_balanced_weights_of_several_labels_are_negatives_per_positive(self):
        rows = [TextExample("1", 2, "a", None, gold) for gold in (("bad",), (), ("bad", "good"))]
        head = task(class_weights="balanced", multi_label=True).head(rows)
        assert head.weights == pytest.approx((1 / 2, 1.0, 2.0))
