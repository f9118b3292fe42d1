"""Files of a run as they are written: whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from bertft.training.folders import flush


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """A text file to write that appears whole or not at all, in the place of an older one."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    flush(path.parent)


def write_json(path: Path, content: dict[str, Any]) -> None:
    with new_file(path) as file:
        file.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")
