"""Entities: gold goes through tags and windows and comes back, character for character."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from bertft.contracts import Answer, Encoded, FloatArray, Pieces
from bertft.encoder.load import load_tokenizer
from bertft.encoder.pieces import pieces_of
from bertft.errors import DataError, RecipeError
from bertft.heads.token import IGNORED, TokenHead
from bertft.loaders.conll import TaggedText
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.spans import Entity, words_of
from bertft.tasks import make_task
from bertft.tasks.ner import Ner

LONG = "the film was never dull , the food was very good and we love it but the plot is slow " * 3
WORDS = ["we", "film", "\u200b", "좋다", "dull,", "\x01", "e\u0301", "😀"]
PIECES = pytest.mark.parametrize("label_pieces", ["first", "all"])


def task(*types: str, **options: object) -> Ner:
    made = make_task({"name": "ner", "window_overlap": 4, **options})
    assert isinstance(made, Ner)
    return made.bind(["O", *(f"{part}-{name}" for name in types for part in "BI")], {})


def tagged(text: str, *parts: str, label: str = "PER", words: Any = None) -> TaggedText:
    """A text whose entities are the given parts of it, in order."""
    entities, start = [], 0
    for part in parts:
        start = text.index(part, start)
        entities.append(Entity(start, start + len(part), label))
        start += len(part)
    return TaggedText("1", 1, text, words, tuple(entities))


def ideal(one: Encoded, *, classes: int) -> FloatArray:
    """What a perfect model would say; nonsense where no tag is asked for."""
    rows = np.zeros((len(one), classes), dtype=np.float32)
    for row, tag in zip(rows, one.target, strict=True):  # type: ignore[arg-type]
        row[tag if tag != IGNORED else classes - 1] = 20.0
    return rows


def windows(
    made: Ner, examples: Sequence[TaggedText], tokenizer: PreTrainedTokenizerBase, length: int = 64
) -> list[Pieces]:
    encoded = made.encode(examples, tokenizer, max_length=length)
    assert all(len(one) <= length for one in encoded)
    return pieces_of(
        len(examples), encoded, [ideal(one, classes=len(made.labels)) for one in encoded]
    )


def round_trip(
    made: Ner, examples: Sequence[TaggedText], tokenizer: PreTrainedTokenizerBase, length: int = 64
) -> list[Answer]:
    """Answers to the gold's own tags; every one is a true part of its text."""
    pieces = windows(made, examples, tokenizer, length)
    answers = [made.decode(*pair) for pair in zip(examples, pieces, strict=True)]
    for example, parts, answer in zip(examples, pieces, answers, strict=True):
        for one in answer["entities"]:
            assert example.text[one["start"] : one["end"]] == one["text"] != ""
            assert one["score"] > 0.99
        assert made.gold(example, answer, parts)["loss"] < 1e-6
    return answers


def given_entities(answer: Answer) -> list[Entity]:
    return [Entity(one["start"], one["end"], one["label"]) for one in answer["entities"]]


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny)


@pytest.fixture(scope="module")
def bytes_tokenizer() -> Any:
    """Bytes as pieces: one letter of Hangul is three of them."""
    entries = ["<s>", "</s>", "<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(entries)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")


class TestRoundTrip:
    @PIECES
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("we love food", ["love"]),
            ("we love food", ["we", "love food"]),
            ("we love food", ["we love food"]),
            ("we love food", []),
            ("  we,love\t food!\r\nno ", ["love\t food", "no"]),
            ("good 👨\u200d👩\u200d👧 film 😀", ["👨\u200d👩\u200d👧", "😀"]),
            ("no e\u0301e\u0301 plot x\u0323\u0301 is", ["e\u0301e\u0301", "x\u0323\u0301 is"]),
            ("a\x01 \x02 film \u200b was\x07 good", ["film", "good"]),
            (
                unicodedata.normalize("NFD", "영화 정말 최고"),
                ["\u110c\u1165\u11bc\u1106\u1161\u11af"],
            ),
            (LONG, ["food was very good", "plot"]),
        ],
    )
    def test_spans_of_texts(self, tokenizer, text, parts, label_pieces):
        made, one = task("PER", label_pieces=label_pieces), tagged(text, *parts)
        for length in (64, 12):
            (answer,) = round_trip(made, [one], tokenizer, length)
            assert given_entities(answer) == list(one.entities)
            assert made.remarks([one], made.encode([one], tokenizer, max_length=length)) == []
        assert list(answer) == ["id", "text", "entities"]

    @PIECES
    def test_words_of_a_file(self, tokenizer, tmp_path, label_pieces):
        """Words of which some give no piece (a control character, a joiner): nothing shifts."""
        lines = (
            "\u200b O|the O|\x01 O|film B-LOC|\u200d I-LOC|food I-LOC|we B-PER|\x02 O|love B-PER"
        )
        path = tmp_path / "a.conll"
        path.write_text(lines.replace(" ", "\t").replace("|", "\n") + "\n", encoding="utf-8")
        made = task("LOC", "PER", label_pieces=label_pieces)
        examples = list(made.read(Source(str(path), data=DataSettings())))
        (answer,) = round_trip(made, examples, tokenizer)
        found = [(one["text"], one["label"]) for one in answer["entities"]]
        assert found == [("film \u200d food", "LOC"), ("we", "PER"), ("love", "PER")]
        assert given_entities(answer) == list(examples[0].entities)

    def test_words_that_are_split_into_pieces(self, tokenizer):
        """Only the first piece of a word carries its tag."""
        one = tagged("films unfun", "unfun", words=((0, 5), (6, 11)))
        (encoded,) = task("PER").encode([one], tokenizer, max_length=64)
        names = tokenizer.convert_ids_to_tokens(list(encoded.input_ids))
        tags = dict(zip(names, encoded.target, strict=True))
        assert len(names) > 4
        assert {name: tag for name, tag in tags.items() if tag != IGNORED} == {
            "film": 0, names[3]: 1,
        }  # fmt: skip
        (encoded,) = task("PER", label_pieces="all").encode([one], tokenizer, max_length=64)
        assert encoded.target[3:-1] == [1] + [2] * (len(names) - 5)

    def test_spans_of_a_table(self, tokenizer, tmp_path):
        rows = {"text": "we love good food", "entities": [{"start": 8, "end": 17, "label": "X"}]}
        (tmp_path / "a.jsonl").write_text(json.dumps(rows) + "\n", encoding="utf-8")
        made = task("X")
        examples = list(made.read(Source(str(tmp_path / "a.jsonl"), data=DataSettings())))
        (answer,) = round_trip(made, examples, tokenizer)
        assert given_entities(answer) == [Entity(8, 17, "X")]

    def test_josa_is_no_part_of_the_entity(self, tokenizer, tmp_path):
        """KLUE tags characters: 영화가 is an entity and its particle in one word."""
        tags = ["B-TI", "I-TI", "O", "O", "B-PS", "I-PS", "O"]
        lines = [f"{c}\t{tag}" for c, tag in zip("영화가 최고는", tags, strict=True)]
        path = tmp_path / "a.tsv"
        path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
        made = task("PS", "TI", label_pieces="all")
        examples = list(made.read(Source(str(path), data=DataSettings())))
        (answer,) = round_trip(made, examples, tokenizer)
        assert [(one["text"], one["label"]) for one in answer["entities"]] == [
            ("영화", "TI"), ("최고", "PS"),
        ]  # fmt: skip
        words = task("PS", "TI")
        encoded = words.encode(examples, tokenizer, max_length=64)
        assert words.remarks(examples, encoded) == [
            "2 of 2 entities do not begin and end where words do: what sticks to them is learned "
            'from dev (task.label_pieces = "all" is finer)'
        ]

    @pytest.mark.parametrize("length", [64, 11])
    def test_bytes_of_one_character_are_one_unit(self, bytes_tokenizer, length):
        """Else a character would be tagged three times, and answers overlap."""
        made = task("PS", label_pieces="all")
        one = tagged("영화가 좋다 😀", "영화", "좋", "😀", label="PS")
        (answer,) = round_trip(made, [one], bytes_tokenizer, length)
        assert given_entities(answer) == list(one.entities)
        encoded = made.encode([one], bytes_tokenizer, max_length=64)
        rows = np.tile(np.array([0, 9, 0], np.float32), (len(encoded[0]), 1))
        (answer,) = [made.decode(one, [(encoded[0], rows)])]
        assert "".join(part["text"] for part in answer["entities"]) == "영화가좋다😀"

    def test_words_that_share_a_piece_are_one_unit(self, tokenizer):
        """An emoji beside a word makes both one unknown piece; what is lost is told."""
        made, one = task("PER"), tagged("good😀 film", "good")
        (answer,) = round_trip(made, [one], tokenizer)
        assert [part["text"] for part in answer["entities"]] == ["good😀"]
        assert (
            "1 of 1 entities" in made.remarks([one], made.encode([one], tokenizer, max_length=9))[0]
        )

    @PIECES
    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.sampled_from(WORDS), max_size=30), st.integers(0, 10**6), st.integers(8, 20))
    def test_any_words(self, tokenizer, label_pieces, words, seed, length):
        """Random entities over whole words: those that have a piece come back."""
        text = " ".join(words)
        draw = np.random.default_rng(seed)
        spans = [span for span in words_of(text) if text[slice(*span)] not in "\u200b\x01"]
        entities = tuple(Entity(*span, "PER") for span in spans if draw.random() < 0.5)
        made = task("PER", label_pieces=label_pieces, window_overlap=2)
        one = TaggedText("1", 1, text, None, entities)
        (answer,) = round_trip(made, [one], tokenizer, length)
        assert given_entities(answer) == list(entities)

    def test_texts_of_nothing(self, tokenizer):
        examples = [tagged(""), tagged("\x01\u200b"), tagged("we", "we")]
        answers = round_trip(task("PER"), examples, tokenizer)
        assert [len(answer["entities"]) for answer in answers] == [0, 0, 1]


class TestLabels:
    def test_types_by_name(self):
        rows = [tagged("we love", "love", label="Z"), tagged("we", "we", label="가"), tagged("a")]
        for order in (rows, rows[::-1]):
            found = task().learn_labels(order, path="")
            assert found.labels == ("O", "B-Z", "I-Z", "B-가", "I-가")
        assert found.types == ("Z", "가")
        with pytest.raises(DataError, match=r"a\.conll: no text has an entity"):
            task().learn_labels([tagged("we")], path="a.conll")

    def test_an_unknown_type_is_named(self):
        row = TaggedText("7", 7, "we", None, (Entity(0, 2, "PERSON"),))
        with pytest.raises(DataError) as caught:
            task("LOC", "PER").check([tagged("we", "we"), row], path="a.conll")
        assert str(caught.value).startswith(
            "a.conll:7: entity type 'PERSON' is none of the model's 2 types"
        )
        assert "LOC" in caught.value.hint

    def test_repaired_tags_are_counted(self, tmp_path):
        (tmp_path / "a.conll").write_text("we\tI-PER\nlove\tB-PER\n", encoding="utf-8")
        source = Source(str(tmp_path / "a.conll"), data=DataSettings())
        assert len(list(task(scheme="bio").read(source))) == 1
        assert source.meter.repaired == {"tags that broke the BIO scheme are repaired": 1}

    def test_records(self):
        assert task().example("we", id="3") == TaggedText("3", 0, "we", None, None)
        assert task().example({"text": "we", "id": 9}, id="3").id == "9"
        with pytest.raises(DataError, match="no text to tag"):
            task().example({"body": "we"}, id="3")

    def test_without_gold_there_are_no_targets(self, tokenizer):
        bare = TaggedText("1", 1, LONG, None, None)
        found = task("PER").encode([bare], tokenizer, max_length=20)
        assert len(found) > 2
        assert {one.target for one in found} == {None}

    def test_an_overlap_without_room(self, tokenizer):
        with pytest.raises(RecipeError, match="window_overlap 32 leaves no room"):
            task("PER", window_overlap=32).encode([tagged("we")], tokenizer, max_length=32)


def scored(*rows: Sequence[float]) -> Pieces:
    """One window of "we love it" with logits for each of its words."""
    offsets = np.array([(0, 0), (0, 2), (3, 7), (8, 10), (0, 0)], dtype=np.int32)
    logits = np.array([[9.0] * 3, *rows, [9.0] * 3], dtype=np.float32)
    target = [IGNORED, 0, 0, 0, IGNORED]
    return [(Encoded([1] * 5, [], 0, target=target, offsets=offsets), logits)]


BARE = TaggedText("1", 1, "we love it", None, None)


class TestDecoding:
    def test_greedy_keeps_what_breaks_the_scheme_and_marks_it(self):
        pieces = scored([0, 0, 2], [0, 0, 9], [9, 0, 0])
        (found,) = task("PER", decoding="greedy").decode(BARE, pieces)["entities"]
        assert (found["text"], found["repaired"]) == ("we love", True)
        (found,) = task("PER").decode(BARE, pieces)["entities"]
        assert found["text"] == "we love"
        assert "repaired" not in found

    def test_score_is_the_geometric_mean_over_its_units(self):
        pieces = scored(np.log([0.1, 0.8, 0.1]), np.log([0.3, 0.2, 0.5]), [9, 0, 0])
        (found,) = task("PER").decode(BARE, pieces)["entities"]
        assert (found["start"], found["end"], found["label"]) == (0, 7, "PER")
        assert found["score"] == pytest.approx(np.sqrt(0.8 * 0.5))

    def test_loss_is_the_mean_over_units(self):
        pieces = scored(np.log([0.1, 0.8, 0.1]), np.log([0.3, 0.2, 0.5]), np.log([0.6, 0.2, 0.2]))
        one = TaggedText("1", 1, BARE.text, None, ())
        judged = task("PER").gold(one, {}, pieces)
        assert judged["loss"] == pytest.approx(-np.log([0.1, 0.3, 0.6]).mean())

    def test_scores_and_what_is_regained(self, tokenizer):
        made = task("LOC", "PER", character_scores=True)
        rows = [tagged("we love food", "we"), tagged("film", "film", label="LOC"), tagged("no")]
        answers = round_trip(made, rows, tokenizer)
        perfect = made.score(rows, answers)
        assert perfect.values[made.metric] == perfect.values["character_macro_f1"] == 1.0
        answers[0]["entities"][0]["label"] = "LOC"
        assert made.score(rows, answers).values["f1"] == 0.5
        line = answers[0] | made.gold(rows[0], answers[0], windows(made, rows, tokenizer)[0])
        again = made.regain(json.loads(json.dumps(line)))
        assert (again.text, again.entities) == (rows[0].text, rows[0].entities)


class TestViterbi:
    @pytest.fixture
    def dev(self, tokenizer) -> tuple[list[TaggedText], list[Pieces]]:
        """Entities of two words each, whose second word the model does not see."""
        rows = [tagged("we love food", "love food"), tagged("the film was", "film was")] * 5
        made = task("PER", decoding="viterbi")
        pieces = windows(made, rows, tokenizer)
        for ((one, logits),) in pieces:
            for place, tag in enumerate(one.target):
                if tag == 2:
                    logits[place] = [0.6, 0.0, 0.5]
        return rows, pieces

    def test_learns_what_follows_what(self, dev):
        rows, pieces = dev
        made = task("PER", decoding="viterbi")
        fitted = made.fit(rows, pieces)
        first = [made.decode(*pair) for pair in zip(rows, pieces, strict=True)]
        after = [fitted.decode(*pair) for pair in zip(rows, pieces, strict=True)]
        assert made.score(rows, first).values["f1"] == 0.0
        assert fitted.score(rows, after).values["f1"] == 1.0

    def test_what_was_learned_survives_json(self, dev):
        rows, pieces = dev
        fitted = task("PER", decoding="viterbi").fit(rows, pieces)
        saved = json.loads(json.dumps(fitted.learned, allow_nan=False))
        again = task("PER", decoding="viterbi").bind(fitted.labels, saved)
        assert again == fitted
        for pair in zip(rows, pieces, strict=True):
            assert again.decode(*pair) == fitted.decode(*pair)

    def test_forbidden_steps_stay_forbidden(self, dev):
        fitted = task("PER", decoding="viterbi").fit(*dev)
        pieces = scored([0, 0, 9], [9, 0, 0], [0, 0, 9])
        assert not any("repaired" in one for one in fitted.decode(BARE, pieces)["entities"])

    @pytest.mark.parametrize("decoding", ["constrained", "greedy"])
    def test_others_learn_no_transitions(self, dev, decoding):
        made = task("PER", decoding=decoding).fit(*dev)
        assert made.transitions == ()
        assert "transitions" not in made.learned


class TestEdges:
    """What sticks to entities inside their units is learned from dev and cut off."""

    @pytest.fixture
    def dev(self) -> list[TaggedText]:
        texts = ["영화가 좋다", "음식가 좋다", "최고가 좋다", "최악도 좋다"]
        return [tagged(text, text[:2], label="PS") for text in texts]

    def test_a_particle_is_cut_off_exactly(self, tokenizer, dev):
        made = task("PS")
        pieces = windows(made, dev, tokenizer)
        fitted = made.fit(dev, pieces)
        assert fitted.edges.after == ("가",)
        answers = round_trip(fitted, dev, tokenizer)
        assert [answer["entities"][0]["text"] for answer in answers] == [
            "영화", "음식", "최고", "최악도",
        ]  # fmt: skip
        plain = [
            made.decode(*pair)["entities"][0]["text"] for pair in zip(dev, pieces, strict=True)
        ]
        assert plain == ["영화가", "음식가", "최고가", "최악도"]

    def test_what_belongs_to_entities_as_often_stays(self, tokenizer, dev):
        rows = dev + [tagged("맛가 좋다", "맛가", label="PS")] * 3
        made = task("PS")
        assert made.fit(rows, windows(made, rows, tokenizer)).edges.after == ()

    def test_survive_json(self, tokenizer, dev):
        fitted = task("PS").fit(dev, windows(task("PS"), dev, tokenizer))
        saved = json.loads(json.dumps(fitted.learned))
        assert task().bind(fitted.labels, saved) == fitted

    def test_of_composed_text(self, tokenizer, dev):
        fitted = task("PS").fit(dev, windows(task("PS"), dev, tokenizer))
        text = unicodedata.normalize("NFD", "영화가 좋다")
        one = tagged(text, unicodedata.normalize("NFD", "영화"), label="PS")
        (answer,) = round_trip(fitted, [one], tokenizer)
        assert given_entities(answer) == list(one.entities)


def test_the_head_has_the_labels() -> None:
    assert task("PER").head([]) == TokenHead(("O", "B-PER", "I-PER"))


def test_types_that_are_never_the_likeliest_are_labels(tmp_path: Path) -> None:
    """And what the labels lack is told."""
    soft = {"tags": ["O", "B-A", "B-C"], "start": [0], "end": [3], "p": [[0.2, 0.7, 0.1]]}
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"text": "Kim", "soft_tags": soft}) + "\n", encoding="utf-8")
    task = make_task({"name": "ner"})
    examples = list(task.read(Source(str(path), data=DataSettings())))
    assert task.learn_labels(examples, path="x").labels == ("O", "B-A", "I-A", "B-C", "I-C")
    with pytest.raises(DataError, match="entity type 'C' is none of the model's 1 types"):
        task.bind(("O", "B-A", "I-A"), {}).check(examples, path="x")
