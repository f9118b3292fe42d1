"""Characters that are not what they seem: found where they are planted, and nowhere else."""

from __future__ import annotations

import unicodedata

import pytest

from bertft.checks.finding import Finding
from bertft.checks.texts import CHECKS, repaired, text_findings

CLEAN = [
    "a good film",
    "Naïve café – “quoted”, don’t; 10 € & more, a < b > c, AT&T; R&D",
    "À la carte, Ångström, señor, ÀÁÂ, ½ × ¾",
    "영화 정말 좋다 ㅋㅋㅋ ♥ 😀 👩‍👩‍👧",
    "大韓民國 만세, 中国的首都是北京, 東京タワーへ行く",
    "tab\tand\nline",
    "می‌خواهم",  # a zero-width non-joiner that belongs there
]
PLANTED = {
    "wrong-encoding": [
        "Il fait beau, cafÃ© ouvert",
        "donâ€™t",
        "영화 정말 좋다".encode("cp949").decode("latin-1"),
        "모토로라 충전".encode().decode("cp949", "ignore"),
    ],
    "replacement-character": ["caf\ufffd"],
    "control-character": ["a\x07b", "a\x85b", "\x1b[31m"],
    "invisible-character": ["zero\u200bwidth", "\ufefftext", "soft\u00adhyphen", "\u202eright"],
    "decomposed-text": [unicodedata.normalize("NFD", "한국"), "e\u0301"],
    "bare-entity": [
        "Oracle #39;s bid",
        "said quot;no quot; to",
        "AT amp;T",
        "it#39;s",
        "lt;b gt;",
        "failsquot;",
    ],
    "no-words": ["...", "♥ 😀", "?!"],
    "markup": ["a<br />b", "<p class='x'>", "Tom &amp; Ann", "it&#39;s", "& gt ; b", "</DIV>"],
}


def codes(findings: list[Finding]) -> set[str]:
    return {one.code for one in findings}


@pytest.mark.parametrize(("code", "text"), [(k, v) for k, vs in PLANTED.items() for v in vs])
def test_a_planted_fault_is_found(code, text, make_split):
    split = make_split("train", [("a good film", "x"), (text, "x"), ("fine", "x")])
    found = text_findings(split)
    assert code in codes(found)
    one = next(one for one in found if one.code == code)
    assert (one.count, one.of, one.places[0].line) == (1, 3, 2)
    assert one.fix


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_is_left_in_peace(text, make_split):
    assert text_findings(make_split("train", [(text, "x")])) == []


def test_each_kind_is_planted_above():
    assert {check.code for check in CHECKS} == set(PLANTED)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("cafÃ©", "café"),
        ("영화".encode("cp949").decode("latin-1"), "영화"),
        ("모토로라충전".encode().decode("cp949", "ignore"), "모토로라충전"),
    ],
)
def test_what_was_meant_is_said(text, right):
    assert repaired(text).startswith(right[:4])


def test_rows_count_once_whichever_text_it_is(make_split):
    rows = [("a", "b\x07", "x"), ("a", "b\x07", "x"), ("b\x07", "c\x08", "x"), ("a", "c", "x")]
    split = make_split("dev", rows)
    [found] = text_findings(split)
    assert (found.count, found.split) == (3, "dev")
    assert [place.line for place in found.places] == [1, 2, 3]
    assert "U+0007 at character 1" in found.places[0].text
