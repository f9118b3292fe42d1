"""Tagged text: one word or character per line, tables, and plain text."""

from __future__ import annotations

import gzip
import itertools
import json
import re

import pytest

from bertft.errors import DataError
from bertft.loaders import conll
from bertft.loaders import tagged as peeking
from bertft.loaders.conll import TaggedText, read_tagged
from bertft.loaders.source import Source
from bertft.loaders.suffixes import TAGGED
from bertft.settings import DataSettings
from bertft.spans import Entity

SENTENCES = "Kim\tB-PER\nlives\tO\n\nin\tO\nSan\tB-LOC\nJose\tI-LOC\n"
READ = [
    TaggedText("1", 1, "Kim lives", ((0, 3), (4, 9)), (Entity(0, 3, "PER"),)),
    TaggedText("4", 4, "in San Jose", ((0, 2), (3, 6), (7, 11)), (Entity(3, 11, "LOC"),)),
]
KLUE = (
    "## 주석 : ##\n## 컬럼명 : CHAR\tNE_TAG\n"
    "## klue-ner-v1_dev_00000-wikitree\t<박:PS>씨 # 1\n"
    "박\tB-PS\n씨\tO\n \tO\n#\tO\n \tO\n1\tO\n\n"
    "## klue-ner-v1_dev_00001-nsmc\t<김 씨:PS>\n김\tB-PS\n \tI-PS\n씨\tI-PS\n"
)


def source(path, **settings):
    data = DataSettings(encoding=settings.pop("encoding", "utf-8"))
    return Source(path=path, data=data, **settings)


def tagged(path, *, form="auto", scheme="auto", **settings):
    return list(read_tagged(source(path, **settings), scheme=scheme, form=form))


def said(texts):
    """What matters of each text: the parts that are entities, and their labels."""
    return [[(t.text[e.start : e.end], e.label) for e in t.entities] for t in texts]


class TestWords:
    @pytest.mark.parametrize("suffix", [*TAGGED, ".txt", ".IOB", ""])
    def test_suffixes(self, write, suffix):
        assert tagged(write("a" + suffix, SENTENCES)) == READ

    def test_gzip_bom_crlf_and_encodings(self, write):
        crlf = SENTENCES.replace("\n", "\r\n")
        assert tagged(write("a.conll.gz", gzip.compress(crlf.encode()))) == READ
        assert tagged(write("a.conll", "\ufeff" + crlf.removesuffix("\r\n"))) == READ
        assert tagged(write("b.conll", crlf.encode("utf-16")), encoding="utf-16") == READ
        korean = tagged(write("c.bio", "김\tB-PS\n".encode("cp949")), encoding="cp949")
        assert korean[0].text == "김"

    def test_columns(self, write):
        """The first column is the word and the last one the tag, tabs or spaces between."""
        text = "-DOCSTART- -X- O O\n\nKim NNP I-NP B-PER \nlives VBZ  I-VP O\n \t \n"
        text += "-DOCSTART- -X- O O\nin IN I-PP O\nSan NNP I-NP B-LOC\nJose NNP I-NP I-LOC"
        texts = tagged(write("a.conll", text))
        assert [t.line for t in texts] == [3, 7]
        assert [(t.text, t.words, t.entities) for t in texts] == [
            (t.text, t.words, t.entities) for t in READ
        ]

    def test_words_with_spaces_need_tabs(self, write):
        path = write("a.conll", "New York\tB-LOC\n10\u00a0%\tO\n")
        assert tagged(path) == [
            TaggedText("1", 1, "New York 10\u00a0%", ((0, 8), (9, 13)), (Entity(0, 8, "LOC"),))
        ]
        assert tagged(write("b.conll", "10\u00a0% O\n"))[0].words == ((0, 4),)
        with pytest.raises(DataError, match=r"c\.conll:2: 2 columns expected.*put tabs"):
            tagged(write("c.conll", "in O\nNew York B-LOC\n"))

    def test_hash_tags_are_words(self, write):
        text = "# about\tall\n#NFL\tO\n#\tO\n#fun\tB-X\n# note\n#note\n## more of this\n"
        assert tagged(write("a.conll", text))[0].text == "#NFL # #fun"
        text = "# vitamin O\na O\n# O\n#tag B-X\n# a comment\n"
        (found,) = tagged(write("b.conll", text))
        assert (found.text, found.line, said([found])) == ("a # #tag", 2, [[("#tag", "X")]])
        text = "#NFL NN O\n# SYM O\n# text = vitamin O\n# SYM x\n"
        assert tagged(write("c.conll", text))[0].text == "#NFL #"

    def test_ids(self, write):
        text = "# id = s-1 a\nKim\tO\n\nKim\tO\n\n# sent_id = 7\n# text = Kim\nKim\tO\n\n# end\n\n"
        text += "## doc_3\tKim\nKim\tO\n"
        texts = tagged(write("a.conll", text))
        assert [(t.id, t.line) for t in texts] == [("s-1 a", 2), ("4", 4), ("7", 8), ("doc_3", 13)]

    def test_ragged_lines(self, write):
        with pytest.raises(DataError, match=r"a\.conll:3: no tag beside 'lives'; a line holds"):
            tagged(write("a.conll", "Kim\tO\n\nlives\n"))
        with pytest.raises(DataError, match=r"b\.conll:2: no word before the tag"):
            tagged(write("b.conll", "Kim\tO\n\tO\n"))

    @pytest.mark.parametrize("tag", ["B-", "X-PER", "0", "B PER", "B- PER"])
    def test_unknown_tags(self, write, tag):
        with pytest.raises(DataError, match=rf"a\.bio:2: '{tag}' is not a tag; tags are O, B-"):
            tagged(write("a.bio", f"Kim\tO\nLee\t{tag}\n"))

    def test_bad_sentences_are_left_out_whole(self, write):
        skipped = []
        parts = [b"a\tO\nb\n", b"c\tO\n", b"d\tO\n\xff\tO\n\xfe\tO\ne\tO\n", b"f\tO\n"]
        parts += [b"\xff\tO\ng\tO\n", b"h\tO\n", b"i\tO\n\xff\tO\n", b"j\tO\n", b"k\tO\n\xff\tO"]
        path = write("a.conll", b"\n".join(parts))
        texts = tagged(path, bad_row=skipped.append)
        assert [(t.text, t.line) for t in texts] == [("c", 4), ("f", 11), ("h", 16), ("j", 21)]
        assert sorted(error.line for error in skipped) == [2, 7, 13, 19, 24]
        with pytest.raises(DataError, match=r"a\.conll:2: no tag"):
            next(read_tagged(source(path), form="conll"))

    def test_a_file_without_blank_lines(self, write, monkeypatch):
        monkeypatch.setattr(conll, "MAX_LINES", 3)
        assert len(tagged(write("a.conll", "a O\n" * 3))[0].words) == 3
        with pytest.raises(
            DataError, match=r"b\.conll:2: a sentence of more than 3 lines; .*blank"
        ):
            tagged(write("b.conll", "\n" + "a O\n" * 4))

    def test_empty(self, write):
        for content in ("", "\n \n\t\n", "# nothing\n", "-DOCSTART- O\n"):
            assert tagged(write("a.conll", content)) == []

    def test_other_files(self, write):
        with pytest.raises(DataError, match=r"a\.py: not read: a program; .*\.conll"):
            tagged(write("a.py", "x"))
        with pytest.raises(DataError, match=r"a\.xlsx: not a workbook that can be read"):
            tagged(write("a.xlsx", "x"))
        with pytest.raises(DataError, match=r"no such file; did you mean .a\.xlsx."):
            tagged(write("a.xlsx", "x").replace("a.xlsx", "b.xlsx"))
        with pytest.raises(ValueError, match="unknown scheme 'iob'"):
            tagged("a.conll", scheme="iob")
        with pytest.raises(ValueError, match="unknown form 'x'"):
            tagged("a.conll", form="x")

    def test_streams(self, write):
        """What is held of a file does not grow with it."""
        path = write("a.conll", SENTENCES * 20_000)
        place = source(path)
        texts = read_tagged(place)
        assert next(texts).text == "Kim lives"
        first = place.meter.fraction()
        assert first is not None
        assert first < 0.3
        assert sum(1 for _ in texts) == 20_000
        assert place.meter.fraction() == 1.0


class TestPredicting:
    def test_one_column(self, write):
        path = write("a.conll", "Kim\n#fun\n#\n# a comment\nlives\n\nhere")
        assert tagged(path, gold=False) == [
            TaggedText("1", 1, "Kim #fun # lives", ((0, 3), (4, 8), (9, 10), (11, 16)), None),
            TaggedText("7", 7, "here", ((0, 4),), None),
        ]

    def test_tags_are_not_read(self, write):
        text = SENTENCES.replace("B-PER", "whatever").replace("B-LOC", "?")
        texts = tagged(write("a.conll", text), gold=False)
        assert [(t.text, t.words, t.entities) for t in texts] == [
            (t.text, t.words, None) for t in READ
        ]

    def test_sentences_on_lines_are_refused(self, write):
        with pytest.raises(DataError, match=r"a\.conll:2: 3 columns expected, as above, 2 found"):
            tagged(write("a.conll", "Kim lives here\nand there\n"), gold=False)

    def test_plain_text(self, write, stdin):
        for name in ("a.txt", "a.md", "a"):
            path = write(name, "Kim lives\there\n\n in San Jose\n")
            assert tagged(path, gold=False) == [
                TaggedText("1", 1, "Kim lives\there", None, None),
                TaggedText("3", 3, " in San Jose", None, None),
            ]
        stdin(b"Kim\tO\n")
        assert tagged("-", gold=False) == [TaggedText("1", 1, "Kim\tO", None, None)]

    def test_whole_file(self, write):
        text = "Kim lives\n\nhere.\n"
        whole = tagged(write("a.txt", text), gold=False, whole_file=True)
        assert whole == [TaggedText("1", 1, text, None, None)]

    def test_stdin_by_form_and_format(self, stdin):
        stdin(SENTENCES.encode())
        assert tagged("-", form="conll") == READ
        stdin(SENTENCES.encode())
        assert [t.words for t in tagged("-", format="conll", gold=False)] == [t.words for t in READ]
        stdin(b"{'}\n")
        with pytest.raises(DataError, match="stdin:1: not valid JSON"):
            tagged("-", format="jsonl", gold=False)
        stdin(b"Kim\n")
        with pytest.raises(DataError, match="stdin:1: no tag beside 'Kim'"):
            tagged("-")


class TestCharacters:
    def test_klue(self, write):
        for texts in (
            tagged(write("a.tsv", KLUE)),
            tagged(write("a.tsv", KLUE), form="characters", scheme="bio"),
        ):
            assert texts == [
                TaggedText("klue-ner-v1_dev_00000", 4, "박씨 # 1", None, (Entity(0, 1, "PS"),)),
                TaggedText("klue-ner-v1_dev_00001", 12, "김 씨", None, (Entity(0, 3, "PS"),)),
            ]

    def test_predicting(self, write):
        first = tagged(write("a.tsv", KLUE), gold=False)[0]
        assert (first.text, first.words, first.entities) == ("박씨 # 1", None, None)
        path = write("b.txt", "박\n씨\n \n#\n \t\n1\n\n김\n")
        texts = tagged(path, form="characters", gold=False)
        assert [t.text for t in texts] == ["박씨 # 1", "김"]

    def test_characters_of_several_code_points(self, write):
        text = "e\u0301\tB-X\n \tO\n👍🏽\tO\n"
        (found,) = tagged(write("a.tsv", text))
        assert (found.text, found.entities) == ("e\u0301 👍🏽", (Entity(0, 2, "X"),))

    def test_single_letters_are_words_without_a_space(self, write):
        assert tagged(write("a.tsv", "I\tO\na\tO\n"))[0].text == "I a"

    def test_faults(self, write):
        with pytest.raises(DataError, match=r"a\.tsv:3: 'ab' is not one character; .*conll"):
            tagged(write("a.tsv", "a\tO\n \tO\nab\tO\n"), form="characters")
        with pytest.raises(DataError, match=r"b\.tsv:2: no tag beside 'b'"):
            tagged(write("b.tsv", "a\tO\nb\n \tO\n"))
        with pytest.raises(DataError, match=r"c\.tsv:1: 'X-' is not a tag"):
            tagged(write("c.tsv", "a\tX-\n \tO\n"))
        words = write("d.tsv", "ab\tO\n \tO\n")
        with pytest.raises(DataError, match=r"d\.tsv:2: no word before the tag; .*characters"):
            tagged(words)


class TestSchemes:
    @pytest.mark.parametrize(
        "tags", ["B I O B B", "S O", "I I O I B", "B E O S S", "B L O U U", "B E O S B"]
    )
    def test_auto(self, write, tags):
        """The same entities however they are written; only the last one has a tag too many."""
        tags = {"S O": "B E O S S"}.get(tags, tags)
        lines = [f"w{t if t == 'O' else t + '-X'}"[1:] for t in tags.split()]
        path = write("a.conll", "\n".join(f"w{i}\t{tag}" for i, tag in enumerate(lines)))
        (found,) = tagged(path)
        assert said([found]) == [[("w0 w1", "X"), ("w3", "X"), ("w4", "X")]]
        assert found.repaired == (tags == "B E O S B")

    def test_repairs_are_counted(self, write):
        text = "a\tI-X\nb\tO\nc\tI-Y\n\na\tB-X\n"
        first, second = tagged(write("a.conll", text))
        assert (first.repaired, second.repaired) == (2, 0)
        assert first.entities == (Entity(0, 1, "X"), Entity(4, 5, "Y"))
        assert tagged(write("a.conll", text), scheme="iob1")[0].repaired == 0

    def test_the_first_sentences_decide(self, write, monkeypatch):
        text = "a\tI-X\n\na\tI-X\n\na\tB-X\n"
        assert [t.repaired for t in tagged(write("a.conll", text))] == [1, 1, 0]
        monkeypatch.setattr(peeking, "PEEK_SENTENCES", 2)
        assert [t.repaired for t in tagged(write("a.conll", text))] == [0, 0, 1]
        monkeypatch.setattr(peeking, "PEEK_WORDS", 0)
        assert [t.repaired for t in tagged(write("a.conll", "\n\n" + text))] == [0, 0, 1]


TEXT = "Kim lives in San Jose"
SPANS = [{"start": 13, "end": 21, "label": "LOC"}, {"start": 0, "end": 3, "label": "PER"}]
ENTITIES = (Entity(0, 3, "PER"), Entity(13, 21, "LOC"))


def line(**fields):
    return json.dumps(fields, ensure_ascii=False) + "\n"


class TestTables:
    def test_texts_with_entities(self, write):
        expected = [TaggedText("x", 1, TEXT, None, ENTITIES), TaggedText("2", 2, "a", None, ())]
        lines = line(id="x", text=TEXT, entities=SPANS) + line(text="a", entities=[])
        assert tagged(write("a.jsonl", lines)) == expected
        assert tagged(write("a.jsonl.gz", gzip.compress(lines.encode()))) == expected
        array = "[" + ",\n".join(lines.splitlines()) + "]"
        assert tagged(write("a.json", array)) == expected

    def test_cells(self, write):
        cell = json.dumps(SPANS)
        quoted = cell.replace('"', '""')
        expected = [TaggedText("2", 2, TEXT, None, ENTITIES)]
        assert tagged(write("a.csv", f'Text,Entities\n{TEXT},"{quoted}"\n')) == expected
        assert tagged(write("a.tsv", f"text\tentities\n{TEXT}\t{cell}\n")) == expected
        tsv = write("b.tsv", 'tokens\tner_tags\n["Kim", "is"]\t["B-PER", "O"]\n')
        assert said(tagged(tsv)) == [[("Kim", "PER")]]
        assert tagged(write("c.tsv", "text\tO\nKim\tB-PER\n"))[0].text == "text Kim"

    def test_words_with_tags(self, write):
        names = itertools.product(("tokens", "words"), ("ner_tags", "tags", "labels"))
        for words, tags in names:
            fields = {words: ["Kim", "San Jose"], tags: ["S-PER", "S-LOC"]}
            expected = ((0, 3), (4, 12)), (Entity(0, 3, "PER"), Entity(4, 12, "LOC"))
            (found,) = tagged(write("a.jsonl", line(**fields)))
            assert (found.text, found.words, found.entities) == ("Kim San Jose", *expected)

    def test_parquet(self, tmp_path):
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"text": [TEXT], "entities": [SPANS]}), tmp_path / "a.parquet")
        pq.write_table(pa.table({"tokens": [["Kim"]], "tags": [["I-PER"]]}), tmp_path / "b.parquet")
        assert tagged(str(tmp_path / "a.parquet"))[0].entities == ENTITIES
        assert tagged(str(tmp_path / "b.parquet"))[0].entities == (Entity(0, 3, "PER"),)

    def test_predicting(self, write):
        path = write("a.jsonl", line(text=TEXT, entities="?"))
        assert tagged(path, gold=False) == [TaggedText("1", 1, TEXT, None, None)]
        (found,) = tagged(write("b.jsonl", line(words=["Kim", "is"])), gold=False)
        assert (found.text, found.words, found.entities) == ("Kim is", ((0, 3), (4, 6)), None)
        with pytest.raises(DataError, match=r"c\.csv:1: no columns 'text' or 'tokens'.*here: a, b"):
            tagged(write("c.csv", "a,b\n1,2\n"), gold=False)

    def test_columns_are_missing(self, write):
        for fields in ({"text": "a"}, {"tokens": ["a"]}, {"entities": []}):
            with pytest.raises(
                DataError, match=r"a\.jsonl:1: no columns 'text' and 'entities', or"
            ):
                tagged(write("a.jsonl", line(**fields)))

    @pytest.mark.parametrize(
        ("entities", "reason"),
        [
            ("[{]", "no list in column 'entities'"),
            ("[" * 100_000, "no list in column 'entities'"),
            ({}, "no list"),
            ([3], "3 is not an entity"),
            ([{"start": 0, "end": 3}], "is not an entity; write it as"),
            ([{"start": 0.5, "end": 3, "label": "X"}], "no whole numbers"),
            ([{"start": True, "end": 3, "label": "X"}], "no whole numbers"),
            ([{"start": "a", "end": 3, "label": "X"}], "no whole numbers"),
            ([{"start": "0x", "end": 3, "label": "X"}], "no whole numbers"),
            ([{"start": -1, "end": 3, "label": "X"}], r"\(-1, 3\) does not lie in its text of 21"),
            ([{"start": 3, "end": 3, "label": "X"}], "does not lie in its text"),
            ([{"start": 5, "end": 4, "label": "X"}], "does not lie in its text"),
            ([{"start": 0, "end": 22, "label": "X"}], "does not lie in its text"),
            ([{"start": 0, "end": 3, "label": ""}], "has the label ''"),
            ([{"start": 0, "end": 3, "label": "A  B"}], "has the label 'A B'"),
            ([{"start": 0, "end": 3, "label": None}], "has the label 'None'"),
            ([{"start": 3, "end": 4, "label": "X"}], "starts or ends with white space: ' '"),
            ([*SPANS, {"start": 2, "end": 9, "label": "X"}], r"overlap: PER \(0, 3\) and X \(2, 9"),
            ([*SPANS, SPANS[0]], "overlap"),
            ([{"start": 0, "end": 3, "label": "X", "text": "Lee"}], "'Kim', but its text is 'Lee'"),
        ],
    )
    def test_wrong_entities(self, write, entities, reason):
        lines = line(text="a", entities=[]) + line(text=TEXT, entities=entities)
        lines += line(text="b", entities=[])
        path = write("a.jsonl", lines)
        with pytest.raises(DataError, match=r"a\.jsonl:2: .*" + reason):
            tagged(path)
        skipped = []
        assert [t.text for t in tagged(path, bad_row=skipped.append)] == ["a", "b"]
        assert [error.line for error in skipped] == [2]

    def test_entities_may_touch_and_reach_the_end(self, write):
        spans = [{"start": 0, "end": 1, "label": "X"}, {"start": 1, "end": 2, "label": "X"}]
        (found,) = tagged(write("a.jsonl", line(text="ab", entities=spans)))
        assert found.entities == (Entity(0, 1, "X"), Entity(1, 2, "X"))

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"tokens": ["a", "b"], "tags": ["O"]}, "2 tokens, but 1 tags; each word has one tag"),
            ({"tokens": ["a"], "tags": [3]}, "'3' is not a tag; .*by name"),
            ({"tokens": ["a"], "tags": ["B-A  B"]}, "'B-A B' is not a tag"),
            ({"tokens": ["a", " "], "tags": ["O", "O"]}, "' ' in column 'tokens' is not a word"),
            ({"tokens": ["a", ""], "tags": ["O", "O"]}, "'' in column 'tokens' is not a word"),
            ({"tokens": [1], "tags": ["O"]}, "'1' in column 'tokens' is not a word"),
            ({"tokens": None, "tags": ["O"]}, "no list in column 'tokens'"),
            ({"tokens": r'["\ud800"]', "tags": ["O"]}, "no list in column 'tokens'"),
            ({"text": " ", "entities": []}, "no text in column 'text'"),
            ({"text": ["a"], "entities": []}, "the text .* is list, not text"),
        ],
    )
    def test_wrong_rows(self, write, fields, reason):
        with pytest.raises(DataError, match=r"a\.jsonl:1: .*" + reason):
            tagged(write("a.jsonl", line(**fields)))


@pytest.mark.real
class TestRealData:
    @pytest.mark.parametrize(
        ("name", "texts", "entities"),
        [
            ("wnut17/wnut17train.conll", 3394, 1975),
            ("wnut17/emerging.dev.conll", 1009, 836),
            ("wnut17/emerging.test.annotated", 1287, 1079),
            ("bc5cdr/train.tsv", 4560, 9385),
            ("bc5cdr/devel.tsv", 4581, 9593),
            ("bc5cdr/test.tsv", 4797, 9809),
        ],
    )
    def test_words(self, shared, name, texts, entities):
        path = shared / "data" / name
        found = tagged(str(path))
        assert (len(found), sum(len(text.entities) for text in found)) == (texts, entities)
        assert sum(text.repaired for text in found) == 0
        lines = [row for row in path.read_text(encoding="utf-8").split("\n") if row.strip()]
        words = [t.text[start:end] for t in found for start, end in t.words]
        assert words == [row.split("\t")[0] for row in lines]
        begun = [row.split("\tB-")[1] for row in lines if "\tB-" in row]
        assert [entity.label for text in found for entity in text.entities] == begun

    def test_klue(self, shared):
        path = shared / "data" / "klue-ner" / "klue-ner-v1.1_dev.tsv"
        found = {text.id: text for text in tagged(str(path))}
        comment = re.compile(r"## (klue-ner-v1_dev_\d+)-\S+\t(.*)")
        lines = path.read_text(encoding="utf-8").split("\n")
        headers = [match.groups() for match in map(comment.match, lines) if match]
        assert len(found) == len(headers) == 5000
        mark = re.compile(r"<(<?[^<>]*):([A-Z]{2})>")
        for name, sentence in headers:
            assert found[name].text == mark.sub(r"\1", sentence)
            assert said([found[name]])[0] == mark.findall(sentence)


def test_characters_in_rows(tmp_path):
    """KLUE-NER on the Hub: tokens are characters, and its sentence column holds marked-up text."""
    rows = {"sentence": "<서울:LC> 은", "tokens": ["서", "울", " ", "은"]}
    path = tmp_path / "rows.jsonl"
    gold = rows | {"ner_tags": ["B-LC", "I-LC", "O", "O"]}
    path.write_text(json.dumps(gold, ensure_ascii=False) + "\n", encoding="utf-8")
    for asked in (True, False):
        source = Source(str(path), data=DataSettings(), gold=asked)
        (one,) = read_tagged(source, form="characters")
        assert (one.text, one.words) == ("서울 은", None)
        assert one.entities == ((Entity(0, 2, "LC"),) if asked else None)
