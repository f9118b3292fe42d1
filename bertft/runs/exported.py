"""export.json: what a folder says of the exported (or static) model in it; beside it bertft.json,
which says what its answers are, as in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from bertft.errors import RunError
from bertft.runs.stored import Stored, first_fault, read_json

EXPORT = "export.json"
FORMAT = 1
"""Raised when an older bertft could not read a folder any more, or would answer otherwise."""
AGAIN = "make it again: bertft export"


class TokenizerFacts(Stored):
    """What tokenizer.json does not say."""

    inputs: list[str]
    pad_id: int
    pad_type_id: int
    unk_id: int | None


class Export(Stored):
    """What has to stand in export.json; there may be more."""

    format: int
    engine: Literal["onnx", "openvino", "static"]
    model: str
    precision: Literal["fp32", "int8"]
    per_token: bool
    inputs: list[str]
    tokenizer: TokenizerFacts
    decomposed_hangul: bool


def is_export(folder: Path) -> bool:
    return (folder / EXPORT).is_file()


def read_export(folder: Path) -> Export:
    """Raises RunError where the file is damaged, or of a newer bertft."""
    path = folder / EXPORT
    content: dict[str, Any] = read_json(path)
    found = content.get("format")
    if isinstance(found, int) and found > FORMAT:
        what = f"{path}: format {found}, and this bertft reads {FORMAT}"
        raise RunError(what, hint="take a newer bertft")
    try:
        return Export.model_validate(content)
    except ValidationError as error:
        raise RunError(f"{path}: not readable ({first_fault(error)})", hint=AGAIN) from None
