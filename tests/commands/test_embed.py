"""embed: vectors in every format, order restored, cut texts counted, folders' own rules."""

from __future__ import annotations

import json
import shutil
import tracemalloc
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from samples import Command
from transformers import AutoModel, AutoTokenizer

import bertft
from bertft.commands.embed import EmbedRequest, embed_files
from bertft.encoder.sentence import SentenceRule, sentence_rule
from bertft.errors import BertftError, ModelError
from bertft.inside import embedder as embed_module
from bertft.inside import hidden
from bertft.inside.embedder import View, choose_layers, unit_length
from bertft.inside.request import EncoderRequest
from bertft.loaders import files
from bertft.prediction.texts import TextRequest
from bertft.watch import Silent

TEXTS = [
    "a good film",
    "the plot is slow and dull , but the food was never bad",
    "no",
    "맛있다 음식",
]
Embed = Callable[..., Path]


@pytest.fixture
def vectors(tiny: Path, command: Command) -> Embed:
    """Embeds TEXTS as a file with the tiny model; the file that was written."""

    def call(out: str, *options: str, model: Path = tiny, texts: list[str] = TEXTS) -> Path:
        Path("texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
        arguments = ("embed", "texts.txt", "--out", out, "--model", str(model), "--device", "cpu")
        code, stdout, err = command(*arguments, *options)
        assert (code, stdout) == (0, ""), err
        return Path(out)

    return call


@pytest.fixture
def expected(tiny: Path) -> list[Any]:
    """All layers [L, 3, H] of each text, by transformers."""
    model, tokenizer = AutoModel.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    rows = []
    with torch.no_grad():
        for text in TEXTS:
            output = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
            rows.append(torch.cat(output.hidden_states).permute(1, 0, 2).numpy())
    return rows


def sentence_folder(tiny: Path, target: Path, *, mode: str = "mean", **files: Any) -> Path:
    """The tiny model with the files of sentence-transformers; further files by their stems."""
    shutil.copytree(tiny, target)
    kinds = ["Transformer", "Pooling", "Normalize"]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [{"type": f"x.{k}", "path": p} for k, p in zip(kinds, paths, strict=True)]
    (target / "1_Pooling").mkdir()
    pooling = target / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode": mode}), encoding="utf-8")
    for name, content in ({"modules": modules} | files).items():
        (target / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return target


def test_every_format_holds_the_same_sentence_vectors(vectors: Embed, expected: list[Any]) -> None:
    mean = np.stack([row[:, -1].mean(axis=0) for row in expected])
    lines = vectors("v.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(one["id"], one["text"]) for one in rows] == list(zip("1234", TEXTS, strict=True))
    found = np.load(vectors("v.npy"), mmap_mode="r")
    assert found.dtype == np.float32
    assert np.abs(found - mean).max() < 1e-5
    assert np.array_equal(np.array([one["vector"] for one in rows], dtype=np.float32), found)
    packed = np.load(vectors("v.npz"))
    assert np.array_equal(packed["vectors"], found)
    assert packed["lines"].tolist() == [1, 2, 3, 4]
    table = pq.read_table(vectors("v.parquet")).to_pydict()
    assert table["text"] == TEXTS
    assert np.array_equal(np.array(table["vector"], dtype=np.float32), found)
    assert sorted(path.name for path in Path().glob("v*")) == [
        "v.jsonl", "v.npy", "v.npz", "v.parquet",
    ]  # fmt: skip


def test_tokens_of_several_layers(vectors: Embed, expected: list[Any], tiny: Path) -> None:
    options = ("--level", "token", "--layers", "0,2")
    found = np.load(vectors("v.npz", *options))
    states = np.concatenate([row[:, [0, 2]] for row in expected])
    assert np.abs(found["vectors"] - states).max() < 1e-5
    ends = np.cumsum([0, *(len(row) for row in expected)])
    assert found["starts"].tolist() == ends[:-1].tolist()
    assert found["layers"].tolist() == [0, 2]
    ids = AutoTokenizer.from_pretrained(tiny)(TEXTS)["input_ids"]
    assert found["token_ids"].tolist() == [number for row in ids for number in row]
    table = pq.read_table(vectors("v.parquet", *options)).to_pydict()
    assert table["token"][:5] == ["[CLS]", "a", "good", "film", "[SEP]"]
    assert list(zip(table["start"], table["end"], strict=True))[:4] == [
        (0, 0), (0, 1), (2, 6), (7, 11),
    ]  # fmt: skip
    assert np.array_equal(np.array(table["vector"], dtype=np.float32), found["vectors"])


def test_words_are_the_mean_of_their_pieces(vectors: Embed, expected: list[Any]) -> None:
    found = vectors("v.jsonl", "--level", "token", "--words").read_text(encoding="utf-8")
    one = json.loads(found.splitlines()[3])
    assert one["tokens"] == ["맛있다", "음식"]
    assert one["offsets"] == [[0, 3], [4, 6]]
    last = expected[3][:, -1]  # [CLS], the pieces of 맛있다, 음식, [SEP]
    means = np.stack([last[1:-2].mean(axis=0), last[-2]])
    assert np.abs(np.array(one["vectors"]) - means).max() < 1e-5


def test_cut_texts_are_counted_and_marked(tiny: Path, command: Command) -> None:
    arguments = ("embed", *TEXTS, "--model", str(tiny), "--max-length", "8")
    code, out, err = command(*arguments)
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert [one["truncated"] for one in rows] == [False, True, False, False]
    assert err.count("1 of 4 texts is longer than 8 tokens and was cut") == 1


def test_decomposed_text_keeps_its_own_offsets(vectors: Embed) -> None:
    text = unicodedata.normalize("NFD", "영화 정말")
    line = vectors("v.jsonl", "--level", "token", "--words", texts=[text]).read_text("utf-8")
    one = json.loads(line)
    assert one["tokens"] == text.split()
    assert one["offsets"] == [[0, 5], [6, 12]]


def test_a_window_of_token_vectors_is_bounded(
    vectors: Embed, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the texts are cut into windows, the file is the same."""
    whole = vectors("whole.npz", "--level", "token", "--layers", "all").read_bytes()
    monkeypatch.setattr(embed_module, "MAX_VALUES", 200)
    monkeypatch.setattr(embed_module, "WINDOW", 3)
    sizes = []
    read = embed_module.Embedder.vectors

    def watched(self: Any, encoded: Any) -> Any:
        sizes.append(len(encoded))
        return read(self, encoded)

    monkeypatch.setattr(embed_module.Embedder, "vectors", watched)
    vectors("parts.npz", "--level", "token", "--layers", "all")
    assert sizes == [1, 1, 1, 1]
    parts, before = np.load("parts.npz"), np.load("whole.npz")
    assert whole
    for name in before.files:
        assert np.allclose(parts[name], before[name], atol=1e-6)


def test_memory_does_not_grow_with_the_file(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight times the lines, the same memory; the model, which takes the time, is left out."""

    def no_model(_model: object, encoded: list[object], **_rest: object) -> list[Any]:
        return [np.zeros(32, dtype=np.float32)] * len(encoded)

    monkeypatch.setattr(hidden, "compute_logits", no_model)
    monkeypatch.setattr(embed_module, "WINDOW", 256)
    monkeypatch.setattr(files, "BLOCK", 2**12)

    def peak(lines: int) -> int:
        (tmp_path / "in.txt").write_text("a good film\n" * lines, encoding="utf-8")
        request = EmbedRequest(
            texts=TextRequest(arguments=(str(tmp_path / "in.txt"),)),
            encoder=EncoderRequest(model=str(tiny), device="cpu"),
            view=View(),
            out=str(tmp_path / f"{lines}.npz"),
        )
        tracemalloc.start()
        try:
            assert embed_files(request, watch=Silent()) == lines
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what is loaded and cached once
    assert peak(8_000) < 1.5 * peak(1_000)


class TestRules:
    def test_a_folder_says_how(self, tiny: Path, tmp_path: Path, vectors: Embed) -> None:
        folder = sentence_folder(tiny, tmp_path / "st", mode="cls")
        plain = np.load(vectors("p.npy", "--pooling", "cls_before_pooler"))
        found = np.load(vectors("f.npy", model=folder))
        assert np.allclose(found, unit_length(plain), atol=1e-6)
        raw = np.load(vectors("r.npy", "--no-normalize", model=folder))
        assert np.allclose(raw, plain, atol=1e-6)

    def test_all_that_is_read(self, tiny: Path, tmp_path: Path) -> None:
        settings = {"prompts": {"query": "q: ", "text": "t: "}, "default_prompt_name": "text"}
        folder = sentence_folder(
            tiny,
            tmp_path / "st",
            mode="max",
            sentence_bert_config={"max_seq_length": 24},
            config_sentence_transformers=settings,
        )
        rule = SentenceRule(
            "max", normalize=True, max_length=24, prompt="t: ", query="q: ", given=True
        )
        assert sentence_rule(folder) == rule
        assert sentence_rule(tiny) == SentenceRule("mean", normalize=False, given=False)

    def test_the_old_way_to_write_it(self, tiny: Path, tmp_path: Path) -> None:
        folder = sentence_folder(tiny, tmp_path / "st")
        old = {"pooling_mode_cls_token": False, "pooling_mode_max_tokens": True}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(old), encoding="utf-8")
        assert sentence_rule(folder).pooling == "max"

    @pytest.mark.parametrize("mode", ["lasttoken", ["mean", "max"]])
    def test_what_is_not_known_is_refused(self, tiny: Path, tmp_path: Path, mode: Any) -> None:
        folder = sentence_folder(tiny, tmp_path / "st", mode=mode)
        with pytest.raises(ModelError, match=r"1_Pooling/config\.json: pooling .*; .*--pooling"):
            sentence_rule(folder)

    def test_a_step_that_is_not_known(self, tiny: Path, tmp_path: Path) -> None:
        folder = sentence_folder(tiny, tmp_path / "st", modules=[{"type": "x.Dense"}])
        with pytest.raises(ModelError, match=r"the step Dense is not known here"):
            sentence_rule(folder)


@pytest.mark.parametrize(
    ("wanted", "layers"),
    [
        ("last", (6,)),
        ("all", (0, 1, 2, 3, 4, 5, 6)),
        ("-4:", (3, 4, 5, 6)),
        ("0,3,6", (0, 3, 6)),
        ("-1", (6,)),
        (":2", (0, 1)),
    ],
)
def test_layers(wanted: str, layers: tuple[int, ...]) -> None:
    assert choose_layers(wanted, last=6) == layers


@pytest.mark.parametrize("wanted", ["7", "", "a", "1,,2", "5:2", "1:2:3", "last,0"])
def test_layers_that_are_not_there(wanted: str) -> None:
    with pytest.raises(BertftError, match=r"no such layers; layers are 0 \(embeddings\) to 6"):
        choose_layers(wanted, last=6)


@given(st.lists(st.integers(0, 12), min_size=1))
def test_layers_come_as_they_are_named(numbers: list[int]) -> None:
    assert choose_layers(",".join(map(str, numbers)), last=12) == tuple(numbers)


def test_the_python_api(tiny: Path, expected: list[Any]) -> None:
    found = bertft.embed(TEXTS, model=str(tiny), layers="0", device="cpu")
    assert np.abs(found - np.stack([row[:, 0].mean(axis=0) for row in expected])).max() < 1e-5
    assert bertft.embed([], model=str(tiny)).shape == (0, 32)
    with pytest.raises(TypeError, match="takes a list of texts"):
        bertft.embed("a good film", model=str(tiny))


def test_a_run_is_read_with_its_own_length(trained: Path, command: Command) -> None:
    code, out, err = command("embed", "good " * 60, "--run", str(trained))
    assert code == 0, err
    assert json.loads(out)["truncated"] is True
    assert "longer than 32 tokens" in err
