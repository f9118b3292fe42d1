"""cache: what features mode and search keep on disk, listed and cleared."""

from __future__ import annotations

import time
from typing import Any

from bertft.cache_folder import cached_files, cached_size, remove_cached


def show_cache() -> list[dict[str, Any]]:
    """Name, size and last use of each file, the one used last at the end."""
    return [
        {
            "kept": path.name,
            "size": f"{cached_size(path) / 2**20:,.1f} MiB",
            "used": time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime)),
        }
        for path in cached_files()
    ]


def clear_cache() -> tuple[int, int]:
    """Remove all files; (how many, their bytes). Nothing else in the folder is touched."""
    files = cached_files()
    size = sum(map(cached_size, files))
    for path in files:
        remove_cached(path)
    return len(files), size
