"""Retrieval: what a batch learns from, how the encoder is read, what an answer says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertft.encoder.encoded_rows import EncodedRows
from bertft.encoder.load import load_tokenizer
from bertft.encoder.sentence import SentenceRule, prompts_of, sentence_rule, write_rule
from bertft.errors import DataError, RecipeError
from bertft.jobs.build import parts_of_examples
from bertft.loaders.pairs import Pair
from bertft.settings import ModelSettings
from bertft.tasks import answers_of, make_task
from bertft.tasks.retrieval import Retrieval

FILM, FOOD, PLOT = "the film is good", "the food is bad", "a slow plot"


def task(**options: Any) -> Retrieval:
    made: Any = make_task({"name": "retrieval", **options})
    return made


def pairs(*rows: tuple[Any, ...], gold: bool = True) -> list[Pair]:
    return [Pair(str(i), i, q, p, tuple(no), is_gold=gold) for i, (q, p, *no) in enumerate(rows)]


class TestEncoding:
    def test_a_passage_is_known_by_its_number_wherever_it_stands(self, tiny):
        rows = pairs(("is it", FILM), ("was it", FOOD, FILM), ("is it", PLOT))
        encoded = task().encode(rows, load_tokenizer(tiny), max_length=16)
        assert [one.example for one in encoded] == [0, 0, 1, 1, 1, 2, 2]
        # The first and the third question are the same one, which two passages answer.
        assert [one.target for one in encoded] == [[0, 2], 0, [1], 1, 0, [2, 0], 2]
        assert encoded[1].input_ids is encoded[4].input_ids
        assert encoded[0].input_ids is not encoded[5].input_ids

    def test_batches_take_a_passage_once(self, tiny):
        rows = pairs(("is it", FILM), ("was it", FILM), ("the plot", PLOT, FILM))
        encoded = task().encode(rows, load_tokenizer(tiny), max_length=16)
        assert parts_of_examples(encoded) == ((0, 1), (2, 1), (4, 5, 1))
        rows = pairs(("is it", FILM), ("was it", FOOD), ("the plot", PLOT))
        own = task().encode(rows, load_tokenizer(tiny), max_length=16)
        assert parts_of_examples(EncodedRows(own)) == ((0, 1), (2, 3), (4, 5))

    def test_spellings_of_one_text_are_one(self, tiny):
        rows = pairs(("is it", "caf\u00e9"), ("was it", "cafe\u0301"), ("the plot", PLOT))
        encoded = task().encode(rows, load_tokenizer(tiny), max_length=16)
        assert [one.target for one in encoded] == [[0], 0, [0], 0, [1], 1]

    def test_prompts_stand_before_questions_and_passages(self, tiny):
        tokenizer = load_tokenizer(tiny)
        prompted = task(query_prompt="film ", passage_prompt="food ")
        ready = prompted.for_encoder(ModelSettings(), tiny)
        asked, told = ready.encode(pairs(("is it", "no", PLOT)), tokenizer, max_length=16)[:2]
        assert tokenizer.decode(list(asked.input_ids)) == "[CLS] film is it [SEP]"
        assert tokenizer.decode(list(told.input_ids)) == "[CLS] food no [SEP]"

    def test_long_texts_are_cut_and_counted(self, tiny):
        rows = pairs(("is it", "no " * 30))
        asked, told = task().encode(rows, load_tokenizer(tiny), max_length=16)
        assert (len(asked), len(told), told.dropped) == (4, 16, 16)


class TestTheEncoder:
    def test_is_read_as_its_folder_says(self, tiny, tmp_path):
        rule = SentenceRule("cls_before_pooler", query="q: ", passage="p: ")
        write_rule(tmp_path, rule, width=32)
        ready = task().for_encoder(ModelSettings(), tmp_path)
        assert ready.how.model_dump() == {
            "pooling": "cls_before_pooler",
            "query_prompt": "q: ",
            "passage_prompt": "p: ",
        }
        own = task(query_prompt="").for_encoder(ModelSettings(pooling="mean"), tmp_path)
        assert (own.how.pooling, own.how.query_prompt) == ("mean", "")
        assert task().for_encoder(ModelSettings(pooling="first"), tiny).how.pooling == (
            "cls_before_pooler"
        )

    @pytest.mark.parametrize("pooling", ["mean", "max", "cls_before_pooler"])
    def test_what_is_written_is_read_again(self, tmp_path, pooling):
        rule = SentenceRule(pooling, normalize=True, max_length=77, query="a", passage="b")
        write_rule(tmp_path, rule, width=32)
        found = sentence_rule(tmp_path)
        assert (found.pooling, found.normalize, found.max_length) == (pooling, True, 77)
        assert (found.query, found.passage, found.prompt) == ("a", "b", "")

    def test_prompts_of_e5_unless_the_folder_names_its_own(self, tmp_path):
        e5 = ("query: ", "passage: ")
        assert prompts_of("intfloat/multilingual-e5-small", SentenceRule()) == e5
        assert prompts_of("minilm", SentenceRule(prompt="x ")) == ("x ", "x ")
        # As sentence-transformers writes it where nobody named any.
        config = {"prompts": {"query": "", "document": ""}}
        (tmp_path / "modules.json").write_text("[]", encoding="utf-8")
        (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(config), "utf-8")
        assert prompts_of("my-e5", sentence_rule(tmp_path)) == e5
        write_rule(tmp_path, SentenceRule(), width=32)  # without prompts, on purpose
        assert prompts_of("my-e5", sentence_rule(tmp_path)) == ("", "")


class TestAnswers:
    def pieces(self, rows: list[Pair], tokenizer: Any) -> list[Any]:
        """Questions and passages as unit vectors: passage n is axis n, each question leans to 0."""
        found: list[Any] = [[] for _ in rows]
        for one in task().encode(rows, tokenizer, max_length=16):
            vector = np.zeros(4)
            if isinstance(one.target, int):
                vector[one.target] = 1.0
            else:
                vector[[0, 1]] = 0.8, 0.6
            found[one.example].append((one, vector))
        return found

    def test_ranks_are_among_all_passages_of_the_file_negatives_too(self, tiny):
        rows = pairs(("is it", FILM), ("was it", FOOD, PLOT))
        found = answers_of(task(), rows, self.pieces(rows, load_tokenizer(tiny)))
        assert [(one["rank"], one["of"], one["found"]) for one in found] == [
            (1, 3, FILM),
            (2, 3, FILM),
        ]
        assert found[1]["similarity"] == pytest.approx(0.8)
        odds = np.exp(20 * np.array([0.8, 0.6, 0.0]))
        assert found[1]["probability"] == pytest.approx(odds[1] / odds.sum())
        judged = task().gold(rows[1], found[1], [])
        assert judged == {"gold": [FOOD], "loss": pytest.approx(-np.log(odds[1] / odds.sum()))}

    def test_a_pair_without_gold_is_compared(self, tiny):
        rows = pairs(("is it", FILM), gold=False)
        (question, passage) = task().encode(rows, load_tokenizer(tiny), max_length=16)
        pieces = [(question, np.array([0.6, 0.8])), (passage, np.array([1.0, 0.0]))]
        (found,) = answers_of(task(), rows, [pieces])
        assert found["value"] == pytest.approx(0.6)
        assert (found["text"], found["text_pair"]) == ("is it", FILM)


@pytest.mark.parametrize(
    "options", [{"scale": 0.0}, {"mined": "all"}, {"mined_count": 0}, {"pairs": True}]
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        task(**options)


def test_one_passage_teaches_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all rows have the same passage"):
        task().learn_labels(pairs(("is it", FILM), ("was it", FILM)), path="x.csv")
    task().learn_labels(pairs(("is it", FILM, FOOD)), path="x.csv")


def test_a_question_alone_is_refused() -> None:
    with pytest.raises(DataError, match="compares a question with a passage"):
        task().example("is it", id="1")
