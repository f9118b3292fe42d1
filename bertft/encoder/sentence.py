"""How a model folder wants its sentences embedded: its files go in, a SentenceRule comes out.

sentence-transformers writes these files: ``modules.json`` lists the steps,
``1_Pooling/config.json`` the pooling, ``sentence_bert_config.json`` the longest input, and
``config_sentence_transformers.json`` what is put before each text. ``write_rule`` writes them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bertft.errors import ModelError

Pooling = Literal["cls", "mean", "max", "cls_before_pooler"]

# What sentence-transformers calls cls is the first token's last state, before any pooler.
_NAMES: dict[str, Pooling] = {"cls": "cls_before_pooler", "mean": "mean", "max": "max"}
_OLD_NAMES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True, slots=True)
class SentenceRule:
    """Pooling, L2 normalisation, longest input (None: not said) and the prompt before a text.

    ``query`` and ``passage`` are the prompts of a search, None where the folder does not say; where
    it names both, "" is none.
    ``given`` is False for a folder that says nothing, which gets the mean of its tokens.
    """

    pooling: Pooling = "mean"
    normalize: bool = False
    max_length: int | None = None
    prompt: str = ""
    given: bool = False
    query: str | None = None
    passage: str | None = None


def sentence_rule(folder: Path) -> SentenceRule:
    """The rule of a folder. Raises ModelError for files or steps that cannot be followed."""
    modules = folder / "modules.json"
    if not modules.is_file():
        return SentenceRule()
    pooling: Pooling = "mean"
    normalize = False
    steps = _read(modules)
    if not isinstance(steps, list) or not all(isinstance(one, dict) for one in steps):
        raise _unknown(modules, "what is in it")
    for module in steps:
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind == "Pooling":
            pooling = _pooling(folder / str(module.get("path", "")) / "config.json")
        elif kind == "Normalize":
            normalize = True
        elif kind != "Transformer":
            raise _unknown(modules, f"the step {kind}")
    length = _optional(folder / "sentence_bert_config.json").get("max_seq_length")
    settings = _optional(folder / "config_sentence_transformers.json")
    found, name = settings.get("prompts"), settings.get("default_prompt_name")
    prompts = {key: str(text) for key, text in found.items()} if isinstance(found, dict) else {}
    query, passage = prompts.get("query"), prompts.get("passage")
    if passage is None:  # sentence-transformers writes "" for both where nobody named any
        query, passage = query or None, prompts.get("document") or None
    return SentenceRule(
        pooling,
        normalize,
        length if isinstance(length, int) else None,
        prompts.get(name, "") if isinstance(name, str) else "",
        given=True,
        query=query,
        passage=passage,
    )


def prompts_of(name: str, rule: SentenceRule) -> tuple[str, str]:
    """What is put before a question and before a passage: as the folder says, else as E5 wants it
    where a model is called so, else as before every text."""
    query, passage = rule.query, rule.passage
    if "e5" in re.split(r"[^a-z0-9]+", Path(name).name.lower()):
        query = "query: " if query is None else query
        passage = "passage: " if passage is None else passage
    return (
        rule.prompt if query is None else query,
        rule.prompt if passage is None else passage,
    )


def write_rule(folder: Path, rule: SentenceRule, *, width: int) -> None:
    """Write the files that ``sentence_rule`` and sentence-transformers read; ``width`` is that of
    the hidden states."""
    steps = ["Transformer", "Pooling", *["Normalize"] * rule.normalize]
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": f"{number}_{step}" if number else "",
            "type": f"sentence_transformers.models.{step}",
        }
        for number, step in enumerate(steps)
    ]
    modes = {old: _NAMES.get(mode) == rule.pooling for old, mode in _OLD_NAMES.items()}
    prompts = {"query": rule.query or "", "passage": rule.passage or ""}
    _write(folder / "modules.json", modules)
    (folder / "1_Pooling").mkdir(exist_ok=True)
    _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width, **modes})
    if rule.max_length is not None:
        _write(folder / "sentence_bert_config.json", {"max_seq_length": rule.max_length})
    _write(
        folder / "config_sentence_transformers.json",
        {
            "prompts": {**prompts, "document": prompts["passage"]},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _pooling(path: Path) -> Pooling:
    settings = _optional(path)
    found = settings.get("pooling_mode")
    modes = [found] if isinstance(found, str) else list(found or ())
    modes = modes or [new for old, new in _OLD_NAMES.items() if settings.get(old)] or ["mean"]
    if len(modes) > 1 or modes[0] not in _NAMES:
        raise _unknown(path, f"pooling {' + '.join(map(str, modes))}")
    return _NAMES[modes[0]]


def _unknown(path: Path, what: str) -> ModelError:
    return ModelError(f"{path}: {what} is not known here", hint="choose with --pooling, e.g. mean")


def _optional(path: Path) -> dict[str, Any]:
    found = _read(path) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path}: not readable ({error})", hint="download the model anew"
        ) from None
