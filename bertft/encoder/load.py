"""Encoders: a name goes in, a folder of safetensors + tokenizer (and then a model) comes out.

A name is a zoo alias, a Hub id, or a folder (a Hugging Face folder, or a run of ours). Nothing is
ever unpickled and no code from a hub is run.
"""

from __future__ import annotations

import json
import math
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertft.encoder.find import TOKENIZER_FILES, locate
from bertft.errors import ModelError, first_line
from bertft.settings import ModelSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SLACK = 20_000_000
"""Parameters of heads that a folder need not have."""
OFFSET_FAMILIES = {"roberta", "xlm-roberta", "camembert", "mpnet"}

WITHOUT_TORCH = {
    ("bert", "BertTokenizer"): "BertTokenizer",
    ("bert", "BertTokenizerFast"): "BertTokenizer",
    ("", "PreTrainedTokenizerFast"): "PreTrainedTokenizerFast",
    ("", "TokenizersBackend"): "PreTrainedTokenizerFast",
}
"""(kind of model or any, tokenizer_class of a folder) -> the class that AutoTokenizer chooses; it
imports torch, which takes seconds."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder on this machine: its folder, its tokenizer, and the exact source it came from."""

    name: str
    folder: Path
    revision: str
    tokenizer: PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a model that its weights must hold, because nothing will train it here."""

    model: str
    what: str
    hint: str

    def missing(self) -> ModelError:
        return ModelError(f"{self.model} carries no trained {self.what}", hint=self.hint)


def load_encoder(model: ModelSettings, *, offline: bool) -> Encoder:
    """Find the encoder, fetching it from the Hub where the name asks for that.

    Raises:
        ModelError: unknown name, unreachable Hub, incomplete folder, altered embedded weights.
    """
    folder, revision = locate(model, offline=offline)
    check_folder(folder)
    return Encoder(model.name, folder, revision, load_tokenizer(folder))


def load_reader(model: ModelSettings, *, offline: bool) -> Encoder:
    """As ``load_encoder``, for who only reads texts: weights are neither fetched nor asked for."""
    folder, revision = locate(model, offline=offline, wanted=TOKENIZER_FILES)
    check_folder(folder, weights=False)
    return Encoder(model.name, folder, revision, load_tokenizer(folder))


def check_folder(folder: Path, *, weights: bool = True) -> None:
    """Raise ModelError unless the folder holds a config, safetensors weights and a tokenizer."""
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no config.json", hint="give a Hugging Face model folder")
    if weights and not list(folder.glob("*.safetensors")):
        hint = "only safetensors are loaded, never pickles: make them once with 'hf download"
        hint += " ID --local-dir OLD' and 'bertft models convert OLD NEW'"
        raise ModelError(f"{folder}: no *.safetensors weights", hint=hint)
    _check_index(folder)
    vocabularies = ("tokenizer.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")
    if not any((folder / name).is_file() for name in vocabularies):
        hint = "copy tokenizer.json and tokenizer_config.json of the encoder into the folder"
        raise ModelError(f"{folder}: no tokenizer (tokenizer.json or vocab.txt)", hint=hint)


def _check_index(folder: Path) -> None:
    """Raise ModelError where an index of weights in several files leads to anything else."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    try:
        files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if all(name.endswith(".safetensors") and "/" not in name for name in files):
            return
        fault = "names files that are no safetensors of this folder"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        fault = f"not readable ({first_line(error)})"
    raise ModelError(f"{index}: {fault}", hint="fetch the model again")


def check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise ModelError when the tokenizer makes tokens that the model has no vector for."""
    table: Any = model.get_input_embeddings()
    size = int(table.weight.shape[0])
    last = max(tokenizer.get_vocab().values(), default=0)
    if last >= size:
        what = f"the tokenizer makes tokens up to {last}, the model knows {size}"
        raise ModelError(what, hint="take model and tokenizer from one folder")


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The fast tokenizer of a folder; offsets need a fast one."""
    _silence_transformers()
    try:
        tokenizer = _tokenizer_class(folder).from_pretrained(
            folder, local_files_only=True, use_fast=True, trust_remote_code=False
        )
    except Exception as error:  # transformers raises bare Exceptions for broken tokenizer files
        raise ModelError(
            f"{folder}: the tokenizer cannot be loaded ({first_line(error)})"
        ) from error
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        lacks = "no padding token" if tokenizer.is_fast else "no fast tokenizer"
        raise ModelError(f"{folder}: {lacks}", hint="choose an encoder from 'bertft models list'")
    found: PreTrainedTokenizerBase = tokenizer
    return found


def _silence_transformers() -> None:
    """It reports every new head weight and every tokenizer hint; ours are said by the console."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _tokenizer_class(folder: Path) -> Any:
    """The class that AutoTokenizer would choose; AutoTokenizer itself where that is not plain."""
    import transformers

    try:
        kind, name = (
            json.loads((folder / file).read_text(encoding="utf-8")).get(key, "")
            for file, key in (
                ("config.json", "model_type"),
                ("tokenizer_config.json", "tokenizer_class"),
            )
        )
        known = WITHOUT_TORCH.get((kind, name), WITHOUT_TORCH.get(("", name), ""))
    except (OSError, ValueError, AttributeError, TypeError):
        known = ""  # AutoTokenizer knows other ways, or says what is wrong
    is_plain = known and (folder / "tokenizer.json").is_file()
    return getattr(transformers, known if is_plain else "AutoTokenizer")


def load_model(
    auto_class: Any,
    folder: Path,
    *,
    settings: dict[str, Any],
    trained: bool = False,
    needed: Part | None = None,
) -> PreTrainedModel:
    """A model of ``auto_class`` with float32 master weights; ``settings`` go into its config.

    A head or pooler that the folder lacks is made anew, at random, unless the model is to answer as
    it was ``trained``, or the part is ``needed``.

    Raises:
        ModelError: the file is damaged, weights are missing or of another shape, or it lacks what
            is needed.
    """
    import torch
    from transformers import PreTrainedModel

    _silence_transformers()
    try:
        if needed is not None and not _has_class(auto_class, folder):
            raise needed.missing()
        _check_size(auto_class, folder)
        model, info = auto_class.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **settings,
        )
    except ModelError:
        raise
    except Exception as error:  # transformers builds what config.json says, whatever it says
        raise ModelError(f"{folder}: cannot be loaded ({first_line(error)})") from error
    prefix = "" if model.base_model is model else model.base_model_prefix + "."
    lost = [
        key
        for key in info["missing_keys"]
        if trained or (key.startswith(prefix) and "pooler" not in key)
    ]
    if lost:
        raise ModelError(f"{folder}: the weights lack {len(lost)} tensors, e.g. {min(lost)}")
    # Only a head may be of another shape: that of another task, made anew for this one.
    unfit = [key for key, *_ in info["mismatched_keys"] if trained or key.startswith(prefix)]
    if unfit:
        hint = "config.json belongs to another model"
        raise ModelError(f"{folder}: the shape of {unfit[0]} is not config.json's", hint=hint)
    if needed is not None and (info["missing_keys"] or info["mismatched_keys"]):
        raise needed.missing()
    assert isinstance(model, PreTrainedModel)
    return model


def _has_class(auto_class: Any, folder: Path) -> bool:
    """Whether transformers has a model of this kind for the folder's architecture."""
    return type(read_config(folder)) in auto_class._model_mapping


def _check_size(auto_class: Any, folder: Path) -> None:
    """Raise ModelError where config.json describes a far larger model than the weights are.

    transformers would make the rest anew, in memory that no machine may have.
    """
    import torch
    from safetensors import safe_open

    sizes = []
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            sizes += [math.prod(file.get_slice(name).get_shape()) for name in names]
    config = read_config(folder)
    hint = "config.json belongs to another model"
    if getattr(config, "num_hidden_layers", 0) > len(sizes):
        what = f"config.json says {config.num_hidden_layers} layers, there are {len(sizes)} tensors"
        raise ModelError(f"{folder}: {what}", hint=hint)
    with torch.device("meta"):  # shapes alone
        model = auto_class.from_config(config, trust_remote_code=False)
    told = sum(one.numel() for one in model.parameters())
    if told > 2 * sum(sizes) + SLACK:
        what = f"config.json says {told / 1e6:,.0f} M parameters, the weights are"
        raise ModelError(f"{folder}: {what} {sum(sizes) / 1e6:,.1f} M", hint=hint)


def read_config(folder: Path) -> Any:
    """What config.json says. Raises ModelError where it cannot be used."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers checks little of what config.json says
        what = f"{folder}: config.json cannot be used ({first_line(error)})"
        raise ModelError(what) from error


def positions_of(encoder_folder: Path) -> int | None:
    """Tokens that the encoder can read at once; None where nothing limits them."""
    config = read_config(encoder_folder)
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None:
        return None
    try:
        # RoBERTa counts positions from pad_token_id + 1, so that many of them are never used.
        unused = config.pad_token_id + 1 if config.model_type in OFFSET_FAMILIES else 0
        return int(positions) - unused
    except (TypeError, ValueError) as error:
        what = f"{encoder_folder}: config.json cannot be used ({first_line(error)})"
        raise ModelError(what) from error


def check_length(encoder_folder: Path, length: int) -> None:
    """Raise ModelError if the encoder has no positions for ``length`` tokens."""
    positions = positions_of(encoder_folder)
    if positions is not None and length > positions:
        hint = f"--set model.max_length={positions}"
        what = f"model.max_length is {length}, but the encoder has {positions}"
        raise ModelError(what, hint=hint)


def decomposes_hangul(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer splits Hangul syllables into jamo (NFD), as uncased English BERT does.

    Such pieces are far more numerous and were never seen in pre-training.
    """
    normalizer = getattr(tokenizer.backend_tokenizer, "normalizer", None)
    if normalizer is None:
        return False
    normalized = normalizer.normalize_str("한국")
    is_jamo = ["HANGUL" in unicodedata.name(c, "") for c in normalized]
    return (
        len(normalized) > 2
        and any(is_jamo)
        and normalized != unicodedata.normalize("NFC", normalized)
    )
