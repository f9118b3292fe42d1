"""Hidden states and pre-training heads: the figures of plain transformers, packed or padded."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from conftest import tiny_tokenizer
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForNextSentencePrediction,
    AutoTokenizer,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    RobertaConfig,
)

from bertft.contracts import Encoded, Readout
from bertft.encoder.load import load_tokenizer
from bertft.encoder.packing import Packer, Padder
from bertft.encoder.pieces import Frame
from bertft.encoder.zoo import find
from bertft.errors import ModelError
from bertft.heads.hidden import HiddenStates, PoolerOutput
from bertft.heads.pretraining import (
    EXAMPLES,
    MaskedTokens,
    NextSentence,
    likelihood_of,
    most_probable,
)
from bertft.inside.hidden import Extractor, masked_copies
from bertft.training.runtime import Runtime

TEXTS = [
    "a good film",
    "",
    "영화 정말 최고",
    "i hate it . the plot is slow and very dull , but the food was never bad",
    "no",
]
MASKED = [
    "a [MASK] film",
    "no mask here",
    "the [MASK] was [MASK] and [MASK] , we love it",
    "[MASK]",
]
CPU = Runtime("cpu", "fp32", "a test", 1)
SMALL: dict[str, Any] = {
    "vocab_size": len(tiny_tokenizer()),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
DISTIL = {
    "dim": 32,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 64,
    "max_position_embeddings": 64,
    "vocab_size": SMALL["vocab_size"],
}
MODERN = {**SMALL, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
CONFIGS: dict[str, Any] = {
    "Bert": BertConfig(**SMALL),
    "Roberta": RobertaConfig(**SMALL, type_vocab_size=2),
    "DistilBert": DistilBertConfig(**DISTIL),
    "Electra": ElectraConfig(**SMALL, embedding_size=16),
    "Albert": AlbertConfig(**SMALL, embedding_size=16),
    "ModernBert": ModernBertConfig(**MODERN),
    "DebertaV2": DebertaV2Config(**SMALL, relative_attention=True, pos_att_type=["p2c", "c2p"]),
}
Saved = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Folder of a random model: family and class, e.g. ``saved("Bert", "ForMaskedLM")``."""
    made: dict[tuple[str, str], Path] = {}

    def make(family: str, kind: str) -> Path:
        if (family, kind) not in made:
            folder = tmp_path_factory.mktemp(f"{family}{kind}")
            torch.manual_seed(5)
            model = getattr(transformers, family + kind)(CONFIGS[family])
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(torch.randn_like(parameter) * 0.2)
            model.save_pretrained(folder)
            tiny_tokenizer().save_pretrained(folder)
            made[family, kind] = folder
        return made[family, kind]

    return make


def extractor(folder: Path, readout: Readout) -> Extractor:
    return Extractor(folder, load_tokenizer(folder), readout=readout, max_length=16, runtime=CPU)


def plain(model: Any, folder: Path, *texts: str, **settings: Any) -> Any:
    """One text (or pair) through transformers, as its documentation does it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer([texts[0]], [texts[1]] if len(texts) > 1 else None, return_tensors="pt",
                       truncation=True, max_length=16)  # fmt: skip
    if "token_type_ids" not in inspect.signature(model.forward).parameters:
        inputs.pop("token_type_ids", None)
    with torch.no_grad():
        return model.eval()(**inputs, **settings), inputs


@pytest.mark.parametrize("family", CONFIGS)
def test_every_layer_is_that_of_transformers(saved: Saved, family: str) -> None:
    folder = saved(family, "Model")
    model = AutoModel.from_pretrained(folder)
    found = extractor(folder, HiddenStates((0, 1, 2)))
    rows = found.read(found.encode(TEXTS))
    last = extractor(folder, HiddenStates())
    for text, row, final in zip(TEXTS, rows, last.read(last.encode(TEXTS)), strict=True):
        output, _ = plain(model, folder, text, output_hidden_states=True)
        expected = torch.cat(output.hidden_states).permute(1, 0, 2).numpy()  # [L, n, H]
        assert row.shape == expected.shape
        assert np.abs(row - expected).max() < 1e-5
        assert np.abs(final - expected[:, -1]).max() < 1e-5
    if family in ("Bert", "Roberta", "DistilBert", "Electra"):
        assert isinstance(found.batcher, Packer)


@pytest.mark.parametrize("pooling", ["first", "mean", "max"])
def test_pooling_is_over_all_tokens_of_a_text(saved: Saved, pooling: Any) -> None:
    folder = saved("Bert", "Model")
    model = AutoModel.from_pretrained(folder)
    found = extractor(folder, HiddenStates((0, 2), "none", pooling))
    for text, row in zip(TEXTS, found.read(found.encode(TEXTS)), strict=True):
        output, _ = plain(model, folder, text, output_hidden_states=True)
        states = torch.cat(output.hidden_states)[[0, 2]]  # [n, L, H]
        expected = {"first": states[:, 0], "mean": states.mean(1), "max": states.amax(1)}[pooling]
        assert np.abs(row - expected.numpy()).max() < 1e-5


def test_layers_are_combined(saved: Saved) -> None:
    folder = saved("Bert", "Model")
    all_layers = extractor(folder, HiddenStates((0, 1, 2)))
    encoded = all_layers.encode(TEXTS)
    states = all_layers.read(encoded)
    mean = all_layers.read(encoded, readout=HiddenStates((0, 1, 2), "mean"))
    joined = all_layers.read(encoded, readout=HiddenStates((0, 1, 2), "concat"))
    for row, one, other in zip(states, mean, joined, strict=True):
        assert np.allclose(one, row.mean(axis=1), atol=1e-6)
        assert np.array_equal(other, row.reshape(len(row), -1))


@pytest.mark.parametrize("family", ["Bert", "Roberta", "Albert"])
def test_the_pooler_is_that_of_transformers(saved: Saved, family: str) -> None:
    folder = saved(family, "Model")
    model = AutoModel.from_pretrained(folder)
    found = extractor(folder, PoolerOutput("it"))
    for text, row in zip(TEXTS, found.read(found.encode(TEXTS)), strict=True):
        expected = plain(model, folder, text)[0].pooler_output[0].numpy()
        assert np.abs(row - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("family", "kind"), [("DistilBert", "Model"), ("ModernBert", "Model"), ("Bert", "ForMaskedLM")]
)
def test_no_pooler_is_invented(saved: Saved, family: str, kind: str) -> None:
    with pytest.raises(ModelError, match=r"it carries no trained pooler; .*cls_before_pooler"):
        extractor(saved(family, kind), PoolerOutput("it"))


def test_missing_encoder_weights_are_refused_without_a_head(saved: Saved, tmp_path: Path) -> None:
    """A bare encoder has no prefix that tells its tensors from a head's."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(saved("Bert", "Model"), tmp_path / "lacking"))
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lack 1 tensors"):
        extractor(folder, HiddenStates())


@pytest.mark.parametrize("family", CONFIGS)
def test_masks_are_filled_as_by_transformers(saved: Saved, family: str) -> None:
    folder = saved(family, "ForMaskedLM")
    model = AutoModelForMaskedLM.from_pretrained(folder)
    mask_id = load_tokenizer(folder).mask_token_id
    assert isinstance(mask_id, int)
    head = MaskedTokens("it", mask_id)
    found = extractor(folder, head)
    encoded = found.encode(MASKED)
    best = found.read(encoded, readout=replace(head, reduce=most_probable(3)))
    for text, row, top in zip(MASKED, found.read(encoded), best, strict=True):
        output, inputs = plain(model, folder, text)
        logits = output.logits[0][inputs["input_ids"][0] == mask_id]
        expected = logits.log_softmax(dim=-1).numpy()  # [m, V]
        assert row.shape == expected.shape == (text.count("[MASK]"), SMALL["vocab_size"])
        assert np.abs(row - expected).max(initial=0) < 1e-5
        assert np.array_equal(top[:, :, 1], np.argsort(-row, axis=1)[:, :3])
    if family == "Bert":
        assert isinstance(found.batcher, Packer)
    if family == "DebertaV2":
        assert isinstance(found.batcher, Padder)


def test_the_likelihood_of_each_token_given_the_others(saved: Saved) -> None:
    folder = saved("Bert", "ForMaskedLM")
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    tokenizer = load_tokenizer(folder)
    mask_id = tokenizer.mask_token_id
    assert isinstance(mask_id, int)
    head = MaskedTokens("it", mask_id)
    found = extractor(folder, head)
    (one,) = found.encode([TEXTS[0]])
    copies, wanted = masked_copies(one, Frame.of(tokenizer), mask_id=mask_id)
    assert wanted == list(one.input_ids)[1:-1]
    values = found.read(copies, readout=replace(head, reduce=likelihood_of(wanted)))
    for place, (token, value) in enumerate(zip(wanted, values, strict=True), start=1):
        ids = torch.tensor([list(one.input_ids)])
        ids[0, place] = mask_id
        with torch.no_grad():
            expected = model(input_ids=ids).logits[0, place].log_softmax(dim=-1)[token]
        assert float(value[0]) == pytest.approx(float(expected), abs=1e-5)


def test_next_sentences_are_judged_as_by_transformers(saved: Saved) -> None:
    folder = saved("Bert", "ForPreTraining")
    model = AutoModelForNextSentencePrediction.from_pretrained(folder)
    tokenizer = load_tokenizer(folder)
    found = extractor(folder, NextSentence("it"))
    assert isinstance(found.batcher, Packer)
    pairs = [("a good film", "i love it"), ("no", ""), ("very dull", "the food was great")]
    inputs: Any = tokenizer([a for a, _ in pairs], [b for _, b in pairs])
    rows = zip(inputs["input_ids"], inputs["token_type_ids"], strict=True)
    encoded = [Encoded(ids, types, i) for i, (ids, types) in enumerate(rows)]
    for pair, row in zip(pairs, found.read(encoded), strict=True):
        expected = plain(model, folder, *pair)[0].logits[0].numpy()
        assert np.abs(row - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("family", "kind", "readout", "what"),
    [
        ("Bert", "Model", MaskedTokens("it", 4), "masked-LM head"),
        ("Electra", "Model", MaskedTokens("it", 4), "masked-LM head"),
        ("Bert", "Model", NextSentence("it"), "next-sentence head"),
        ("Bert", "ForMaskedLM", NextSentence("it"), "next-sentence head"),
        ("Roberta", "ForMaskedLM", NextSentence("it"), "next-sentence head"),
    ],
)
def test_no_head_is_invented(
    saved: Saved, family: str, kind: str, readout: Readout, what: str
) -> None:
    with pytest.raises(
        ModelError, match=f"^it carries no trained {what}; choose another model: bert-"
    ):
        extractor(saved(family, kind), readout)


def test_the_models_named_in_a_refusal_are_in_the_zoo() -> None:
    assert all(find(name) for names in EXAMPLES.values() for name in names)
