"""Entities that end inside a unit: what sticks to them is learned and cut off again."""

from __future__ import annotations

import numpy as np

from bertft.spans import Entity, words_of
from bertft.tasks.edges import Edges, learn_edges

SENTENCES = [
    ("서울에서 만났다", (0, 2)),
    ("부산에서 왔다", (0, 2)),
    ("대구에서 산다", (0, 2)),
    ("민지는 갔다", (0, 2)),
    ("수진은 갔다", (0, 2)),
    ("은은 반짝인다", (0, 2)),
    ("가은 웃었다", (0, 2)),
    ("다은 울었다", (0, 2)),
]


def units(text: str) -> np.ndarray:
    return np.array(words_of(text), dtype=np.int32).reshape(-1, 2)


def learned(sentences: list[tuple[str, tuple[int, int]]]) -> Edges:
    return learn_edges((text, [Entity(*span, "X")], units(text)) for text, span in sentences)


def trimmed(edges: Edges, text: str, start: int, end: int) -> str:
    one = edges.trim(Entity(start, end, "X"), text, units(text))
    return text[one.start : one.end]


def test_what_often_stands_outside_is_an_edge() -> None:
    assert learned(SENTENCES) == Edges((), ("에서",))


def test_what_is_part_of_more_entities_is_none() -> None:
    """은 is a particle here and the last syllable of names there."""
    more = [*SENTENCES, ("지훈은 왔다", (0, 2)), ("영수은 갔다", (0, 2))]
    assert "은" not in learned(more).after
    assert "은" in learned([*more, ("철수은 갔다", (0, 2)), ("길동은 갔다", (0, 2))]).after


def test_edges_are_cut_off_the_last_unit() -> None:
    edges = learned(SENTENCES)
    assert trimmed(edges, "광주에서 산다", 0, 4) == "광주"
    assert trimmed(edges, "경기 광주에서 산다", 0, 7) == "경기 광주"
    assert trimmed(edges, "에서 산다", 0, 2) == "에서"  # nothing would be left


def test_edges_in_front() -> None:
    sentences = [(f"+{name} x", (1, 3)) for name in ("ab", "cd", "ef")]
    whole = [(text, np.array([[0, 3], [4, 5]], dtype=np.int32), span) for text, span in sentences]
    edges = learn_edges((text, [Entity(*span, "X")], there) for text, there, span in whole)
    assert edges == Edges(("+",), ())
    one = edges.trim(Entity(0, 3, "X"), "+gh x", np.array([[0, 3], [4, 5]], dtype=np.int32))
    assert (one.start, one.end) == (1, 3)


def test_the_longest_edge_wins() -> None:
    edges = Edges((), ("에서는", "는"))
    assert trimmed(edges, "서울에서는 춥다", 0, 5) == "서울"


def test_texts_without_entities_or_units_teach_nothing() -> None:
    empty = np.zeros((0, 2), dtype=np.int32)
    assert learn_edges([("", [], empty), ("a", [Entity(0, 1, "X")], empty)]) == Edges()
