"""serve: runs answer over HTTP, for programs in three dialects and for people on a page.

Bound to this machine alone nobody needs a key; bound elsewhere everyone does, unless ``no_key``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bertft.errors import BertftError
from bertft.watch import Watch

NEEDED = ("starlette", "uvicorn", "httptools", "prometheus_client")
KEY = "BERTFT_KEY"
SHORTEST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeRequest:
    """What ``bertft serve`` is asked for. ``limits`` are fields of serving.limits.Limits."""

    runs: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    key_file: str = ""
    no_key: bool = False
    threads: int | None = None
    corrections: str = "corrections"
    limits: Mapping[str, int | float] = field(default_factory=dict)
    device: str = "auto"
    precision: str = "auto"


def check_extra() -> None:
    """Raise BertftError where what serves is not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        what = f"serve needs {', '.join(missing)}"
        raise BertftError(what, hint="pip install 'bertft[serve]'")


def serve(
    request: ServeRequest,
    *,
    watch: Watch,
    log: Callable[[Mapping[str, Any]], None],
    ready: Callable[[str], None],
) -> None:
    """Answer until SIGINT or SIGTERM. ``log`` is told each request, ``ready`` the address.

    Raises:
        BertftError: a run, the address or the key is at fault.
    """
    check_extra()
    from bertft.serving.app import Access
    from bertft.serving.corrections import Corrections
    from bertft.serving.limits import Limits
    from bertft.serving.models import Models, asked_models
    from bertft.serving.server import Server, is_local, listen

    limits = Limits(**request.limits)  # type: ignore[arg-type]
    asked = asked_models(request.runs)
    key = read_key(request)
    if Path(request.corrections).exists() and not Path(request.corrections).is_dir():
        hint = "name a folder, there or not"
        raise BertftError(f"--corrections {request.corrections}: is a file", hint=hint)
    with listen(request.host, request.port) as listening:
        local = is_local(listening)
        if not (local or key or request.no_key):
            hint = f"put one into {KEY} or a --key-file, or say --no-key"
            raise BertftError(
                f"--host {request.host} is open to others: a key is needed", hint=hint
            )
        if request.threads:  # torch, ONNX Runtime and OpenVINO heed it; none is imported yet
            os.environ["OMP_NUM_THREADS"] = str(request.threads)
        server = Server(
            models=Models(asked, device=request.device, precision=request.precision),
            corrections=Corrections(Path(request.corrections), limits.corrections_bytes),
            access=Access(key=key, local=local and not key),
            limits=limits,
            log=log,
            tell=watch.note,
            ready=ready,
        )
        server.run(listening)


def read_key(request: ServeRequest) -> str:
    """The key that clients need; "" where there is none. Raises BertftError for a weak one."""
    if request.no_key:
        return ""
    where, key = KEY, os.environ.get(KEY, "")
    if request.key_file:
        where = request.key_file
        try:
            key = Path(where).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BertftError(f"{where}: not readable ({error})") from None
    if (request.key_file or key) and (len(key) < SHORTEST or not key.isascii() or " " in key):
        hint = "make one: openssl rand -hex 24 > key.txt"
        raise BertftError(f"{where}: a key has {SHORTEST} letters and digits or more", hint=hint)
    return key
