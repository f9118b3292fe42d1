"""Shared fixtures: a tiny random BERT with an English + Korean vocabulary, and no network."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

# Set before anything imports huggingface_hub: no test may reach for a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

WORDS = (
    "the a an is was it this that film movie food good bad great awful not never and but very "
    "happy sad love hate i you we they he she on in at of to for with no yes plot dull slow fun"
).split()
PIECES = "s ed ing ly er est un re".split()
KOREAN = "영화 정말 좋다 나쁘다 최고 최악 재미 있다 없다 너무 음식 맛".split()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to anything but this machine fail."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random 2-layer, 32-wide BERT and its WordPiece tokenizer."""
    return make_tiny(tmp_path_factory.mktemp("tiny"), positions=64)


def make_tiny(folder: Path, *, positions: int) -> Path:
    """Save the tiny model into ``folder``."""
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        pad_token_id=0,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def tiny_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    characters = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?'-:;()\"")
    syllables = sorted(set("".join(KOREAN)) | set("은는이가을를도만의에서고"))
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *KOREAN]
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


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Command]:
    """Runs the command line in this process, in an empty folder: (exit code, stdout, stderr)."""
    from bertft import cli

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
        out, err = capsys.readouterr()
        return code, out, err

    yield call


def write_csv(path: Path, rows: Sequence[tuple[str, str]], *, header: str = "text,label") -> Path:
    """A small CSV; texts must not hold commas or quotes."""
    path.write_text("\n".join([header, *(f"{a},{b}" for a, b in rows)]) + "\n", encoding="utf-8")
    return path


GOOD = ["a good film", "i love it", "great fun", "very good food", "happy and fun", "never dull"]
BAD = ["a bad film", "i hate it", "awful and dull", "very bad food", "sad and slow", "not good"]


@pytest.fixture
def reviews(tmp_path: Path) -> dict[str, Path]:
    """Small train, dev and test files with the labels good and bad."""
    rows = [(text, "good") for text in GOOD] + [(text, "bad") for text in BAD]
    return {
        name: write_csv(tmp_path / f"{name}.csv", rows * times)
        for name, times in (("train", 4), ("dev", 1), ("test", 2))
    }
