"""What a server counts, for Prometheus: requests, tokens, queue, batches and times; no texts."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counters of one server. ``model`` threads and the event loop tell it what they did."""

    def __init__(self) -> None:
        r = self.registry = CollectorRegistry()
        names = ["route", "code"]
        self._requests = Counter("bertft_requests", "Requests answered", names, registry=r)
        self._seconds = Histogram(
            "bertft_request_seconds", "From the headers to the answer", buckets=SECONDS, registry=r
        )
        self._texts = Counter("bertft_texts", "Texts taken on", registry=r)
        self._tokens = Counter("bertft_tokens", "Tokens read by models", registry=r)
        self._batch = Histogram(
            "bertft_batch_requests", "Requests in a turn", buckets=SIZES, registry=r
        )
        self._queued = Histogram(
            "bertft_queue_seconds", "Waited for the model", buckets=SECONDS, registry=r
        )
        self._encoding = Counter("bertft_encoding_seconds", "Time in tokenizers", registry=r)
        self._computing = Counter("bertft_computing_seconds", "Time in models", registry=r)
        self._failures = Counter("bertft_failures", "Errors in a model", ["kind"], registry=r)
        self._queue = Gauge("bertft_queue", "Requests that wait or are computed", registry=r)
        self._connections = Gauge("bertft_connections", "Open connections", registry=r)

    def watch(self, *, queue: Callable[[], int], connections: Callable[[], int]) -> None:
        """Where the numbers of this moment are read."""
        self._queue.set_function(lambda: float(queue()))
        self._connections.set_function(lambda: float(connections()))

    def answered(self, *, route: str, code: int, seconds: float) -> None:
        self._requests.labels(route, str(code)).inc()
        self._seconds.observe(seconds)

    def texts(self, count: int) -> None:
        self._texts.inc(count)

    def failed(self, error: Exception) -> None:
        self._failures.labels(type(error).__name__).inc()

    def turn(self, *, requests: int, tokens: int, encoding: float, computing: float) -> None:
        self._batch.observe(requests)
        self._tokens.inc(tokens)
        self._encoding.inc(encoding)
        self._computing.inc(computing)

    def waited(self, seconds: float) -> None:
        self._queued.observe(seconds)

    def page(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)
