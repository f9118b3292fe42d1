"""What verbs that look inside an encoder are asked for; torch is not needed to say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bertft.prediction.texts import TextRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderRequest:
    """Which encoder; ``run`` goes before ``model``, and the embedded default after both."""

    model: str = ""
    run: str = ""
    max_length: int | None = None
    device: str = "auto"
    precision: str = "fp32"
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainRequest:
    """What ``bertft explain`` is asked for.

    ``texts`` are arguments of the command line, ``records`` what Python gives instead (as
    ``Predictor.predict`` takes it).
    ``encoder`` names a run, whose answers are explained, or a model, which has attention only.
    ``baseline`` (mask or pad) stands for "no word". ``delete`` words are taken out to test an
    explanation; None is a fifth of them, and ``draws`` random choices are compared.
    """

    encoder: EncoderRequest
    texts: TextRequest = field(default_factory=lambda: TextRequest(arguments=()))
    records: Sequence[str | Mapping[str, Any]] | None = None
    question: str = ""
    label: str = ""
    word: str = ""
    steps: int = 32
    baseline: str = "mask"
    delete: int | None = None
    draws: int = 10
    attention: bool = False
    out: str = ""
    overwrite: bool = False
