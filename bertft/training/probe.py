"""How fast this CPU multiplies matrices, in fp32 and in bf16: measured once, then read from disk.

    facts of the machine -> their file in the cache -> Speeds; or measured anew, and written there

A file counts only for the very facts that it was measured under, whole, and for a month. It is not
written where something else disturbed the measurement: a busy hour decides for that hour alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from bertft.cache_folder import cache_folder, whole_file
from bertft.errors import RunError

ROUND_SECONDS = 0.04
ROUNDS = 6
WORTHWHILE = 1.3
"""How much faster bf16 has to be."""
DAY = 86_400
LASTING = 30 * DAY
METHOD = 1
"""Another way to measure gets another number, which makes the files of this one void."""
CPU_FIELDS = re.compile(
    r"^(vendor_id|cpu family|model|model name|stepping|flags"
    r"|CPU implementer|CPU architecture|CPU variant|CPU part|Features)\s*:.*",
    re.MULTILINE,
)
SETTINGS = ("OMP_", "GOMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_", "ATEN_", "OPENBLAS_", "VECLIB_")
"""How the names of variables start that tell these libraries what to use."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """Matrix products of BERT's shape on this CPU, in FLOP/s."""

    fp32: float
    bf16: float
    measured: float
    """When, in seconds of the epoch."""
    is_new: bool
    not_kept: str = ""
    """Why the next start has to measure again."""

    @property
    def gain(self) -> float:
        return self.bf16 / self.fp32

    @property
    def is_worthwhile(self) -> bool:
        return self.gain >= WORTHWHILE


@cache
def cpu_speeds() -> Speeds:
    """The speeds that are known of this machine; measured where none are (half a second)."""
    facts = machine_facts()
    return read_speeds(facts) or measure(facts)


def forget_speeds() -> None:
    """Remove what is known, so that it is measured anew. Raises OSError where it has to stay."""
    speeds_file(machine_facts()).unlink(missing_ok=True)
    cpu_speeds.cache_clear()


def measure(facts: Mapping[str, Any]) -> Speeds:
    """Measure, and write it to disk for the next start, unless it may not decide for that."""
    # In turns, and the best of each: what else the machine is doing must not choose the precision.
    rounds = [(matrix_rate(torch.float32), matrix_rate(torch.bfloat16)) for _ in range(ROUNDS)]
    fp32, bf16 = (max(rates) for rates in zip(*rounds, strict=True))
    found = Speeds(fp32, bf16, time.time(), is_new=True)
    not_kept = _disturbed(found, rounds) or _write(found, facts)
    return Speeds(fp32, bf16, found.measured, is_new=True, not_kept=not_kept)


def _disturbed(found: Speeds, rounds: Sequence[tuple[float, float]]) -> str:
    if all((bf16 / fp32 >= WORTHWHILE) == found.is_worthwhile for fp32, bf16 in rounds):
        return ""
    return "its rounds disagree, as on a busy machine"


def _write(found: Speeds, facts: Mapping[str, Any]) -> str:
    """Why it cannot be written; a cache that is not there costs half a second, no more."""
    content = {
        "facts": facts,
        "fp32": found.fp32,
        "bf16": found.bf16,
        "measured": found.measured,
    }
    try:
        path = speeds_file(facts)
        with whole_file(path) as file:
            file.write(json.dumps(content | {"sha256": _digest(content)}, indent=1).encode())
    except RunError as error:
        return str(error)
    except OSError as error:
        return f"{path.parent}: {error.strerror or error}"
    return ""


def read_speeds(facts: Mapping[str, Any]) -> Speeds | None:
    """What is on disk for these facts; None where that is missing, old, damaged or of others."""
    try:
        content = json.loads(speeds_file(facts).read_bytes())
        is_whole = content.pop("sha256") == _digest(content)
        age = time.time() - content["measured"]
        if not is_whole or content["facts"] != facts or not 0 <= age < LASTING:
            return None
        return Speeds(content["fp32"], content["bf16"], content["measured"], is_new=False)
    except (RunError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def speeds_file(facts: Mapping[str, Any]) -> Path:
    return cache_folder() / f"speeds-{_digest(facts)[:32]}.json"


def machine_facts() -> dict[str, Any]:
    """What the speeds follow from: the CPU, its cores and threads, torch, the settings of both."""
    return {
        "method": METHOD,
        "cpu": _cpu(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": [os.cpu_count(), usable_cores()],
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "settings": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith(SETTINGS)
        },
    }


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> list[str]:
    """Model and flags of the first core; where there is no /proc, what Python tells of it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            first, _, _ = file.read(2**14).partition("\n\n")  # hundreds of cores take long to list
    except OSError:
        first = ""
    lines = [found.group() for found in CPU_FIELDS.finditer(first)]
    return lines or [platform.platform(), platform.machine(), platform.processor()]


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def matrix_rate(kind: torch.dtype) -> float:
    """Multiply-adds per second times 2 (FLOP/s) of ``[512, 384] @ [384, 1536]``."""
    left, right = torch.ones(512, 384, dtype=kind), torch.ones(384, 1536, dtype=kind)
    left @ right
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < ROUND_SECONDS or count == 0:
        left @ right
        count += 1
    return count / spent * 2 * 512 * 384 * 1536
