"""Composed texts and their offsets, words, and tags of every scheme."""

from __future__ import annotations

import random
import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.spans import (
    Composed,
    Entity,
    Span,
    compose,
    detect_scheme,
    entities_to_tags,
    split_tag,
    tags_to_entities,
    to_bio,
    words_of,
)

# Jamo, syllables without and with a final consonant, Latin with accents, marks of several
# classes, and the odd ones: U+0344 and U+0F73 are made of two marks, U+09BE and U+1133E are
# second parts of class 0, U+212B and U+2126 compose to another character, U+0958 never composes.
AWKWARD = (
    "한하한ᅳᆨ aAeo\u0301\u0323\u0308\u0327éÅ\u212b\u2126\u0344\u0f71\u0f72\u0f73\u0f74"
    "\u09c7\u09be\u0958\u0915\u093c\u1100\u11a7\U00011347\U0001133e\u0dd9\u0dca\u0ddf😀\n"
)
TEXTS = st.text(AWKWARD, max_size=12) | st.text().map(lambda t: unicodedata.normalize("NFD", t))


def apart(count: int, draw: st.DrawFn) -> list[Span]:
    """Spans in order that share no character; some touch."""
    cuts = draw(st.lists(st.integers(0, 2), min_size=2 * count, max_size=2 * count))
    spans, at = [], 0
    for gap, length in zip(cuts[::2], cuts[1::2], strict=True):
        spans.append((at + gap, at + gap + length + 1))
        at = spans[-1][1]
    return spans


@st.composite
def tagged(draw: st.DrawFn) -> tuple[list[Span], list[Entity]]:
    """Units, and entities that begin and end with units."""
    units = apart(draw(st.integers(0, 8)), draw)
    entities, index = [], 0
    while index < len(units):
        size = draw(st.integers(0, 3))
        last = min(index + size, len(units)) - 1
        if size:
            label = draw(st.sampled_from(["PER", "LOC", "creative-work"]))
            entities.append(Entity(units[index][0], units[last][1], label))
        index += max(size, 1)
    return units, entities


class TestCompose:
    @settings(deadline=None)  # the first call makes a table
    @given(TEXTS)
    def test_text_is_nfc(self, text):
        assert compose(text).text == unicodedata.normalize("NFC", text)

    @settings(deadline=None)  # the first call makes a table
    @given(TEXTS, st.data())
    def test_original_gives_the_span(self, text, data):
        composed = compose(text)
        end = data.draw(st.integers(0, len(composed.text)))
        start = data.draw(st.integers(0, end))
        first, last = composed.original(start, end)
        given = unicodedata.normalize("NFC", text[first:last])
        wide = composed.composed(first, last)
        assert composed.text[slice(*wide)] == given
        if start < end:
            assert wide[0] <= start < end <= wide[1]
        else:
            assert first == last

    @settings(deadline=None)  # the first call makes a table
    @given(TEXTS, st.data())
    def test_composed_covers_the_span(self, text, data):
        composed = compose(text)
        end = data.draw(st.integers(1, len(text))) if text else 0
        start = data.draw(st.integers(0, max(end - 1, 0)))
        first, last = composed.original(*composed.composed(start, end))
        assert first <= start <= end <= last
        assert unicodedata.normalize("NFC", text[first:last]) in composed.text

    @settings(deadline=None)  # the first call makes a table
    @given(TEXTS)
    def test_single_characters_share_out_the_input(self, text):
        composed = compose(text)
        spans = [composed.original(at, at + 1) for at in range(len(composed.text))]
        assert [at for span in dict.fromkeys(spans) for at in range(*span)] == list(
            range(len(text))
        )

    def test_offsets_of_jamo(self):
        text = unicodedata.normalize("NFD", "김 한글é")
        composed = compose(text)
        assert composed.text == "김 한글é"
        assert composed.original(2, 4) == (4, 10)
        assert text[4:10] == unicodedata.normalize("NFD", "한글")
        assert composed.composed(4, 10) == (2, 4)
        assert composed.composed(5, 6) == (2, 3)  # a vowel: its syllable
        assert composed.composed(2, 3) == (0, 1)
        assert composed.original(4, 5) == (10, 12)

    def test_composed_text_maps_to_itself(self):
        text = "x\u0323\u0301 한글"
        assert compose(text) == Composed(text)
        assert compose(text).original(1, 2) == compose(text).composed(1, 2) == (1, 2)

    def test_what_composing_leaves_alone_keeps_its_characters(self):
        composed = compose("x\u0323\u0301 e\u0301")
        assert composed.original(1, 2) == (1, 2)
        assert composed.original(4, 5) == (4, 6)

    def test_several_characters_of_a_cluster_go_together(self):
        text = "a\u0301\u0323b"  # composes to U+1EA1 and U+0301: the order of the marks changes
        composed = compose(text)
        assert composed.text == "\u1ea1\u0301b"
        assert composed.original(0, 1) == composed.original(1, 2) == (0, 3)
        assert composed.composed(2, 3) == (0, 2)
        assert composed.original(2, 3) == (3, 4)

    def test_every_character_alone_and_behind_a_letter(self):
        for code in range(sys.maxunicode + 1):
            character = chr(code)
            if unicodedata.is_normalized("NFC", character):
                continue
            for text in (character, "a" + character + "\u0301", "\u0f71" + character):
                assert compose(text).text == unicodedata.normalize("NFC", text)


class TestWords:
    def words(self, text: str) -> list[str]:
        return [text[start:end] for start, end in words_of(text)]

    def test_runs_and_signs(self):
        text = "Dr. Kim's 3_a-b,\u00a0한국은행(BOK)은 ½ e\u0301x\u3000€5"
        expected = "Dr . Kim ' s 3_a - b , 한국은행 ( BOK ) 은 ½ e\u0301x € 5"
        assert self.words(text) == expected.split()

    def test_no_text_is_no_word(self):
        assert self.words("\ufeffa\x00b \u200b \x1f\ue000\ud800 \n") == ["a", "b"]

    def test_format_characters_inside_a_word(self):
        assert self.words("می\u200cخواهم co\u00adop\u00ad 👨\u200d👩") == [
            "می\u200cخواهم",
            "co\u00adop",
            "👨",
            "👩",
        ]

    @given(st.text(AWKWARD + "_1.,-'\u200d\u00ad\x00\u2028\ud800") | st.text())
    def test_every_visible_character_is_in_one_word(self, text):
        words = words_of(text)
        assert all(start < end for start, end in words)
        assert all(a[1] <= b[0] for a, b in pairwise(words))
        inside = {at for span in words for at in range(*span)}
        for at, character in enumerate(text):
            kind = unicodedata.category(character)
            if kind[0] in "LMN":
                assert at in inside
            elif kind == "Cs" or kind == "Cc" or character.isspace():
                assert at not in inside
            elif kind[0] in "PS" and character != "_":
                assert (at, at + 1) in words


class TestTagsOfEntities:
    @given(tagged())
    def test_there_and_back(self, case):
        units, entities = case
        tags = entities_to_tags(entities, units)
        assert tags_to_entities(tags, units) == entities
        assert to_bio(tags, scheme="bio") == (tags, 0)

    @given(st.data())
    def test_oracle_of_claims(self, data):
        """Unit by unit: the entity that starts first, and is longest, among those that overlap."""
        units = apart(data.draw(st.integers(0, 6)), data.draw)
        spans = st.tuples(st.integers(0, 20), st.integers(1, 8), st.sampled_from("XY"))
        drawn = data.draw(st.lists(spans, max_size=4, unique_by=lambda span: span[:2]))
        entities = [Entity(start, start + size, label) for start, size, label in drawn]
        seen, expected = set(), []
        for start, end in units:
            claims = [e for e in entities if max(e.start, start) < min(e.end, end)]
            first = min(claims, key=lambda e: (e.start, -e.end), default=None)
            prefix = "I" if first in seen else "B"
            seen.add(first)
            expected.append(f"{prefix}-{first.label}" if first else "O")
        assert entities_to_tags(entities, units) == expected

    def test_parts_of_units(self):
        units = [(0, 4), (4, 5), (6, 9), (9, 9)]
        assert entities_to_tags([Entity(2, 7, "ORG")], units) == ["B-ORG", "I-ORG", "I-ORG", "O"]
        assert entities_to_tags([Entity(5, 6, "ORG")], units) == ["O"] * 4
        both = [Entity(6, 9, "LOC"), Entity(1, 7, "PER"), Entity(0, 1, "QT")]
        assert entities_to_tags(both, units) == ["B-QT", "B-PER", "I-PER", "O"]


def conlleval(tags: list[str]) -> list[tuple[int, int, str]]:
    """Chunks as conlleval.pl finds them (its startOfChunk and endOfChunk), as unit indices."""
    chunks, start, last, last_type = [], 0, "O", ""
    for index, tag in enumerate([*tags, "O"]):
        kind, _, name = tag.partition("-")
        ends = last != "O" and (kind in "BO" or (last == "E" and kind in "IE"))
        ends = ends or (last != "O" and last_type != name)
        begins = kind == "B" or (kind in "IE" and last in "EO")
        begins = begins or (kind != "O" and last_type != name)
        if ends:
            chunks.append((start, index, last_type))
        if begins:
            start = index
        last, last_type = kind, name
    return chunks


class TestEntitiesOfTags:
    def test_conlleval_on_random_tags(self):
        randomness = random.Random(7)
        shapes = ["O", "B-X", "I-X", "B-Y", "I-Y"]
        for _ in range(10_000):
            tags = randomness.choices(shapes, k=randomness.randrange(9))
            units = [(3 * at, 3 * at + 2) for at in range(len(tags))]
            expected = [
                Entity(3 * start, 3 * end - 1, name, repaired=tags[start][0] == "I")
                for start, end, name in conlleval(tags)
            ]
            assert tags_to_entities(tags, units) == expected
            bio, repaired = to_bio(tags, scheme="bio")
            assert repaired == sum(entity.repaired for entity in expected)
            again = tags_to_entities(bio, units)
            assert [(e.start, e.end, e.label) for e in expected] == [
                (e.start, e.end, e.label) for e in again
            ]
            assert not any(entity.repaired for entity in again)

    def test_wrong_tags(self):
        with pytest.raises(ValueError, match="'E-X' is not a BIO tag"):
            tags_to_entities(["E-X"], [(0, 1)])
        with pytest.raises(ValueError, match="argument 2 is longer"):
            tags_to_entities(["O"], [(0, 1), (1, 2)])

    @pytest.mark.parametrize("tag", ["", "B", "B-", "o", "X-PER", "-PER", "B_PER", "O-PER", "IB-X"])
    def test_no_tags(self, tag):
        with pytest.raises(ValueError, match="is not a tag"):
            split_tag(tag)

    def test_a_type_may_hold_hyphens(self):
        assert split_tag("I-creative-work") == ("I", "creative-work")


def written(bio: list[str], scheme: str) -> list[str]:
    """Valid BIO tags in another scheme, the plain way."""
    out = []
    for at, tag in enumerate(bio):
        following = bio[at + 1] if at + 1 < len(bio) else "O"
        ends = following != "I-" + tag[2:]
        beside = at > 0 and bio[at - 1][2:] == tag[2:]
        if tag == "O" or scheme == "bio":
            out.append(tag)
        elif scheme == "iob1":
            out.append(("B" if tag[0] == "B" and beside else "I") + tag[1:])
        else:
            first, middle, last, single = scheme
            prefix = {"BT": single, "BF": first, "IT": last, "IF": middle}[tag[0] + "FT"[ends]]
            out.append(prefix + tag[1:])
    return out


class TestSchemes:
    @given(tagged())
    def test_other_schemes_mean_the_same(self, case):
        units, entities = case
        bio = entities_to_tags(entities, units)
        assert to_bio(written(bio, "iob1"), scheme="iob1") == (bio, 0)
        for letters in ("BIES", "BILU", "BMES"):
            assert to_bio(written(bio, letters), scheme="bioes") == (bio, 0)

    @pytest.mark.parametrize(
        ("scheme", "tags", "bio", "repaired"),
        [
            ("bio", "O I-X I-X", "O B-X I-X", 1),
            ("bio", "I-X I-Y O I-Y B-Y", "B-X B-Y O B-Y B-Y", 3),
            ("bio", "B-X E-X S-X", "B-X I-X B-X", 2),
            ("iob1", "I-X I-X B-X O", "B-X I-X B-X O", 0),
            ("iob1", "O B-X I-X", "O B-X I-X", 1),
            ("bioes", "B-X I-X O", "B-X I-X O", 1),
            ("bioes", "B-X B-X", "B-X B-X", 2),
            ("bioes", "O E-X I-X", "O B-X B-X", 2),
            ("bioes", "B-X E-Y S-X I-X", "B-X B-Y B-X B-X", 3),
            ("bioes", "U-X B-X M-X L-X", "B-X B-X I-X I-X", 0),
        ],
    )
    def test_repairs(self, scheme, tags, bio, repaired):
        assert to_bio(tags.split(), scheme=scheme) == (bio.split(), repaired)

    @given(st.lists(st.sampled_from(["O", *(p + t for p in "BIESMLU" for t in ("-X", "-Y"))])))
    def test_any_tags_become_valid(self, tags):
        for scheme in ("bio", "iob1", "bioes"):
            bio, repaired = to_bio(tags, scheme=scheme)
            assert to_bio(bio, scheme="bio") == (bio, 0)
            assert [tag[1:] for tag in bio] == [tag[1:] for tag in tags]
            assert 0 <= repaired <= len(tags)

    def test_unknown(self):
        with pytest.raises(ValueError, match="unknown scheme 'iob2'"):
            to_bio(["O"], scheme="iob2")
        with pytest.raises(ValueError, match="'B' is not a tag"):
            to_bio(["B"], scheme="bio")

    @pytest.mark.parametrize(
        ("sentences", "scheme"),
        [
            ([], "bio"),
            (["O O", "O"], "bio"),
            (["B-X I-X", "B-Y"], "bio"),
            (["B-X I-X O", "I-Y"], "bio"),  # one broken tag among good ones
            (["O I-X", "I-X B-X"], "iob1"),
            (["I-X I-Y"], "iob1"),
            (["I-X", "B-X"], "bio"),  # the type before it was in another sentence
            (["I-X B-Y"], "bio"),
            (["B-X B-X"], "bio"),
            (["I-X", "S-X"], "bioes"),
            (["B-X L-X"], "bioes"),
            (["U-X"], "bioes"),
            (["B-X M-X E-X"], "bioes"),
        ],
    )
    def test_detect(self, sentences, scheme):
        assert detect_scheme(sentence.split() for sentence in sentences) == scheme
