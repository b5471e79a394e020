"""What a server process counts and measures, in the words of Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from headgate.process.exposure import Exposure

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128)


class EndedCalls(Collector):
    """Calls that ended, counted in plain numbers: the library's own take a lock for each of three numbers of a call."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._seconds: dict[str, float] = {}
        self._buckets: dict[str, list[int]] = {}

    def count(self, method: str, code: str, seconds: float) -> None:
        """Count a call."""
        key = (method, code)
        self._counts[key] = self._counts.get(key, 0) + 1
        buckets = self._buckets.get(method)
        if buckets is None:
            buckets = self._buckets[method] = [0] * (len(_SECONDS) + 1)
            self._seconds[method] = 0.0
        buckets[bisect_left(_SECONDS, seconds)] += 1
        self._seconds[method] += seconds

    def collect(self) -> Iterator[Metric]:
        """What was counted, as the library shows it."""
        calls = CounterMetricFamily("headgate_rpc", "Calls that ended, by method and code.", labels=["method", "code"])
        for labels, count in self._counts.items():
            calls.add_metric(labels, count)
        seconds = HistogramMetricFamily("headgate_rpc_seconds", "How long calls took.", labels=["method"])
        for method, buckets in self._buckets.items():
            sums = zip([*map(floatToGoString, _SECONDS), "+Inf"], accumulate(buckets), strict=True)
            seconds.add_metric([method], list(sums), self._seconds[method])
        yield from (calls, seconds)


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = EndedCalls()
        self.registry.register(self._calls)
        self._groups = Histogram(
            "headgate_commit_group_size",
            "Commits that went to Redis together.",
            buckets=_SIZES,
            registry=self.registry,
        )

    def rpc_ended(self, method: str, code: str, seconds: float) -> None:
        """Count a call."""
        self._calls.count(method, code, seconds)

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
