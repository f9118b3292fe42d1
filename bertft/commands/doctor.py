"""doctor: what this machine can do, measured."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bertft.cache_folder import cache_folder
from bertft.collector import importing

if TYPE_CHECKING:
    from bertft.training.probe import Speeds


def examine(*, probe: bool = False) -> dict[str, Any]:
    """Versions, device, threads, measured matrix speed, models at hand, offline state.

    With ``probe`` the speed is measured anew, and stays measured for the runs to come.
    """
    with importing():
        import torch

        from bertft.encoder.find import is_offline, local_models
        from bertft.runs.environment import PACKAGES
        from bertft.training.probe import cpu_speeds, forget_speeds
        from bertft.training.runtime import choose_runtime

    if probe:
        forget_speeds()
    runtime = choose_runtime()
    speeds = cpu_speeds()
    rates = {"float32": speeds.fp32, "bfloat16": speeds.bf16}
    return {
        "bertft": version("bertft"),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": runtime.device,
        "precision": f"{runtime.precision} ({runtime.reason})",
        "CPU matrix GFLOP/s": {name: round(rate / 1e9) for name, rate in rates.items()},
        "measured": _measured(speeds),
        "models here": local_models(),
        "offline": is_offline(),
    }


def _measured(speeds: Speeds) -> str:
    """When the speeds were measured, and how that is done again."""
    if speeds.not_kept:
        return f"now, not kept ({speeds.not_kept})"
    if speeds.is_new:
        return f"now, kept in {cache_folder()}"
    days = int((time.time() - speeds.measured) / 86_400)
    ago = "today" if days == 0 else "1 day ago" if days == 1 else f"{days} days ago"
    return f"{ago}, kept in {cache_folder()}; again: bertft doctor --probe"
