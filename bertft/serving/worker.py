"""One thread in which models compute: jobs of many requests in, their results out as futures.

The thread forms turns (turns.py) over all jobs that wait, so that requests share batches. Models
take turns where there are several. A job whose future was cancelled, because its client has gone or
its time is up, leaves the queue before it is computed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from bertft.contracts import Encoded, FloatArray, Pieces
from bertft.serving.refused import Refused
from bertft.serving.turns import choose_turn


class Reader(Protocol):
    """A model: examples to windows, windows to an array each."""

    def encode(self, examples: Sequence[Any]) -> list[Encoded]: ...

    def logits(self, encoded: Sequence[Encoded]) -> list[FloatArray]: ...


Finish = Callable[[Sequence[Any], list[Pieces]], Any]
"""Examples and their windows in, the result of the job out."""


class Meter(Protocol):
    """Is told what the thread did; times are seconds."""

    def turn(self, *, requests: int, tokens: int, encoding: float, computing: float) -> None: ...

    def waited(self, seconds: float) -> None: ...


@dataclass(eq=False, slots=True)
class Job:
    """What one request wants of one model."""

    reader: Reader
    examples: Sequence[Any]
    finish: Finish
    done: Future[Any] = field(default_factory=Future)
    arrived: float = field(default_factory=time.perf_counter)
    encoded: list[Encoded] | None = None
    first: int = 0
    """Number of its first example among those that were encoded with it."""
    rows: list[FloatArray] = field(default_factory=list)

    @property
    def left(self) -> list[Encoded]:
        return (self.encoded or [])[len(self.rows) :]

    def result(self) -> Any:
        pieces: list[list[tuple[Encoded, FloatArray]]] = [[] for _ in self.examples]
        for one, row in zip(self.encoded or (), self.rows, strict=True):
            pieces[one.example - self.first].append((one, row))
        return self.finish(self.examples, list(pieces))


class Worker:
    """The thread, and the queue before it."""

    def __init__(self, *, queue: int, batch_tokens: int, meter: Meter) -> None:
        self._most, self._budget, self._meter = queue, batch_tokens, meter
        self._changed = threading.Condition()
        self._new: list[Job] = []
        self._waiting: list[Job] = []
        self._last: Reader | None = None
        self._stopped = False
        self._seconds = 0.0  # of a turn, lately
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Jobs that wait or are computed."""
        return len(self._new) + len(self._waiting)

    def submit(self, reader: Reader, examples: Sequence[Any], finish: Finish) -> Future[Any]:
        """Wait in the queue. Raises Refused (429) where that is full."""
        job = Job(reader, examples, finish)
        with self._changed:
            if self.depth >= self._most:
                self._forget_cancelled()
            if self.depth >= self._most:
                wait = 1 + int(self._seconds * self.depth / 16)
                raise Refused(429, "the queue is full", "Overloaded", retry=min(60, wait))
            self._new.append(job)
            self._changed.notify()
        return job.done

    def stop(self) -> None:
        """End the thread, when what waits is done."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _forget_cancelled(self) -> None:
        self._new = [job for job in self._new if not job.done.cancelled()]

    # --- in the thread ------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._new or self._waiting or self._stopped):
                    self._changed.wait()
                if self._stopped and not self.depth:
                    return
                self._waiting += self._new
                self._new = []
                self._waiting = [one for one in self._waiting if not one.done.cancelled()]
            if self._waiting:
                self._turn()
                with self._changed:
                    self._waiting = [one for one in self._waiting if not one.done.done()]

    def _turn(self) -> None:
        reader = self._next_reader()
        began = time.perf_counter()
        jobs = self._encoded(reader)
        middle = time.perf_counter()
        counts = choose_turn([[len(w) for w in job.left] for job in jobs], budget=self._budget)
        shares = [(job, job.left[:count]) for job, count in zip(jobs, counts, strict=True) if count]
        windows = [one for _, share in shares for one in share]
        try:
            rows = iter(reader.logits(windows) if windows else ())
        except Exception as error:  # memory, a model that is broken: its requests are told
            for job, _ in shares:
                _fail(job, error)
            return
        for job, share in shares:
            if not job.rows:
                self._meter.waited(middle - job.arrived)
            job.rows += [next(rows) for _ in share]
        for job in jobs:
            if not job.left:
                _complete(job)
        self._seconds = time.perf_counter() - began
        self._meter.turn(
            requests=len(shares),
            tokens=sum(map(len, windows)),
            encoding=middle - began,
            computing=began + self._seconds - middle,
        )

    def _next_reader(self) -> Reader:
        """The model after the one whose turn was last, of those that are waited for."""
        readers = list({id(job.reader): job.reader for job in self._waiting}.values())
        places = [place for place, one in enumerate(readers) if one is self._last]
        self._last = readers[(places[0] + 1) % len(readers)] if places else readers[0]
        return self._last

    def _encoded(self, reader: Reader) -> list[Job]:
        """The jobs of a model, those that are new encoded together."""
        jobs = [job for job in self._waiting if job.reader is reader]
        new = [job for job in jobs if job.encoded is None]
        try:
            _encode(reader, new)
        except Exception:  # one of them is at fault: each for itself
            for job in new:
                try:
                    _encode(reader, [job])
                except Exception as error:
                    _fail(job, error)
        return [job for job in jobs if job.encoded is not None and not job.done.done()]


def _encode(reader: Reader, jobs: Sequence[Job]) -> None:
    if not jobs:
        return
    places = [place for place, job in enumerate(jobs) for _ in job.examples]
    windows: list[list[Encoded]] = [[] for _ in jobs]
    for one in reader.encode([one for job in jobs for one in job.examples]):
        windows[places[one.example]].append(one)
    first = 0
    for job, own in zip(jobs, windows, strict=True):
        job.first, job.encoded = first, own
        first += len(job.examples)


def _complete(job: Job) -> None:
    try:
        result = job.result()
    except Exception as error:
        _fail(job, error)
        return
    if job.done.set_running_or_notify_cancel():
        job.done.set_result(result)


def _fail(job: Job, error: Exception) -> None:
    if job.done.set_running_or_notify_cancel():
        job.done.set_exception(error)
