"""The process of a server: an application in, a port that answers until a signal drains it.

Models are opened while the port is open already: what asks too early is answered by 503. SIGTERM
and SIGINT finish what was taken on; SIGHUP loads all runs anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bertft.errors import BertftError
from bertft.serving.app import Access, make_app
from bertft.serving.connections import Connections
from bertft.serving.corrections import Corrections
from bertft.serving.layers import Log
from bertft.serving.limits import Limits
from bertft.serving.metrics import Metrics
from bertft.serving.models import Models, settle
from bertft.serving.service import Service
from bertft.serving.worker import Worker

BACKLOG = 2048
SWITCH = 0.0005
"""Seconds for which a thread may keep others waiting that want to compute in Python: the event loop
waits for the model's thread after each call of the system, by default ten times as long."""
SPARE_FILES = 512
"""Open files beside connections."""
Tell = Callable[[str], None]


@dataclass(slots=True)
class Server:
    """A server that is set up; ``run`` blocks until it is stopped."""

    models: Models
    corrections: Corrections
    access: Access
    limits: Limits
    log: Log
    tell: Tell
    ready: Callable[[str], None]
    """Is told the address when models answer."""
    _fault: list[BertftError] = field(default_factory=list)
    _inner: Any = None

    def run(self, listening: socket.socket) -> None:
        """Answer on a socket that listens.

        Raises:
            BertftError: a model could not be opened.
        """
        allow_files(self.limits.connections)
        metrics = Metrics()
        worker = Worker(
            queue=self.limits.queue, batch_tokens=self.limits.batch_tokens, meter=metrics
        )
        connections = Connections(HttpToolsProtocol, self.limits)
        metrics.watch(queue=lambda: worker.depth, connections=lambda: len(connections.open))
        service = Service(
            self.models, worker, self.limits, metrics, lambda: bool(self._inner.should_exit)
        )
        app = make_app(
            service,
            access=self.access,
            corrections=self.corrections,
            log=self.log,
            started=lambda: self._begin(address_of(listening)),
        )
        self._inner = uvicorn.Server(self._config(app, connections))
        with _signals_end_here(), _quick_turns():
            self._inner.run(sockets=[listening])
        worker.stop()
        if self._fault:
            raise self._fault[0]

    def stop(self) -> None:
        """Finish what was taken on, and end; from any thread."""
        self._inner.should_exit = True

    def _config(self, app: Any, connections: Connections) -> uvicorn.Config:
        return uvicorn.Config(
            app,
            http=connections,  # type: ignore[arg-type]  # it is called as a class would be
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            # All that wait are let in at once: fewer than would drive each other out again.
            backlog=min(BACKLOG, max(16, self.limits.connections // 4)),
            timeout_keep_alive=int(self.limits.idle_seconds),
            timeout_graceful_shutdown=int(self.limits.drain_seconds),
        )

    def _begin(self, address: str) -> None:
        """In the event loop: open the models beside it, and listen for SIGHUP."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._open, args=(address,), name="opening", daemon=True).start()
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _open(self, address: str) -> None:
        try:
            for name in self.models.names:
                model = self.models.load(name)
                self.tell(f"model {name}: {model.path} ({model.kind})")
            settle()
            self.ready(address)
        except BertftError as error:
            self._fault.append(error)
            self._inner.should_exit = True

    def _reload(self) -> None:
        threading.Thread(target=self._load_anew, name="reload", daemon=True).start()

    def _load_anew(self) -> None:
        for name in self.models.names:
            try:
                self.tell(f"reloaded {name}: {self.models.load(name).path}")
            except BertftError as error:
                self.tell(f"warning: {name} stays as it was: {error}")
        settle()


@contextlib.contextmanager
def _signals_end_here() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more when it is done: that is no news."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda _number, _frame: None) for number in numbers]
    try:
        yield
    finally:
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)


@contextlib.contextmanager
def _quick_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
        gc.unfreeze()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises BertftError where the address is not to be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listening = socket.create_server(address[:2], family=family, backlog=BACKLOG)
        # Connections inherit it; asyncio sets it for sockets of its own alone. Without it the body
        # of an answer waits for the client to acknowledge the headers, 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        hint = "choose another --host or --port (0 takes a free one)"
        raise BertftError(f"{host}:{port} ({error.strerror})", hint=hint) from None


def allow_files(connections: int) -> None:
    """Let this process hold so many connections open, as far as it may say so."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES
    if resource.RLIM_INFINITY not in (soft, hard) and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def is_local(listening: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    host = str(listening.getsockname()[0])
    return host == "::1" or host.startswith("127.")


def address_of(listening: socket.socket) -> str:
    """Its address for a browser of this machine."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"
