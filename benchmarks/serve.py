"""Requests of one text each, beside ``bertft predict`` on these texts, and beside the usual server.

    python benchmarks/serve.py RUN TEXTS [--requests N] [--rounds K] [--connections 1 8 64]
                               [--threads T]

RUN is a run of one label for one text; TEXTS has a text on each line, or is a CSV with a column
``text``. Contenders take turns, each a process of its own that has answered 64 texts before:

predict   ``bertft predict``'s own function on all texts, after the model is loaded
serve     ``bertft serve``, asked by 1, 8, 64 connections that are kept, from a process beside it
fastapi   FastAPI and uvicorn with transformers' pipeline in a plain function, asked likewise

All compute with as many threads (``--threads``; torch's own number if left out).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prediction import RESULTS, read_inputs

WARM = 64
FASTAPI = """
import sys
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

app = FastAPI()
classify = pipeline("text-classification", model=sys.argv[1], device="cpu", top_k=None)

class Asked(BaseModel):
    inputs: str

@app.post("/")
def predict(asked: Asked):
    return classify(asked.inputs)

uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
"""
PREDICT = """
import json, sys, time
from bertft.prediction.predictor import load
texts = json.load(open(sys.argv[2]))
predictor = load(sys.argv[1], device="cpu")
predictor.predict(texts[:64])
began = time.perf_counter()
predictor.predict(texts)
print(json.dumps(time.perf_counter() - began))
"""


class Client(asyncio.Protocol):
    """One connection: asks a text, and the next when its answer is there."""

    def __init__(self, requests: Iterator[bytes], times: list[float]) -> None:
        self._requests, self._times = requests, times
        self.done = asyncio.get_running_loop().create_future()
        self._read = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        one = next(self._requests, None)
        if one is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._began = time.perf_counter()
        self._transport.write(one)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(self._read.decode())
        self._times.append(time.perf_counter() - self._began)
        self._read = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server has left"))


async def ask(port: int, texts: Sequence[str], connections: int) -> dict[str, float]:
    """Texts a second, and milliseconds of a request."""
    head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    bodies = (json.dumps({"inputs": text}).encode() for text in texts)
    requests = (f"{head}content-length: {len(one)}\r\n\r\n".encode() + one for one in bodies)
    ready, times = iter(list(requests)), list[float]()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    opened = [
        await loop.create_connection(lambda: Client(ready, times), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.done for _, client in opened))
    seconds = time.perf_counter() - began
    order = sorted(times)
    return {
        "texts_per_second": len(texts) / seconds,
        "p50": 1000 * order[len(order) // 2],
        "p99": 1000 * order[int(0.99 * len(order))],
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@contextlib.contextmanager
def server(contender: str, options: argparse.Namespace) -> Iterator[int]:
    """Its port, when it answers."""
    port = free_port()
    serve = [
        "-m",
        "bertft",
        "serve",
        f"model={options.run}",
        "--port",
        str(port),
        "--no-access-log",
    ]
    usual = ["-c", FASTAPI, f"{options.run}/best", str(port)]
    command = [sys.executable, *(serve if contender == "serve" else usual)]
    with subprocess.Popen(command, env=environment(options), stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 120
            while True:
                with contextlib.suppress(OSError, SystemExit):
                    asyncio.run(ask(port, ["a"], 1))
                    break
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{contender} does not start")
                time.sleep(0.2)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def environment(options: argparse.Namespace) -> dict[str, str]:
    threads = {"OMP_NUM_THREADS": options.threads} if options.threads else {}
    return os.environ | {"HF_HUB_OFFLINE": "1"} | threads


def measure(contender: str, texts: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Figures of a turn, by number of connections ("" for predict)."""
    if contender == "predict":
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(texts, file)
            file.flush()
            command = [sys.executable, "-c", PREDICT, str(options.run), file.name]
            done = subprocess.run(
                command, env=environment(options), check=True, stdout=subprocess.PIPE
            )
        return {"": {"texts_per_second": len(texts) / json.loads(done.stdout)}}
    found: dict[str, Any] = {}
    with server(contender, options) as port:
        asyncio.run(ask(port, texts[:WARM], 8))
        for connections in options.connections:
            some = texts[: max(len(texts) // 8, WARM)] if connections < 64 else texts
            found[str(connections)] = asyncio.run(ask(port, some, connections))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--contenders", nargs="+", default=["predict", "serve", "fastapi"])
    parser.add_argument("--threads", default="")
    options = parser.parse_args()
    texts = read_inputs(options.texts)[: options.requests]
    rounds: list[dict[str, Any]] = []
    for _ in range(options.rounds):
        rounds.append({one: measure(one, texts, options) for one in options.contenders})
        print(json.dumps(rounds[-1]), file=sys.stderr)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "serve.json").write_text(json.dumps(rounds, indent=1), encoding="utf-8")
    write(rounds)


def write(rounds: list[dict[str, Any]]) -> None:
    """Medians over the rounds; the share of predict is that of each round."""
    print("| contender | connections | texts/s | p50 ms | p99 ms | share of predict |")
    print("|---|---|---|---|---|---|")
    for contender, by_connections in rounds[0].items():
        for connections in by_connections:
            found = [one[contender][connections] for one in rounds]
            cells = [
                f"{statistics.median(one.get(name, 0) for one in found):.1f}"
                for name in ("texts_per_second", "p50", "p99")
            ]
            shares = [
                one["texts_per_second"] / all_["predict"][""]["texts_per_second"]
                for one, all_ in zip(found, rounds, strict=True)
                if "predict" in all_
            ]
            share = f"{statistics.median(shares):.0%}" if shares else "-"
            print(f"| {contender} | {connections} | {' | '.join(cells)} | {share} |")


if __name__ == "__main__":
    main()
