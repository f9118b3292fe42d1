"""The learning heads of pre-training: their losses are those of transformers, packed or padded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import tiny_tokenizer
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining

from bertft.contracts import Encoded
from bertft.encoder.packing import Packer, Padder, choose_batcher
from bertft.errors import ModelError
from bertft.heads.masking import PretrainingHead, new_parts
from bertft.tasks.masks import make_masker

TOKENIZER = tiny_tokenizer()
TEXTS = [
    ("the film is good", "i love it"),
    ("a bad plot", "no fun at all and very dull"),
    ("영화 정말 좋다", None),
    ("great", "food"),
]
TARGETS = [0, 1, None, 1]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(TOKENIZER), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    BertForPreTraining(config).save_pretrained(folder)
    return folder


@pytest.fixture
def rows() -> list[Encoded]:
    masker = make_masker(TOKENIZER, share=0.4, whole_words=False)
    found = []
    for number, (pair, target) in enumerate(zip(TEXTS, TARGETS, strict=True)):
        ids = TOKENIZER(*[text for text in pair if text])
        one = Encoded(ids["input_ids"], ids["token_type_ids"], number, target=target)
        found.append(masker(one, (number,)))
    return found


def peer(base: Path, rows: list[Encoded]) -> Any:
    """What transformers says of the same masked batch."""
    batch = Padder(0, 0)(rows, range(len(rows)), head=None).inputs
    labels = torch.full_like(batch["input_ids"], -100)
    for number, one in enumerate(rows):
        assert one.masked is not None
        labels[number, list(one.masked.places)] = torch.tensor(list(one.masked.tokens))
    kinds = torch.tensor([-100 if one.target is None else one.target for one in rows])
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    model = BertForPreTraining.from_pretrained(base).eval()
    output = model(**inputs, labels=labels, next_sentence_label=kinds)
    return model, output, labels, kinds


@pytest.mark.parametrize("packed", [True, False])
def test_losses_and_gradients_are_those_of_transformers(
    base: Path, rows: list[Encoded], packed: bool
) -> None:
    theirs, expected, labels, kinds = peer(base, rows)
    head = PretrainingHead()
    model: Any = head.build(base).eval()
    batcher: Any = choose_batcher(model, TOKENIZER, head=head)
    assert isinstance(batcher, Packer)
    if not packed:
        model = head.build(base).eval()
        batcher = Padder(0, 0)
    batch = batcher(rows, range(len(rows)), head=head)
    assert batch.targets is not None
    output = model(**batch.on(model.device))
    assert output.prediction_logits.shape[:2] == (1, int((labels >= 0).sum()))  # never [T, V]
    losses = head.loss(output, batch.targets)
    counts = head.count(batch.targets)
    assert counts.tolist() == [int((labels >= 0).sum()), 3]
    tokens = functional.cross_entropy(expected.prediction_logits.flatten(0, 1), labels.flatten())
    pairs = functional.cross_entropy(expected.seq_relationship_logits, kinds)
    torch.testing.assert_close(losses / counts, torch.stack([tokens, pairs]), rtol=1e-5, atol=1e-5)
    total = (losses / counts).sum()
    torch.testing.assert_close(total, expected.loss, rtol=1e-5, atol=1e-5)
    total.backward()
    expected.loss.backward()
    for (name, one), other in zip(model.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5, msg=name)


@torch.no_grad()
@pytest.mark.parametrize("packed", [True, False])
def test_what_is_read_of_each_sequence(base: Path, rows: list[Encoded], packed: bool) -> None:
    _, expected, labels, _ = peer(base, rows)
    head = PretrainingHead()
    model = head.build(base).eval()
    batcher: Any = choose_batcher(model, TOKENIZER, head=head) if packed else Padder(0, 0)
    batch = batcher(rows, range(len(rows)), head=None)
    parts = head.split(model(**batch.on(model.device)), batch)
    for index, part in zip(batch.encoded, parts, strict=True):
        one = rows[index]
        assert part.shape == (len(one), 2)
        torch.testing.assert_close(
            torch.from_numpy(part[0]), expected.seq_relationship_logits[index]
        )
        likely = expected.prediction_logits[index].log_softmax(dim=-1)
        assert one.masked is not None
        for place, token in zip(one.masked.places, one.masked.tokens, strict=True):
            assert part[place, 0] == pytest.approx(float(likely[place, token]), abs=1e-4)
            assert bool(part[place, 1]) == (int(likely[place].argmax()) == token)
    assert (labels >= 0).sum() > 5


def test_without_pairs_in_a_batch_only_tokens_count(base: Path, rows: list[Encoded]) -> None:
    head = PretrainingHead()
    targets = head.targets([rows[2]], length=None)
    assert head.count(targets).tolist() == [len(rows[2].masked.places), 0]  # type: ignore[union-attr]
    model = head.build(base).eval()
    batch = Padder(0, 0)([rows[2]], [0], head=head)
    losses = head.loss(model(**batch.on(model.device)), targets)
    assert float(losses[1].detach()) == 0.0


def test_the_output_layer_shares_the_word_embeddings(base: Path) -> None:
    model: Any = PretrainingHead().build(base)
    words = model.bert.embeddings.word_embeddings.weight
    assert model.cls.predictions.decoder.weight is words


def without(base: Path, folder: Path, part: str) -> Path:
    """The same weights but those of a part."""
    folder.mkdir()
    weights = load_file(base / "model.safetensors")
    kept = {name: one for name, one in weights.items() if part not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_bytes((base / "config.json").read_bytes())
    return folder


def test_heads_that_weights_lack_are_told(base: Path, tmp_path: Path) -> None:
    assert new_parts(base, pairs=True) == []
    one = without(base, tmp_path / "a", "seq_relationship")
    assert new_parts(one, pairs=True) == ["next-sentence head"]
    assert new_parts(one, pairs=False) == []
    both = without(base, tmp_path / "b", "cls.")
    assert new_parts(both, pairs=True) == ["masked-LM head", "next-sentence head"]


def test_a_head_that_is_there_is_kept(base: Path, tmp_path: Path) -> None:
    """Going on without pairs loses no next-sentence head, and makes none that nothing trains."""
    kept: Any = PretrainingHead(pairs=False).build(base)
    was = BertForPreTraining.from_pretrained(base)
    assert torch.equal(kept.cls.seq_relationship.weight, was.cls.seq_relationship.weight)
    one = without(base, tmp_path / "a", "seq_relationship")
    assert isinstance(PretrainingHead(pairs=False).build(one), BertForMaskedLM)


def test_other_families_have_no_pairs(base: Path, tmp_path: Path) -> None:
    folder = without(base, tmp_path / "a", "nothing")
    text = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(text.replace('"bert"', '"roberta"'), encoding="utf-8")
    with pytest.raises(ModelError, match="roberta models have no next-sentence head"):
        PretrainingHead().build(folder)
