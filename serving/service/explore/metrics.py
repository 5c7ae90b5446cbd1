"""Numbers for Prometheus, in a registry of their own.

Labels are few and bounded: the template of a route and never a path, a known method, a status.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gandt.serving.service.explore.gate import Gate

__all__ = ["MEDIA_TYPE", "Measured", "Metrics", "named"]

MEDIA_TYPE = CONTENT_TYPE_LATEST
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LEFT = 499  # no answer was sent: whoever asked had gone (the number is nginx's)


class Metrics:
    """What is counted of one service.

    Parameters
    ----------
    gates
        Whose work, queues and refusals are shown.
    values
        Name -> what it is, and a function that gives it now. A name that ends in `_total` only
        grows.
    """

    def __init__(
        self,
        gates: Iterable[Gate],
        values: Mapping[str, tuple[str, Callable[[], float]]],
    ) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.requests = Counter(
            "gandt_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "gandt_request_seconds",
            "Seconds until a request was answered whole.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._well: dict[str, int] = {}  # by route
        self._lock = threading.Lock()
        self.registry.register(_Now(tuple(gates), dict(values)))

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)

    def answered(self, route: str | None = None) -> int:
        """How many requests were answered well; of one route or of all."""
        with self._lock:
            return sum(self._well.values()) if route is None else self._well.get(route, 0)

    def record(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request."""
        method, route = named(scope)
        if status < 400:
            with self._lock:
                self._well[route] = self._well.get(route, 0) + 1
        self.requests.labels(route, method, str(status)).inc()
        self.seconds.labels(route, method).observe(seconds)


def named(scope: Scope) -> tuple[str, str]:
    """The method and the route of a request, as far as they are known ones."""
    method = scope["method"] if scope["method"] in _METHODS else "other"
    return method, str(getattr(scope.get("route"), "path", "none"))


class _Now(Collector):
    """Values that are looked up when somebody asks."""

    def __init__(
        self, gates: tuple[Gate, ...], values: dict[str, tuple[str, Callable[[], float]]]
    ) -> None:
        self.gates, self.values = gates, values

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        working = GaugeMetricFamily("gandt_gate_working", "Work under way.", labels=["gate"])
        waiting = GaugeMetricFamily("gandt_gate_waiting", "Requests in a queue.", labels=["gate"])
        refused = CounterMetricFamily(
            "gandt_gate_refused", "Requests for which there was no place.", labels=["gate"]
        )
        late = CounterMetricFamily(
            "gandt_gate_late", "Requests whose time was over.", labels=["gate"]
        )
        for gate in self.gates:
            working.add_metric([gate.name], gate.working)
            waiting.add_metric([gate.name], gate.waiting)
            refused.add_metric([gate.name], gate.refused)
            late.add_metric([gate.name], gate.late)
        yield from (working, waiting, refused, late)
        for name, (about, value) in self.values.items():
            if name.endswith("_total"):
                yield CounterMetricFamily(name.removesuffix("_total"), about, value=value())
            else:
                yield GaugeMetricFamily(name, about, value=value())


class Measured:
    """ASGI middleware that counts what is answered, refusals of the guard included."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, began = _LEFT, time.monotonic()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            self.metrics.record(scope, status, time.monotonic() - began)
