"""What a search is asked for; torch is not needed to say it."""

from __future__ import annotations

from dataclasses import dataclass

from bertft.inside.request import EncoderRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRequest:
    """What is searched, and with which encoder. Prompts None: as the folder says, or E5's."""

    files: tuple[str, ...]
    encoder: EncoderRequest
    prompt: str | None = None
    passage_prompt: str | None = None
    overrides: tuple[str, ...] = ()
    on_bad_row: str = ""
