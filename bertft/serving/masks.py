"""Texts with [MASK] behind a server: texts in, the tokens of ``bertft fill-mask`` for each mask
out, in the form of Hugging Face Inference."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from bertft.contracts import Answer, Pieces
from bertft.serving.models import Model
from bertft.serving.refused import Refused
from bertft.serving.service import Service, example

if TYPE_CHECKING:  # it brings torch, which a server of exports has not
    from bertft.inside.filling import Filler, MaskedText

MOST = 10_000
"""Tokens in the answer to one request: as many texts come with each."""


async def fills(
    service: Service, model: Model, texts: Sequence[str], *, top_k: int | None, targets: list[str]
) -> list[Answer]:
    """``masks``: for each mask of a text its tokens, and the text with each of them in its place.

    Raises:
        Refused: a target is no token of the model, or more are asked for than one answer has.
    """
    assert model.filler is not None
    among = await asyncio.to_thread(_ids, model.tokenizer, targets)
    check_count(model.filler, texts, top_k)
    examples = [example(model, (text,), place) for place, text in enumerate(texts, start=1)]
    if among:
        examples = [model.filler.example(one.text, id=one.id, among=among) for one in examples]
    return await service.finished(model, examples, partial(_filled, model.filler, top_k))


def check_count(filler: Filler, texts: Sequence[str], top_k: int | None) -> None:
    """Raises Refused where more tokens are asked for than one answer has."""
    asked = sum(map(filler.masks, texts)) * (top_k or 1)
    if asked > MOST:
        raise Refused(422, f"{asked:,} tokens are asked for, at most {MOST:,}: lower top_k")


def _ids(tokenizer: Any, targets: Sequence[str]) -> tuple[int, ...]:
    """Those of tokens that are compared, each once."""
    found = [_id(tokenizer, one) for one in targets]
    return tuple(dict.fromkeys(found))


def _id(tokenizer: Any, target: str) -> int:
    known = tokenizer.backend_tokenizer.token_to_id(target)
    ids = [known] if known is not None else tokenizer(target, add_special_tokens=False).input_ids
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        shown = target if len(target) < 40 else target[:40] + "…"
        raise Refused(422, f"parameters.targets: '{shown}' is no single token of this model")
    return int(ids[0])


def _filled(
    filler: Filler, top_k: int | None, examples: Sequence[MaskedText], pieces: list[Pieces]
) -> list[Answer]:
    pairs = zip(examples, pieces, strict=True)
    return [_of_text(filler, top_k, text, parts) for text, parts in pairs]


def _of_text(filler: Filler, top_k: int | None, text: MaskedText, parts: Pieces) -> Answer:
    ((one, _),) = parts
    best = filler.best(text, parts, top_k=top_k)
    places = [place for place, id in enumerate(one.input_ids) if id == filler.mask_id]

    def sequence(place: int, token: int) -> str:
        """As transformers shows it: of several masks the others stay, and the special tokens."""
        ids = list(one.input_ids)
        ids[place] = token
        return str(filler.tokenizer.decode(ids, skip_special_tokens=len(places) == 1))

    masks = [
        [
            {"score": p, "token": id, "token_str": filler.word(id), "sequence": sequence(place, id)}
            for id, p in tokens
        ]
        for place, tokens in zip(places, best, strict=True)
    ]
    return {"masks": masks, "truncated": one.dropped > 0}
