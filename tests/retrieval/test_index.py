"""The index: what is found, in which order; what is embedded again, and what a kill leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import Ear

from bertft.bm25 import Words, words_of_text
from bertft.cache_folder import cached_files
from bertft.errors import BertftError, DataError
from bertft.evaluation.ranking import best
from bertft.inside.request import EncoderRequest
from bertft.retrieval import parts as parts_module
from bertft.retrieval.index import CONSTANT, Index, fuse, open_index
from bertft.retrieval.request import IndexRequest

Open = Callable[..., Index]


class TestOrder:
    @given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.integers(1, 40))
    def test_best_is_a_stable_sort(self, values: list[int], count: int) -> None:
        expected = sorted(range(len(values)), key=lambda place: (-values[place], place))[:count]
        assert best(np.array(values, dtype=np.float32), count=count).tolist() == expected

    def test_reciprocal_ranks_are_added(self) -> None:
        dense, words = np.array([0.9, 0.5, 0.1, 0.2]), np.array([0.0, 2.0, 1.0, 0.0])
        places, scores = fuse(dense, words, count=4)
        expected = {
            0: 1 / (CONSTANT + 1),
            1: 1 / (CONSTANT + 2) + 1 / (CONSTANT + 1),
            2: 1 / (CONSTANT + 4) + 1 / (CONSTANT + 2),
            3: 1 / (CONSTANT + 3),
        }
        assert places == [1, 2, 0, 3]
        assert scores == pytest.approx([expected[place] for place in places])

    def test_a_hit_is_the_passage_with_its_scores(self, opened: Open, docs: Path) -> None:
        index = opened(docs)
        assert len(index) == 4
        hits = index.search("awful", top_k=9)
        assert len(hits) == len(index)
        assert (hits[0].place, hits[0].passage.text) == (
            {"file": str(docs / "food.md"), "line": 1},
            "# food\nthe food was awful and they hate it .",
        )
        assert [one.words > 0 for one in hits] == [True, False, False, False]
        assert [one.score for one in hits] == sorted((one.score for one in hits), reverse=True)

    def test_a_question_is_compared_with_questions(self, opened: Open, docs: Path) -> None:
        (first, *_) = opened(docs).search("is the film fun ?", top_k=1)
        assert (first.passage.question, first.passage.text) == (
            "is the film fun ?",
            "yes it is very fun",
        )
        assert first.similarity == pytest.approx(1.0, abs=1e-5)


class TestWords:
    def test_korean_particles_do_not_hide_a_word(self) -> None:
        words = Words.of(["음식을 시켰다", "영화를 봤다", "환불규정은 이렇다"])
        assert np.argmax(words.scores("환불규정이 뭐죠")) == 2
        assert np.argmax(words.scores("영화")) == 1
        assert words_of_text("Réfund, 3x") == ["réfund", "3x"]

    def test_nothing_matches_nothing(self) -> None:
        assert Words.of(["a b", "c"]).scores("zzz").tolist() == [0, 0]
        assert Words.of(["...", ""]).scores("a").tolist() == [0, 0]

    def test_what_is_kept_is_what_was_made(self, tmp_path: Path) -> None:
        made = Words.of(["a film", "a film film"])
        made.write(tmp_path / "x.words")
        kept = Words.read(tmp_path / "x.words", count=2)
        assert kept is not None
        np.testing.assert_array_equal(kept.scores("film"), made.scores("film"))
        assert Words.read(tmp_path / "x.words", count=3) is None
        next((tmp_path / "x.words").glob("data*")).write_bytes(b"cut")
        assert Words.read(tmp_path / "x.words", count=2) is None


class TestCache:
    def test_a_changed_file_alone_is_embedded_again(
        self, opened: Open, docs: Path, ear: Ear
    ) -> None:
        before = opened(docs)
        assert ear.notes[-1] == "4 passages of 3 files: 4 embedded now"
        again = opened(docs)
        assert ear.notes[-1] == "4 passages of 3 files: all embedded before"
        np.testing.assert_array_equal(again.vectors, before.vectors)
        (docs / "food.md").write_text("good food\n", encoding="utf-8")
        opened(docs.rename(docs.with_name("moved")))
        assert ear.notes[-1] == "4 passages of 3 files: 1 embedded now"

    @pytest.mark.parametrize(
        "change", [{"passage_prompt": "good "}, {"overrides": ("data.header=true",)}]
    )
    def test_what_vectors_follow_from_makes_them_anew(
        self, opened: Open, docs: Path, ear: Ear, change: dict[str, Any]
    ) -> None:
        opened(docs)
        opened(docs, **change)
        assert ear.notes[-1].endswith("4 embedded now")

    def test_parts_that_are_there_are_kept_after_a_kill(
        self, opened: Open, tmp_path: Path, ear: Ear, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parts_module, "ROWS", 2)
        path = tmp_path / "rows.jsonl"
        texts = ["a film", "food", "we love", "it is", "no plot"]
        path.write_text("".join(json.dumps({"text": one}) + "\n" for one in texts))
        whole = opened(path)
        assert len(cached_files()) == 4  # three parts and the words
        for killed in cached_files()[1:3]:  # as if they had not been reached; one is half-written
            killed.write_bytes(killed.read_bytes()[:50])
        again = opened(path)
        assert "embedded now" in ear.notes[-1]
        assert not ear.notes[-1].endswith(" 5 embedded now")
        np.testing.assert_array_equal(again.vectors, whole.vectors)
        found = [hit.passage.text for hit in again.search("film", top_k=5)]
        assert sorted(found) == sorted(texts)


class TestFiles:
    def test_what_is_left_out_of_a_folder_is_said(self, opened: Open, docs: Path, ear: Ear) -> None:
        (docs / "x.png").write_bytes(b"")
        (docs / "y.pdf").write_bytes(b"nothing")
        (docs / ".hidden.txt").write_text("no")
        (docs / "inner").mkdir()
        (docs / "inner" / "z.txt").write_text("a film\n")
        assert len(opened(docs)) == 5
        notes = "\n".join(ear.notes)
        assert f"{docs}: files of other kinds are left out: 1 .png" in notes
        assert f"warning: left out: {docs / 'y.pdf'}: not a PDF that can be read" in notes

    def test_what_is_named_has_to_be_readable(self, opened: Open, docs: Path) -> None:
        (docs / "y.hwp").write_bytes(b"nothing")
        with pytest.raises(DataError, match=r"not a kind .* save it as \.docx or \.pdf; read are"):
            opened(docs / "y.hwp")
        with pytest.raises(DataError, match="no such file"):
            opened(docs / "z.txt")
        with pytest.raises(BertftError, match="only files and folders"):
            opened("-")
        (docs / "empty.txt").write_text("\n")
        with pytest.raises(DataError, match="no text to search"):
            opened(docs / "empty.txt")
        (docs / "nothing").mkdir()
        with pytest.raises(DataError, match="holds no file that is searched"):
            opened(docs / "nothing")


class TestPrompts:
    @pytest.fixture
    def e5(self, tiny: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(tiny, tmp_path / "small-e5-ko"))

    def test_those_of_e5_are_known_and_said(self, e5: Path, docs: Path, ear: Ear) -> None:
        index = self.opened(e5, docs, ear)
        assert (index.prompt, index.embedder.prompt) == ("query: ", "passage: ")
        assert any("prompts 'query: ' and 'passage: '" in note for note in ear.notes)
        index = self.opened(e5, docs, ear, prompt="", passage_prompt="a ")
        assert (index.prompt, index.embedder.prompt) == ("", "a ")

    def test_those_of_the_folder_go_first(self, e5: Path, docs: Path, ear: Ear) -> None:
        prompts = {"prompts": {"query": "Q ", "document": "D "}}
        (e5 / "config_sentence_transformers.json").write_text(json.dumps(prompts))
        (e5 / "modules.json").write_text("[]")
        index = self.opened(e5, docs, ear)
        assert (index.prompt, index.embedder.prompt) == ("Q ", "D ")

    def opened(self, model: Path, docs: Path, ear: Ear, **fields: Any) -> Index:
        encoder = EncoderRequest(model=str(model), device="cpu")
        return open_index(IndexRequest(files=(str(docs),), encoder=encoder, **fields), watch=ear)


class TestWhatIsSaidOfAFile:
    def test_it_is_said_again_when_nothing_is_embedded(
        self, opened: Open, tmp_path: Path, ear: Ear
    ) -> None:
        (tmp_path / "one").mkdir()
        old, new = (tmp_path / folder / "a.jsonl" for folder in ("one", "two"))
        old.write_text('{"question": "fun ?", "answer": "yes"}\n{oops\n', encoding="utf-8")
        opened(old, on_bad_row="skip")
        said = [one for one in ear.notes if one.startswith((f"{old}:", "1 unusable"))]
        assert len(said) == 2
        assert f"1 unusable row left out; the first: {old}:2: not valid JSON" in said[1]
        old.parent.rename(new.parent)
        opened(new, on_bad_row="skip")
        assert "1 passage of 1 file: all embedded before" in ear.notes
        moved = [one.replace(f"{old}:", f"{new}:") for one in said]
        assert [one for one in ear.notes if one in moved] == moved
