"""A server on its worst day: attacks go in, what became of good requests meanwhile comes out.

    python benchmarks/hostile.py RUN [--size small|full]

RUN is a run that reads one text. The server is a process of its own; so are the clients that ask
it well all day, and the one that asks for /health. Attacks follow each other: connections that say
nothing, that write and read a byte at a time, endless bodies, JSON that is deep or broken, floods
of bad requests; then the server is stopped for a while (SIGSTOP), and ended (SIGTERM).

A good request is taken on when its id stands in the server's log; one of those is lost unless its
client holds the whole answer. Ends with 1 where one is lost, or the log holds what a client typed.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import math
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORD = "zebrafish"
"""Is in every text, path and header that a client types, and must not be in a log."""
GOOD_CLIENTS = 4
BAD_CLIENTS = 16


@dataclass(frozen=True)
class Size:
    """How bad the day is; times are seconds."""

    idle: int
    slow: int
    body: int
    seconds: float
    stopped: float
    connections: int


SIZES = {
    "small": Size(idle=200, slow=10, body=20_000_000, seconds=0.7, stopped=1, connections=64),
    "full": Size(
        idle=10_000, slow=200, body=1_000_000_000, seconds=15, stopped=10, connections=1024
    ),
}
BAD = {
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "surrogate": b'{"inputs": "' + WORD.encode() + b' \\ud800"}',
    "not utf-8": b'{"inputs": "' + WORD.encode() + b' \xff\xfe"}',
    "no json": WORD.encode() * 10,
    "nan": b'{"inputs": NaN}',
    "unknown key": b'{"inputs": "a", "' + WORD.encode() + b'": 1}',
    "empty": b"",
}
NUL = b'{"inputs": "a\\u0000 ' + WORD.encode() + b'"}'
"""Odd, and well formed."""


# --- clients that are processes -----------------------------------------------------------------


def ask_well(port: int, number: int, stop: Any, out: Any) -> None:
    """Good requests over connections that are kept: (when, id, status or 0, seconds)."""
    found: list[tuple[float, str, int, float]] = []

    def one_client(place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        count = 0
        while not stop.is_set():
            count += 1
            id = f"good-{number}-{place}-{count}"
            body = json.dumps({"inputs": f"a good film {WORD} {count}"})
            began = time.monotonic()
            try:
                connection.request("POST", "/", body, {"x-request-id": id})
                response = connection.getresponse()
                response.read()
                status = response.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
                time.sleep(0.02)
            found.append((began, id, status, time.monotonic() - began))

    threads = [threading.Thread(target=one_client, args=(one,)) for one in range(GOOD_CLIENTS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    out.send(found)


def ask_health(port: int, number: int, stop: Any, out: Any) -> None:
    """GET /health on new connections, twenty times a second: (when, "", status or 0, seconds)."""
    found: list[tuple[float, str, int, float]] = []
    while not stop.wait(0.05):
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/health")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        connection.close()
        found.append((began, "", status, time.monotonic() - began))
    out.send(found)


@dataclass
class Clients:
    """Processes that ask until they are stopped, and what they saw."""

    stop: Any = field(default_factory=multiprocessing.Event)
    pipes: list[tuple[Any, Any]] = field(default_factory=list)

    def start(self, asks: Callable[..., None], port: int) -> None:
        there, here = multiprocessing.Pipe(duplex=False)
        number = len(self.pipes)
        process = multiprocessing.Process(target=asks, args=(port, number, self.stop, here))
        process.start()
        self.pipes.append((process, there))

    def end(self) -> list[list[Any]]:
        self.stop.set()
        found = [pipe.recv() for _, pipe in self.pipes]
        for process, _ in self.pipes:
            process.join()
        return found


# --- attacks ------------------------------------------------------------------------------------


def connect(port: int, *, room: int = 0) -> socket.socket | None:
    found = socket.socket()
    if room:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    try:
        found.settimeout(5)
        found.connect(("127.0.0.1", port))
        found.setblocking(False)
    except OSError:
        found.close()
        return None
    return found


def _opened(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def idle(port: int, size: Size) -> str:
    """Connections that say nothing."""
    held = [one for one in (connect(port) for _ in range(size.idle)) if one]
    time.sleep(size.seconds)
    for one in held:
        one.close()
    return f"{len(held):,} connections"


def slow(port: int, size: Size) -> str:
    """Headers, bodies and readers at a byte at a time; whoever is thrown out comes again."""
    head = f"POST / HTTP/1.1\r\nhost: localhost\r\nx-{WORD}: 1\r\n".encode()
    body = head + b"content-length: 1000\r\n\r\n"
    texts = json.dumps({"inputs": [f"a good film {WORD}"] * 32}).encode()
    whole = b"POST /embed HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(texts)
    kinds = [(head, b"x"), (body, b" "), ((whole + texts) * 20, b"")] * size.slow
    held: list[socket.socket | None] = [None] * len(kinds)
    thrown = -len(kinds)
    end = time.monotonic() + size.seconds
    while time.monotonic() < end:
        for place, (first, later) in enumerate(kinds):
            one = held[place]
            try:
                if one is None:
                    thrown += 1
                    held[place] = one = connect(port, room=0 if later else 4096)
                    if one:
                        one.send(first)
                elif later:
                    one.send(later)
                else:
                    one.recv(1)
            except BlockingIOError:
                pass
            except OSError:
                if one:
                    one.close()
                held[place] = None
        time.sleep(0.3)
    for one in held:
        if one:
            one.close()
    return f"{len(kinds)} at a time, {thrown} thrown out"


def large(port: int, size: Size) -> str:
    """Bodies that say how long they are, that lie, and that do not say."""
    sent = []
    heads = (f"content-length: {size.body}", "content-length: 100", "transfer-encoding: chunked")
    for head in heads:
        block = b"a" * 65_536
        block = b"10000\r\n" + block + b"\r\n" if "chunked" in head else block
        count = 0
        with contextlib.suppress(OSError), _opened(port) as one:
            one.sendall(f"POST / HTTP/1.1\r\nhost: localhost\r\n{head}\r\n\r\n".encode())
            while count < size.body:
                one.sendall(block)
                count += len(block)
        sent.append(f"{count / 1e6:.1f}")
    return f"{' / '.join(sent)} MB of {size.body / 1e6:,.0f} were sent"


def bad(port: int, size: Size) -> str:
    """Requests that are refused, as many as there is time for; each kind once by itself first."""
    told = {name: _status(port, body) for name, body in {**BAD, "nul": NUL}.items()}
    wrong = {name: code for name, code in told.items() if not 200 <= code < 500}
    counts = [0] * BAD_CLIENTS
    end = time.monotonic() + size.seconds

    def flood(place: int) -> None:
        body = BAD["surrogate"]
        one = b"POST /%s HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%s"
        many = one % (WORD.encode() if place % 2 else b"", len(body), body) * 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError), _opened(port) as connection:
                left = 0
                while time.monotonic() < end and not left:
                    connection.sendall(many)
                    left = 10
                    while left and (read := connection.recv(65_536)):
                        left -= read.count(b"HTTP/1.1 4")
                    counts[place] += 10 - left

    threads = [threading.Thread(target=flood, args=(one,)) for one in range(BAD_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    faults = f"; {wrong} came" if wrong else ""
    return f"{sum(counts) / size.seconds:,.0f} a second{faults}"


def _status(port: int, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/", body)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


ATTACKS: dict[str, Callable[[int, Size], str]] = {
    "calm": lambda port, size: time.sleep(size.seconds / 2) or "",
    "idle": idle,
    "slow": slow,
    "large": large,
    "bad": bad,
}


# --- the server ---------------------------------------------------------------------------------


@contextlib.contextmanager
def served(
    run: str, size: Size, log: Path, threads: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """``bertft serve`` and its port, when it answers."""
    command = [sys.executable, "-m", "bertft", "serve", f"film={run}", "--port", "0", "--offline"]
    command += ["--connections", str(size.connections)]
    command += ["--threads", threads] if threads else []
    with log.open("wb") as file, subprocess.Popen(command, stderr=file, stdout=file) as process:
        try:
            end = time.monotonic() + 120
            while "ready: " not in (said := log.read_text("utf-8")):
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(said)
                time.sleep(0.1)
            yield process, int(said.split("ready: ")[1].split()[0].rpartition(":")[2])
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def memory(pid: int, name: str) -> float:
    """MiB that a process holds (VmRSS), or has held at the most (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0


def day(run: str, size: Size, folder: Path, threads: str) -> dict[str, Any]:
    """All attacks on one server, and what is found of them."""
    log, clients = folder / "log", Clients()
    phases: list[dict[str, Any]] = []
    with served(run, size, log, threads) as (process, port):
        clients.start(ask_health, port)
        for _ in range(2):
            clients.start(ask_well, port)

        def phase(name: str, attack: Callable[[], str]) -> None:
            began = phases[-1]["ended"] if phases else time.monotonic()
            what = attack()
            phases.append({"name": name, "began": began, "ended": time.monotonic(), "what": what})
            print(f"{name}: {what}", file=sys.stderr)
            if process.poll() is None:
                phases[-1]["memory"] = memory(process.pid, "VmRSS")
                phases[-1]["peak"] = memory(process.pid, "VmHWM")

        for name, attack in ATTACKS.items():
            phase(name, lambda attack=attack: attack(port, size))
        phase("stopped", lambda: _stopped(process.pid, size))
        phase("ended", lambda: _ended(process))
        records = clients.end()
    return found_in(log, records, phases)


def _stopped(pid: int, size: Size) -> str:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(size.stopped)
    os.kill(pid, signal.SIGCONT)
    time.sleep(size.seconds / 2)
    return f"{size.stopped:g} s"


def _ended(process: subprocess.Popen[bytes]) -> str:
    process.send_signal(signal.SIGTERM)
    return f"exit code {process.wait(60)}"


# --- figures ------------------------------------------------------------------------------------


def found_in(log: Path, records: list[list[Any]], phases: list[dict[str, Any]]) -> dict[str, Any]:
    """What stands in the log beside what the clients saw."""
    text = log.read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    taken = {one["id"]: one["status"] for one in lines if one["id"].startswith("good-")}
    health, good = records[0], [one for found in records[1:] for one in found]
    phases[-1]["ended"] = math.inf
    for one in phases:
        # Those of a phase are those that ended in it: what SIGTERM cuts off belongs to the last.
        asked, answers = (
            [r for r in seen if one["began"] <= r[0] + r[3] < one["ended"]]
            for seen in (good, health)
        )
        one["answered"] = sum(r[2] == 200 for r in asked)
        one["told"] = sum(r[2] not in (0, 200) for r in asked)
        one["not_taken"] = sum(not r[2] and r[1] not in taken for r in asked)
        one["lost"] = sum(not r[2] and r[1] in taken for r in asked)
        one["health_failed"] = sum(r[2] != 200 for r in answers)
        one["good_ms"] = _milliseconds([r[3] for r in asked if r[2] == 200])
        one["health_ms"] = _milliseconds([r[3] for r in answers])
        del one["began"], one["ended"]
    return {
        "phases": phases,
        "lost": sum(one["lost"] for one in phases),
        "typed": text.count(WORD),
        "errors": sum(one["status"] == 500 for one in lines),
        "lost_lines": sum(one.get("lost_lines", 0) for one in lines),
    }


def _milliseconds(seconds: list[float]) -> tuple[float, float, float]:
    """Median, the 99th of a hundred, the longest."""
    if not seconds:
        return (0, 0, 0)
    order = sorted(seconds)
    places = [min(len(order) - 1, int(share * len(order))) for share in (0.5, 0.99, 1)]
    first, second, third = (1000 * order[place] for place in places)
    return (first, second, third)


def show(found: dict[str, Any]) -> None:
    print("| phase | what | good: answered / told otherwise / not taken on / lost | ms p50 / p99"
          " / max | /health ms p50 / p99 / max (failed) | memory / peak |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    for one in found["phases"]:
        good = " / ".join(str(one[name]) for name in ("answered", "told", "not_taken", "lost"))
        times, health = (
            " / ".join(f"{value:.0f}" for value in one[name]) for name in ("good_ms", "health_ms")
        )
        held = f"{one.get('memory', 0):.0f} / {one.get('peak', 0):.0f} MiB"
        health += f" ({one['health_failed']})"
        print(f"| {' | '.join((one['name'], one['what'], good, times, health, held))} |")
    print(f"lost: {found['lost']}; typed words in the log: {found['typed']}; "
          f"errors of the server: {found['errors']}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--threads", default="", help="of the model; 1 on a busy machine")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        found = day(options.run, SIZES[options.size], Path(folder), options.threads)
    print(json.dumps(found, indent=1)) if options.json else show(found)
    sys.exit(bool(found["lost"] or found["typed"] or found["errors"]))


if __name__ == "__main__":
    main()
