"""predict: the same texts give the same answers, however they come in and go out, in order."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import BAD, GOOD

import bertft
from bertft.commands.predict import predict_files
from bertft.commands.predict_request import PredictRequest
from bertft.engines import on_torch
from bertft.errors import DataError
from bertft.loaders import files
from bertft.prediction import predictor as predict_module
from bertft.prediction.predictor import WINDOW, Predictor
from bertft.watch import Silent

TEXTS = ["the plot is very slow", "영화 정말 좋다", 'never, "dull"', "a", *GOOD, *BAD]
FLAGS = ["--run", "run", "--device", "cpu", "--precision", "fp32"]


@pytest.fixture(scope="module")
def predictor(trained: Path) -> Predictor:
    return bertft.load(trained, device="cpu", precision="fp32")


@pytest.fixture
def answer(command, run) -> Callable[..., list[dict[str, Any]]]:
    """Answers on stdout, as JSON lines."""

    def call(*arguments: str) -> list[dict[str, Any]]:
        code, out, err = command("predict", *arguments, *FLAGS)
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]

    return call


def save(path: Path, kind: str) -> str:
    """TEXTS as a file of a kind."""
    path = path / f"in.{kind}"
    if kind == "txt":
        path.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    elif kind == "txt.gz":
        path.write_bytes(gzip.compress("\r\n".join(TEXTS).encode("utf-8-sig")))
    elif kind == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["id", "review"], *enumerate(TEXTS)])
    elif kind == "tsv":
        path.write_text("\n".join(["text", *TEXTS]), encoding="utf-8")
    elif kind == "jsonl":
        lines = [json.dumps({"text": text, "label": "unseen"}) for text in TEXTS]
        path.write_text("\n".join(lines), encoding="utf-8")
    else:
        pq.write_table(pa.table({"n": range(len(TEXTS)), "sentence": TEXTS}), path)
    return str(path)


class TestInput:
    @pytest.mark.parametrize("kind", ["txt", "txt.gz", "csv", "tsv", "jsonl", "parquet"])
    def test_every_format_gives_the_same_answers_in_order(self, answer, predictor, tmp_path, kind):
        expected = predictor.predict(TEXTS)
        found = answer(save(tmp_path, kind))
        assert [one["text"] for one in found] == TEXTS
        for ours, theirs in zip(found, expected, strict=True):
            assert ours | {"id": ""} == theirs | {"id": ""}

    @pytest.mark.parametrize(
        ("kind", "ids"),
        [
            ("txt", ("1", "16")),
            ("csv", ("0", "15")),
            ("tsv", ("2", "17")),
            ("parquet", ("1", "16")),
        ],
    )
    def test_ids_are_the_data_s_own_or_line_numbers(self, answer, tmp_path, kind, ids):
        found = answer(save(tmp_path, kind))
        assert (found[0]["id"], found[-1]["id"]) == ids

    def test_stdin_holds_one_text_per_line(self, answer, predictor, monkeypatch):
        text = ("\n".join(TEXTS)).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        assert answer("-") == predictor.predict(TEXTS)

    def test_stdin_in_another_format(self, answer, monkeypatch):
        text = b'{"text": "a good film"}\n{"text": "awful"}\n'
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        found = answer("-", "--input-format", "jsonl")
        assert [one["text"] for one in found] == ["a good film", "awful"]

    def test_blank_lines_are_counted_and_keep_the_numbers(self, command, run, tmp_path):
        (tmp_path / "in.txt").write_text("\na good film\n  \n\nawful\n", encoding="utf-8")
        code, out, err = command("predict", "in.txt", *FLAGS)
        assert code == 0
        assert [json.loads(line)["id"] for line in out.splitlines()] == ["2", "5"]
        assert "· in.txt: 3 blank lines have no answer (ids are line numbers)" in err.splitlines()
        assert err.splitlines()[-1] == "· 2 texts predicted"

    def test_one_text_per_file(self, answer, tmp_path):
        (tmp_path / "in.txt").write_text("a good film\n\nawful\n", encoding="utf-8")
        (one,) = answer("in.txt", "--whole-file")
        assert one["text"] == "a good film\n\nawful\n"

    def test_several_files_are_named_in_the_answers(self, answer, tmp_path):
        for name in ("a.txt", "b.txt"):
            (tmp_path / name).write_text(f"{name}\n", encoding="utf-8")
        found = answer("b.txt", "a.txt")
        assert [(one["file"], one["text"]) for one in found] == [
            ("b.txt", "b.txt"),
            ("a.txt", "a.txt"),
        ]

    def test_a_column_can_be_named(self, answer, tmp_path):
        (tmp_path / "in.csv").write_text("text,body\nno,awful\n", encoding="utf-8")
        (one,) = answer("in.csv", "--set", "task.text_column=body")
        assert one["text"] == "awful"

    def test_rows_that_are_left_out_are_counted(self, command, run, tmp_path):
        (tmp_path / "in.csv").write_text("id,text\n1,a\n2,b,c\n3,d\n", encoding="utf-8")
        code, out, err = command("predict", "in.csv", "--on-bad-row", "skip", *FLAGS)
        assert code == 0
        assert [json.loads(line)["id"] for line in out.splitlines()] == ["1", "3"]
        assert "1 unusable row left out; the first: in.csv:3: 2 fields expected" in err

    def test_texts_that_were_cut_are_flagged_and_counted(self, command, run, tmp_path):
        (tmp_path / "in.txt").write_text("sad\n" + "good " * 31 + "\n", encoding="utf-8")
        _, out, err = command("predict", "in.txt", *FLAGS)
        assert [json.loads(line)["truncated"] for line in out.splitlines()] == [False, True]
        assert "· 1 of 2 texts is longer than 32 tokens and was cut" in err.splitlines()


class TestOutput:
    @pytest.fixture
    def texts(self, tmp_path: Path) -> str:
        return save(tmp_path, "txt")

    @pytest.mark.parametrize(("kind", "delimiter"), [("csv", ","), ("tsv", "\t")])
    def test_tables(self, command, run, predictor, texts, kind, delimiter):
        _, out, _ = command("predict", texts, "--format", kind, *FLAGS)
        rows = list(csv.DictReader(io.StringIO(out, newline=""), delimiter=delimiter))
        expected = predictor.predict(TEXTS)
        assert list(rows[0]) == [
            "id", "text", "predicted_label", "probability", "truncated", "error",
        ]  # fmt: skip
        assert [row["text"] for row in rows] == TEXTS
        assert [row["predicted_label"] for row in rows] == [one["label"] for one in expected]
        assert [row["probability"] for row in rows] == [f"{one['score']:.4f}" for one in expected]
        assert {row["truncated"] for row in rows} == {"false"}

    def test_plain_text(self, command, run, predictor, texts):
        _, out, _ = command("predict", texts, "--format", "txt", *FLAGS)
        rows = [line.split("\t") for line in out.splitlines()]
        for row, one in zip(rows, predictor.predict(TEXTS), strict=True):
            assert row == [one["label"], f"{one['score']:.4f}", one["text"]]

    def test_json_lines_keep_the_letters(self, command, run, texts):
        assert "영화 정말 좋다" in command("predict", texts, *FLAGS)[1]

    def test_the_suffix_of_the_file_tells_the_format(self, command, run, texts, tmp_path):
        for name in ("out.tsv", "out.jsonl", "out"):
            code, out, err = command("predict", texts, "--out", name, *FLAGS)
            assert (code, out) == (0, "")
            assert err.splitlines()[-1] == f"· 16 texts predicted: {name}"
        on_stdout = command("predict", texts, *FLAGS)[1]
        assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == on_stdout
        assert (tmp_path / "out").read_text(encoding="utf-8") == on_stdout
        header = (tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()[0]
        assert header.startswith("id\ttext\tpredicted_label\t")

    def test_an_existing_file_is_replaced_only_on_demand(self, command, run, texts, tmp_path):
        (tmp_path / "out.csv").write_text("mine", encoding="utf-8")
        assert command("predict", texts, "--out", "out.csv", *FLAGS)[0] == 2
        assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "mine"
        assert command("predict", texts, "--out", "out.csv", "--overwrite", *FLAGS)[0] == 0
        assert (tmp_path / "out.csv").read_text(encoding="utf-8") != "mine"

    def test_a_file_appears_when_it_is_whole(self, command, run, tmp_path):
        (tmp_path / "in.csv").write_text("id,text\n1,a\n2,b,c\n", encoding="utf-8")
        stop = ("--on-bad-row", "stop")
        code, _, err = command("predict", "in.csv", "--out", "out.csv", *stop, *FLAGS)
        assert code == 2
        assert "in.csv:3: 2 fields expected" in err
        assert not (tmp_path / "out.csv").exists()
        (tmp_path / "in.csv").write_text("id,text\n1,a\n", encoding="utf-8")
        assert command("predict", "in.csv", "--out", "out.csv", *FLAGS)[0] == 0
        assert [path.name for path in tmp_path.glob("out*")] == ["out.csv"]

    def test_top_k_names_the_most_probable(self, answer, texts):
        for one in answer(texts, "--top-k", "1"):
            assert one["scores"] == {one["label"]: one["score"]}


class TestPredictor:
    def test_a_batch_of_n_equals_n_batches_of_one(self, predictor):
        texts = [*TEXTS, "good " * 40, "."]
        together = predictor.predict(texts)
        for text, one in zip(texts, together, strict=True):
            (alone,) = predictor.predict([text])
            assert alone["scores"] == pytest.approx(one["scores"], abs=1e-5)
            assert alone["label"] == one["label"]
            assert alone["truncated"] == one["truncated"] == (text == "good " * 40)

    def test_ids_count_from_one_unless_the_record_has_its_own(self, predictor):
        found = predictor.predict(["a", {"text": "b"}, {"text": "c", "id": "x"}])
        assert [one["id"] for one in found] == ["1", "2", "x"]

    def test_one_text_has_one_answer(self, predictor):
        (expected,) = predictor.predict(["a good film"])
        assert predictor.predict("a good film") == expected
        assert predictor.predict({"text": "a good film"}) == expected
        assert predictor.predict("") == {"id": "1", "error": "the text (column 'text') is empty"}
        assert json.loads(json.dumps(expected)) == expected

    def test_nothing_asked(self, predictor):
        assert predictor.predict([]) == []

    def test_a_record_without_text(self, predictor):
        with pytest.raises(DataError, match=r"no column for the text .*columns here: weight"):
            predictor.predict([{"weight": "a"}])

    def test_reads_no_further_ahead_than_a_window(self, predictor):
        read = 0

        def texts():
            nonlocal read
            for number in range(3 * WINDOW):
                read = number + 1
                yield predictor.task.example("a", id=str(number))

        answers = predictor.stream(texts())
        assert next(answers)["id"] == "0"
        assert read == WINDOW
        assert sum(1 for _ in answers) == 3 * WINDOW - 1

    def test_memory_does_not_grow_with_the_file(self, trained, tmp_path, monkeypatch):
        """Eight times the lines, the same memory; the model, which takes the time, is left out."""

        def no_model(_model: object, encoded: list[object], **_rest: object) -> list[np.ndarray]:
            return [np.zeros(2, dtype=np.float32)] * len(encoded)

        monkeypatch.setattr(on_torch, "compute_logits", no_model)
        monkeypatch.setattr(predict_module, "WINDOW", 256)
        monkeypatch.setattr(files, "BLOCK", 2**12)

        def peak(lines: int) -> int:
            (tmp_path / "in.txt").write_text("a good film\n" * lines, encoding="utf-8")
            request = PredictRequest(
                files=(str(tmp_path / "in.txt"),),
                run=str(trained),
                out=str(tmp_path / f"{lines}.jsonl"),
                device="cpu",
                precision="fp32",
            )
            tracemalloc.start()
            try:
                assert predict_files(request, watch=Silent()) == lines
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        peak(10)  # what is loaded and cached once
        assert peak(8_000) < 1.5 * peak(1_000)
