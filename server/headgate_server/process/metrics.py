"""What a server process counts and measures, in the words of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from headgate.process.exposure import Exposure

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "headgate_rpc", "Calls that ended, by method and code.", ["method", "code"], registry=self.registry
        )
        self._seconds = Histogram(
            "headgate_rpc_seconds", "How long calls took.", ["method"], buckets=_SECONDS, registry=self.registry
        )
        self._groups = Histogram(
            "headgate_commit_group_size",
            "Commits that went to Redis together.",
            buckets=_SIZES,
            registry=self.registry,
        )
        self._by_code: dict[tuple[str, str], Any] = {}
        self._by_method: dict[str, Any] = {}

    def rpc_ended(self, method: str, code: str, seconds: float) -> None:
        """Count a call. Label lookups are kept, since they cost more than the counting."""
        counter = self._by_code.get((method, code))
        if counter is None:
            counter = self._by_code[method, code] = self._calls.labels(method, code)
            self._by_method[method] = self._seconds.labels(method)
        counter.inc()
        self._by_method[method].observe(seconds)

    def commits_grouped(self, size: int) -> None:
        """Count a group of commits."""
        self._groups.observe(size)

    def watch(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Show a value that is asked for when metrics are read."""
        Gauge(name, description, registry=self.registry).set_function(value)

    def exposed(self, found: Collection[Exposure]) -> None:
        """Show what the process does in the open."""
        shown = Gauge("headgate_insecure", "Whether this is open beyond the machine.", ["fact"], registry=self.registry)
        for one in (Exposure.OPEN, Exposure.PLAINTEXT_TOKENS):
            shown.labels(one.value).set(one in found)

    def page(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
