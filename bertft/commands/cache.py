"""cache: what features mode keeps on disk, listed and cleared."""

from __future__ import annotations

import time
from typing import Any

from bertft.jobs.state_cache import cached_files


def show_cache() -> list[dict[str, Any]]:
    """Name, size and last use of each file, the one used last at the end."""
    return [
        {
            "states": path.name,
            "size": f"{path.stat().st_size / 2**20:,.1f} MiB",
            "used": time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime)),
        }
        for path in cached_files()
    ]


def clear_cache() -> tuple[int, int]:
    """Remove all files; (how many, their bytes). Nothing else in the folder is touched."""
    files = cached_files()
    size = sum(path.stat().st_size for path in files)
    for path in files:
        path.unlink(missing_ok=True)
    return len(files), size
