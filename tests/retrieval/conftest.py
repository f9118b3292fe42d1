"""A folder of small documents, and what opens an index of them with the tiny model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from running import Ear

from bertft.inside.request import EncoderRequest
from bertft.retrieval.index import Index, open_index
from bertft.retrieval.request import IndexRequest


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    texts = {
        "film.txt": "we love this film .\n\nthe plot is slow and the food was great .\n",
        "food.md": "# food\n\nthe food was awful and they hate it .\n",
        "faq.csv": "question,answer\nis the film fun ?,yes it is very fun\n정말 재미 있다 ?,최고\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def opened(tiny: Path, ear: Ear) -> Callable[..., Index]:
    """Opens the index of some files; what it says is in ``ear.notes``."""

    def open_(*files: str | Path, **fields: object) -> Index:
        ear.notes.clear()
        encoder = EncoderRequest(model=str(tiny), device="cpu")
        request = IndexRequest(files=tuple(map(str, files)), encoder=encoder, **fields)
        return open_index(request, watch=ear)

    return open_
