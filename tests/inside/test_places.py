"""The tokens of every window stand where the tasks' own encoding took them from."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import tiny_tokenizer

from bertft.inside.places import locate
from bertft.tasks import make_task

LONG = (
    "the film is good . 영화 정말 좋다 ! the the the plot is dull and slow , I love é food ; " * 3
)


@pytest.mark.parametrize(
    ("task", "record", "parts"),
    [
        ({"name": "classification"}, LONG, ["text"]),
        ({"name": "classification", "long_text": "head_tail"}, LONG, ["text"]),
        ({"name": "classification", "long_text": "windows", "window_overlap": 5}, LONG, ["text"]),
        ({"name": "nli"}, {"premise": LONG, "hypothesis": "a film"}, ["premise", "hypothesis"]),
        ({"name": "ner", "window_overlap": 5}, LONG, ["text"]),
        (
            {"name": "qa", "window_overlap": 5},
            {"question": "is it good ?", "context": LONG},
            ["question", "context"],
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("length", [18, 32, 256])
def test_tokens_are_found_in_the_text(
    task: dict[str, Any], record: Any, parts: list[str], length: int
) -> None:
    tokenizer = tiny_tokenizer()
    bound = make_task(task)
    encoded = bound.encode([bound.example(record, id="1")], tokenizer, max_length=length)
    texts = {name: record if isinstance(record, str) else record[name] for name in parts}
    overlap = bound.options.window_overlap  # type: ignore[attr-defined]
    windows = locate(encoded, texts, tokenizer, overlap=overlap)
    seen: set[tuple[Any, ...]] = set()
    for one, window in zip(encoded, windows, strict=True):
        tokens = tokenizer.convert_ids_to_tokens(list(one.input_ids))
        for token, place in zip(tokens, window.places(), strict=True):
            if place is None:
                assert token in ("[CLS]", "[SEP]")
                continue
            name, start, end = place
            assert token.removeprefix("##") in (texts[name][start:end].lower(), "[UNK]")
            seen.add(tuple(place))
        if one.offsets is not None:
            rows = window.offsets[parts[-1]]
            answering = one.offsets[:, 1] > 0
            assert (rows[answering, 0] == one.offsets[answering, 0]).all()
    if len(encoded) > 1:
        last = parts[-1]
        assert {place[1] for place in seen if place[0] == last} >= {0, LONG.rindex(";")}
