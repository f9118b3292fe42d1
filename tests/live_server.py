"""A server in this process, on a free port, for tests that ask one."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertft.serving.app import Access
from bertft.serving.corrections import Corrections
from bertft.serving.limits import Limits
from bertft.serving.models import Asked, Models
from bertft.serving.server import Server, listen


@dataclass
class Live:
    """A server that answers, and what it has told."""

    address: str
    server: Server
    log: list[Mapping[str, Any]] = field(default_factory=list)

    def ask(
        self,
        path: str,
        content: Any = None,
        *,
        body: bytes | None = None,
        method: str | None = None,
        **headers: str,
    ) -> tuple[int, Any, Mapping[str, str]]:
        """GET, or POST of JSON or bytes, or another method: status, JSON (or text) and headers."""
        data = json.dumps(content).encode() if content is not None else body
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.address + path, data, names, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, _content(response.read()), response.headers
        except urllib.error.HTTPError as error:
            return error.code, _content(error.read()), error.headers


def _content(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()


@contextmanager
def serving(
    runs: Mapping[str, Path], folder: Path, *, key: str = "", limits: Limits | None = None
) -> Iterator[Live]:
    """Serve runs by name until the context ends."""
    ready = threading.Event()
    log: list[Mapping[str, Any]] = []
    limits = limits or Limits()
    models = Models(
        [Asked(name, str(run)) for name, run in runs.items()], device="cpu", precision="fp32"
    )
    server = Server(
        models=models,
        corrections=Corrections(folder / "corrections", limits.corrections_bytes),
        access=Access(key=key, local=not key),
        limits=limits,
        log=log.append,
        tell=lambda _text: None,
        ready=lambda _address: ready.set(),
    )
    listening = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread = threading.Thread(target=server.run, args=(listening,))
    thread.start()
    assert ready.wait(60)
    try:
        yield Live(address, server, log)
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()
        listening.close()


def until(condition: Callable[[], bool], *, seconds: float = 10) -> bool:
    """Whether it comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
