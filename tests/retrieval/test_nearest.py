"""Lists of vectors: what is found of it, what is kept, when it is made, and what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from running import Ear

from bertft.evaluation.ranking import best
from bertft.retrieval import nearest as module
from bertft.retrieval.index import Index
from bertft.retrieval.nearest import Nearest, make_lists, nearest_of

Open = Callable[..., Index]


@pytest.fixture
def vectors() -> np.ndarray:
    """4,000 unit vectors [N, W] in 40 clusters."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((40, 16), dtype=np.float32)
    found = centres[np.arange(4000) % 40] + 0.3 * random.standard_normal((4000, 16))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    words = ("film", "food", "plot", "love", "hate", "good", "bad", "slow", "dull", "fun")
    texts = [f"{a} {b} {c}" for a in words for b in words for c in words[:2]]
    path.write_text("".join(json.dumps({"text": one}) + "\n" for one in texts), encoding="utf-8")
    return path


class TestLists:
    def test_most_of_the_nearest_are_found(self, vectors: np.ndarray) -> None:
        nearest = Nearest(make_lists(vectors))
        assert (nearest.count, nearest.read) == (100, 3)
        shares = []
        for query in vectors[:100]:
            wanted = set(best(vectors @ query, count=10).tolist())
            found = nearest.places(query, count=30).tolist()
            assert len(set(found)) == len(found) == 30
            shares.append(len(wanted & set(found)) / 10)
        assert np.mean(shares) > 0.9

    def test_fewer_are_given_where_the_lists_hold_no_more(self, vectors: np.ndarray) -> None:
        found = Nearest(make_lists(vectors)).places(vectors[0], count=4000)
        assert 0 < len(found) < 1000
        assert found.min() >= 0

    def test_they_are_made_once_and_read_again(
        self, vectors: np.ndarray, ear: Ear, own_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert nearest_of(vectors, key="a", watch=ear) is None
        assert ear.notes == []
        monkeypatch.setattr(module, "LARGE", 4000)
        first = nearest_of(vectors, key="a", watch=ear)
        assert first is not None
        said = "3 of 100 lists of vectors are read for a question: near ones in others are missed"
        assert ear.notes == ["sorting 4,000 vectors into lists, once", said]
        again = nearest_of(vectors, key="a", watch=ear)
        assert again is not None
        assert ear.notes[2:] == [said]
        for query in vectors[:5]:
            places = [one.places(query, count=9).tolist() for one in (first, again)]
            assert places[0] == places[1]
        (file,) = own_cache.iterdir()
        file.write_bytes(file.read_bytes()[:5000])
        nearest_of(vectors, key="a", watch=ear)
        nearest_of(vectors[:, :8].copy(), key="a", watch=ear)
        assert [one.startswith("sorting") for one in ear.notes[3:]] == [True, False] * 2

    def test_without_faiss_all_are_compared(
        self, vectors: np.ndarray, ear: Ear, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "LARGE", 4000)
        monkeypatch.setattr(module, "find_spec", lambda name: None)
        assert nearest_of(vectors, key="a", watch=ear) is None
        assert ear.notes == [
            "all 4,000 vectors are compared with each question; pip install 'bertft[index]' finds "
            "near ones in a fraction of the time"
        ]


class TestIndex:
    def test_it_finds_what_exact_search_finds(
        self, opened: Open, rows: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        exact = opened(rows)
        monkeypatch.setattr(module, "LARGE", 200)
        monkeypatch.setattr(module, "READ", 1.0)
        index = opened(rows)
        assert (exact.nearest, index.nearest is None) == (None, False)
        for query in ("a slow film", "the food", "zzz"):
            found = [[hit.place["line"] for hit in one.search(query, top_k=5)]
                     for one in (exact, index)]  # fmt: skip
            assert found[0] == found[1]

    def test_what_is_not_read_has_no_rank_by_vectors(
        self, opened: Open, rows: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "LARGE", 200)
        index = opened(rows)
        assert index.nearest is not None
        monkeypatch.setattr(Nearest, "places", lambda self, vector, count: np.array([7, 3]))
        hits = index.search("zzz", top_k=9)
        assert sorted(hit.place["line"] for hit in hits) == [4, 8]
        hits = index.search("plot", top_k=9)
        assert all("plot" in hit.passage.text for hit in hits)
        assert all(np.isfinite(hit.similarity) for hit in hits)

    def test_a_changed_file_gets_lists_of_its_own(
        self, opened: Open, rows: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "LARGE", 200)
        opened(rows)
        opened(rows)
        assert len(list(own_cache.glob("*.vectors"))) == 1
        with rows.open("a") as file:
            file.write('{"text": "a film that is new"}\n')
        opened(rows)
        assert len(list(own_cache.glob("*.vectors"))) == 2
