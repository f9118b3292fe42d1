"""The tiny model of sentiment behind a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import Live, serving


@pytest.fixture(scope="module")
def live(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Called ``film``."""
    with serving({"film": trained}, tmp_path_factory.mktemp("served")) as found:
        yield found
