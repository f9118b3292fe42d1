"""Shared fixtures: a tiny random BERT with an English + Korean vocabulary, and no network."""

# ruff: noqa: SIM905 - word lists read best as one text

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from samples import FAST, Command, write_reviews

# Set before anything imports huggingface_hub: no test may reach for a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Set before anything imports torch: in a model this small, threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["bases", "running"]

WORDS = (
    "the a an is was it this that film movie food good bad great awful not never and but very "
    "happy sad love hate i you we they he she on in at of to for with no yes plot dull slow fun"
).split()
PIECES = "s ed ing ly er est un re".split()
KOREAN = "영화 정말 좋다 나쁘다 최고 최악 재미 있다 없다 너무 음식 맛".split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: the processes that share the files end together."""
    slow = {
        one.path for one in items if {"slow", "real"} & {mark.name for mark in one.iter_markers()}
    }
    items.sort(key=lambda one: one.path not in slow)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to anything but this machine fail."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Each test has a cache of its own."""
    monkeypatch.setenv("BERTFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random 2-layer, 32-wide BERT and its WordPiece tokenizer."""
    return make_tiny(tmp_path_factory.mktemp("tiny"), positions=64)


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT with both heads of its pre-training."""
    folder = tmp_path_factory.mktemp("pretrained")
    wide = {"initializer_range": 0.3}
    return make_tiny(folder, positions=64, kind="BertForPreTraining", seed=1, config=wide)


def make_tiny(
    folder: Path,
    *,
    positions: int,
    kind: str = "BertModel",
    seed: int = 0,
    config: Mapping[str, Any] | None = None,
) -> Path:
    """Save the tiny model into ``folder``; ``config`` are settings that differ."""
    import torch
    import transformers

    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    usual = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": positions,
        "pad_token_id": 0,
    }
    own = transformers.BertConfig(vocab_size=len(tokenizer), **(usual | dict(config or {})))
    getattr(transformers, kind)(own).save_pretrained(folder)
    return folder


def tiny_tokenizer(words: Sequence[str] = (*WORDS, *KOREAN)) -> Any:
    """It knows some words whole; all others it cuts into letters and the pieces of PIECES."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    characters = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?'-:;()\"")
    syllables = sorted(set("".join(KOREAN)) | set("은는이가을를도만의에서고"))
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    entries += characters + syllables
    entries += ["##" + piece for piece in [*PIECES, *characters[:36], *syllables]]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(entries))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=special
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        model_max_length=64,
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the real data sets. Tests that use it are marked ``real``."""
    folder = Path(os.environ.get("BERTFT_SHARED", Path(__file__).parents[2] / "shared")).resolve()
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"no real data at {folder}: CI must run these tests")
        pytest.skip(f"no real data at {folder} (BERTFT_SHARED names another place)")
    return folder


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Runs the command line in this process, in an empty folder: (exit code, stdout, stderr)."""
    from bertft.cli import app as cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["bertft", *arguments])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            gc.unfreeze()  # a command has a process of its own, this one goes on
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def reviews(tmp_path: Path) -> dict[str, Path]:
    """Small train, dev and test files with the labels good and bad."""
    return write_reviews(tmp_path)


@pytest.fixture(scope="session")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the tiny model; beside it the train.csv, dev.csv and test.csv it used."""
    return train_tiny(tmp_path_factory.mktemp("trained"), tiny)


def train_tiny(folder: Path, tiny: Path) -> Path:
    """Train the tiny model on the reviews: ``run`` and the data it used, in ``folder``."""
    from bertft.commands.train import train
    from bertft.jobs.request import TrainRequest

    files = {name: str(path) for name, path in write_reviews(folder).items()}
    run = folder / "run"
    settings = (*FAST, "training.epochs=8", "training.batch_size=4")
    # A seed with which so small a model does learn: its answers differ from text to text.
    request = TrainRequest(
        recipe="sentiment", overrides=settings, model=str(tiny), out=str(run), seed=17, **files
    )
    assert train(request) is not None
    return run
