"""Words per line with other columns beside them, and tags in other spellings."""

from __future__ import annotations

from typing import Any

import pytest

from bertft.errors import DataError
from bertft.loaders.conll import read_tagged
from bertft.loaders.source import Source
from bertft.loaders.tagged_rows import TagColumns
from bertft.settings import DataSettings

ROWS = [[("Kim", "B-PER"), ("Lee", "I-PER"), ("flew", "O")],
        [("to", "O"), ("Oslo", "B-LOC"), ("in", "O"), ("May", "O")],
        [("Rain", "O")]]  # fmt: skip
SAID = [("Kim Lee flew", [("Kim Lee", "PER")]), ("to Oslo in May", [("Oslo", "LOC")]), ("Rain", [])]


def read(path: str, *, gold: bool = True, columns: TagColumns | None = None) -> tuple[Any, Any]:
    source = Source(path, data=DataSettings(), gold=gold)
    texts = list(read_tagged(source, columns=columns))
    said = [
        (one.text, [(one.text[e.start : e.end], e.label) for e in one.entities or ()])
        for one in texts
    ]
    return said, source.meter


def lines(form: str, *, start: int = 1, running: bool = False) -> str:
    """The sentences, each line written by ``form`` with i, s, word and tag."""
    text, number = "", start
    for place, sentence in enumerate(ROWS):
        number = number if running else start
        for word, tag in sentence:
            text += form.format(i=number, s=place, word=word, tag=tag, type=tag[2:] or "O") + "\n"
            number += 1
        text += "\n"
    return text


class TestNumberedWords:
    @pytest.mark.parametrize("start", [0, 1])
    @pytest.mark.parametrize("running", [False, True])
    @pytest.mark.parametrize(
        ("form", "note"),
        [
            ("{i}\t{word}\t{tag}", "column 1 only counts and is left out, column 2 of 3"),
            ("{i} {word} {tag}", "column 1 only counts and is left out, column 2 of 3"),
            ("{s}\t{i}\t{word}\tNN\t{tag}", "columns 1 to 2 are left out, column 3 of 5"),
            ("{s}\t{word}\t{tag}", "column 1 only counts"),
        ],
    )
    def test_numbers_are_no_words(self, write, form, note, start, running):
        said, meter = read(write("a.conll", lines(form, start=start, running=running)))
        assert said == SAID
        (told,) = meter.notes
        assert note in told
        assert "the tags" in told

    def test_names_of_documents_are_no_words(self, write):
        text = "".join(lines("doc{s}\t{i}\t{word}\t{tag}") for _ in range(3))
        said, meter = read(write("a.conll", text))
        assert said == SAID * 3
        assert "columns 1 to 2 are left out" in meter.notes[0]

    def test_predicting(self, write):
        for form in ("{i}\t{word}", "{i}\t{word}\t{tag}", "{word}\t{tag}", "{word}"):
            said, _ = read(write("a.conll", lines(form)), gold=False)
            assert [text for text, _ in said] == [text for text, _ in SAID], form

    def test_conllu(self, write):
        """Lines that number two words (1-2), or none (3.1), stand beside the words."""
        text = (
            "# sent_id = x\n1-2\tvamonos\t_\n1\tvamos\tO\n2\tnos\tO\n2.1\t_\t_\n3\tOslo\tB-LOC\n\n"
        )
        said, meter = read(write("a.conllu", text * 2))
        assert said == [("vamos nos Oslo", [("Oslo", "LOC")])] * 2
        assert sum(meter.counts.values()) == 4

    def test_words_that_are_numbers_stay(self, write):
        text = "7\tO\n23\tB-X\n1\tO\n\n5\tO\n"
        said, meter = read(write("a.conll", text))
        assert [text for text, _ in said] == ["7 23 1", "5"]
        assert meter.notes == []
        said, meter = read(write("b.conll", "1\tO\n2\tB-X\n\n1\tO\n2\tO\n"))
        assert [text for text, _ in said] == ["1 2", "1 2"]
        assert "is a column of words missing?" in meter.notes[0]

    def test_plain_files_say_nothing(self, write):
        said, meter = read(write("a.conll", lines("{word}\t{tag}")))
        assert (said, meter.notes) == (SAID, [])


class TestColumns:
    def test_several_columns_of_tags(self, write):
        path = write("a.conll", lines("{word}\tB-NP\t{tag}"))
        said, meter = read(path)
        assert said == SAID
        assert (
            "(columns 2, 3 can hold tags: --set task.tag_column=NUMBER chooses)" in meter.notes[0]
        )
        for column in ("2", "-2"):
            said, meter = read(path, columns=TagColumns(tag=column))
            assert said[2] == ("Rain", [("Rain", "NP")])
            assert "column 2 the tags" in meter.notes[0]

    def test_the_tags_need_not_be_last(self, write):
        said, meter = read(write("a.conll", lines("{word}\t{tag}\tSpaceAfter=No")))
        assert said == SAID
        assert "column 2 the tags" in meter.notes[0]

    def test_the_words_can_be_named(self, write):
        path = write("a.conll", lines("x{i}\t{word}\t{tag}"))
        said, _ = read(path, columns=TagColumns(word="2"))
        assert said == SAID
        with pytest.raises(
            DataError, match=r"a\.conll:1: no column '9'; give a number from 1 to 3"
        ):
            read(path, columns=TagColumns(word="9"))

    @pytest.mark.parametrize("suffix", ["conll", "tsv", "txt"])
    def test_a_line_of_names(self, write, suffix):
        path = write(f"a.{suffix}", "word\tpos\ttag\n" + lines("{word}\tB-NN\t{tag}"))
        said, meter = read(path)
        assert said == SAID
        assert meter.notes[0] == "line 1 names the columns: word pos tag"
        said, _ = read(path, columns=TagColumns(tag="POS"))
        assert said[2] == ("Rain", [("Rain", "NN")])


class TestSpellings:
    @pytest.mark.parametrize(
        ("change", "note"),
        [
            (lambda tag: tag.lower(), "'b-loc' is read as 'B-loc', 'o' as 'O'"),
            (lambda tag: tag.replace("-", "_"), "'B_LOC' is read as 'B-LOC'"),
            (lambda tag: "-".join(reversed(tag.split("-"))), "'LOC-B' is read as 'B-LOC'"),
            (lambda tag: "_".join(reversed(tag.split("-"))), "'LOC_B' is read as 'B-LOC'"),
            (lambda tag: tag.replace("O", "-") if tag == "O" else tag.replace("-", "_"),
             "'-' as 'O'"),
            (lambda tag: tag[2:] or "O", "'LOC' is read as 'I-LOC'; neighbouring words"),
        ],
    )  # fmt: skip
    def test_one_spelling_for_the_file(self, write, change, note):
        text = "\n\n".join("\n".join(f"{w}\t{change(t)}" for w, t in one) for one in ROWS)
        said, meter = read(write("a.conll", text))
        assert [
            (text, [(part, label.upper()) for part, label in found]) for text, found in said
        ] == SAID
        assert note in meter.notes[0]

    def test_prefixes_alone(self, write):
        said, meter = read(write("a.conll", "Kim\tB\nLee\tI\nflew\tO\n\nOslo\tB\n"))
        assert said == [("Kim Lee flew", [("Kim Lee", "ENTITY")]), ("Oslo", [("Oslo", "ENTITY")])]
        assert "'B' is read as 'B-ENTITY'" in meter.notes[0]

    def test_a_hash_word_is_not_lost(self, write):
        said, _ = read(write("a.conll", "go\tO\n#NFL\tORG\n# a comment\n"))
        assert said == [("go #NFL", [("#NFL", "ORG")])]

    @pytest.mark.parametrize("tag", ["PER", "b-per", "PER_B", "B"])
    def test_one_tag_in_another_spelling_stays_an_error(self, write, tag):
        with pytest.raises(DataError, match=rf"a\.conll:3: '{tag}' is not a tag"):
            read(write("a.conll", f"Kim\tB-PER\n\nLee\t{tag}\n"))

    def test_parts_of_speech_are_no_entities(self, write):
        with pytest.raises(DataError, match="'NNP' is not a tag"):
            read(write("a.conll", "Kim\tNNP\nflew\tVBD\n"))


class TestOneWordARow:
    def test_simpletransformers(self, write):
        path = write(
            "a.csv", "sentence_id,words,labels\n" + lines("{s},{word},{tag}").replace("\n\n", "\n")
        )
        said, meter = read(path)
        assert said == SAID
        assert "a row is a word of the sentence in 'sentence_id'" in meter.notes[0]

    @pytest.mark.parametrize("suffix", ["csv", "tsv"])
    def test_kaggle(self, write, suffix):
        """The sentence stands in its first row only."""
        text = "Sentence #,Word,POS,Tag\n"
        for place, sentence in enumerate(ROWS, start=1):
            for index, (word, tag) in enumerate(sentence):
                text += f"{'' if index else f'Sentence: {place}'},{word},NN,{tag}\n"
        path = write(f"a.{suffix}", text if suffix == "csv" else text.replace(",", "\t"))
        said, _ = read(path)
        assert said == SAID
        said, _ = read(path, gold=False)
        assert [text for text, _ in said] == [text for text, _ in SAID]

    def test_refused(self, write):
        with pytest.raises(
            DataError, match="no column tells the sentence; add one, named sentence_id"
        ):
            read(write("a.csv", "word,tag\nKim,B-PER\n"))
        with pytest.raises(DataError, match=r"b\.csv:4: the sentence '0' goes on here"):
            read(write("b.csv", "sentence_id,words,labels\n0,a,O\n1,b,O\n0,c,O\n"))

    def test_lists_of_python(self, write):
        text = "tokens,ner_tags\n" + '"[\'Kim\', ""O\'Neil""]","[\'B-PER\', \'I-PER\']"\n'
        assert read(write("a.csv", text))[0] == [("Kim O'Neil", [("Kim O'Neil", "PER")])]
        numpy = "tokens,ner_tags\n\"['Kim' 'Lee']\",\"['B-PER' 'O']\"\n"
        with pytest.raises(DataError, match="a list without commas"):
            read(write("b.csv", numpy))
