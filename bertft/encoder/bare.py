"""A tokenizer of an exported model: texts in, token ids out, without transformers.

It takes what tasks ask of a tokenizer of transformers, and answers alike: below both is the same
``tokenizers.Tokenizer``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tokenizers import Encoding, Tokenizer

from bertft.encoder.word_cache import WordCache
from bertft.errors import ModelError, first_line

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Column: TypeAlias = "list[list[Any]]"


class Tokenized(dict[str, Column]):
    """Columns of token ids and so on, one row per text, and the ``encodings`` they are from."""

    def __init__(self, columns: dict[str, Column], encodings: Sequence[Encoding]) -> None:
        super().__init__(columns)
        self.encodings = encodings

    def sequence_ids(self, row: int) -> list[int | None]:
        """Which of two texts each token is of; None for special tokens."""
        found: list[int | None] = self.encodings[row].sequence_ids
        return found


@dataclass(frozen=True, slots=True)
class BareTokenizer:
    """``backend_tokenizer`` neither pads nor truncates of its own accord."""

    backend_tokenizer: Tokenizer
    model_input_names: tuple[str, ...]
    pad_token_id: int
    pad_token_type_id: int
    unk_token_id: int | None
    is_fast: bool = True
    words: WordCache | None = None
    """What remembers words, where that is worth it."""

    def __call__(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        add_special_tokens: bool = True,
        truncation: bool | str = False,
        max_length: int | None = None,
        padding: bool = False,
        return_attention_mask: bool = False,
        return_token_type_ids: bool | None = None,
        return_offsets_mapping: bool = False,
        verbose: bool = False,
    ) -> Tokenized:
        backend = self.backend_tokenizer
        asked: Any = list(texts) if pairs is None else list(zip(texts, pairs, strict=True))
        if truncation:
            assert truncation == "longest_first"
            assert max_length is not None
            backend.enable_truncation(max_length, strategy="longest_first")
        try:
            found = backend.encode_batch(asked, add_special_tokens=add_special_tokens)
        finally:
            if truncation:
                backend.no_truncation()
        columns: dict[str, Column] = {"input_ids": [one.ids for one in found]}
        has_types = "token_type_ids" in self.model_input_names
        if has_types if return_token_type_ids is None else return_token_type_ids:
            columns["token_type_ids"] = [one.type_ids for one in found]
        if return_offsets_mapping:
            columns["offset_mapping"] = [one.offsets for one in found]
        return Tokenized(columns, found)


def read_backend(file: Path) -> Tokenizer:
    """Raises ModelError where the file is no tokenizer."""
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises bare Exceptions
        raise ModelError(f"{file}: the tokenizer cannot be read ({first_line(error)})") from None


def write_backend(tokenizer: PreTrainedTokenizerBase, file: Path) -> None:
    """Save what a tokenizer of transformers runs, which is not always its folder's own file."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    backend.save(str(file))
