"""doctor: what this machine can do, measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any


def examine() -> dict[str, Any]:
    """Versions, device, threads, measured matrix speed, models at hand, offline state."""
    import torch

    from bertft.commands.run_folder import PACKAGES
    from bertft.encoder.load import is_offline, local_models
    from bertft.training.runtime import choose_runtime, matrix_rate

    runtime = choose_runtime()
    speeds = {kind: matrix_rate(getattr(torch, kind)) / 1e9 for kind in ("float32", "bfloat16")}
    return {
        "bertft": version("bertft"),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": runtime.device,
        "precision": f"{runtime.precision} ({runtime.reason})",
        "CPU matrix GFLOP/s": {name: round(rate) for name, rate in speeds.items()},
        "models here": local_models(),
        "offline": is_offline(),
    }
