"""Figures of a worker for Prometheus, read from its parts when they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sized
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from headgate.process.exposure import Exposure

Family = GaugeMetricFamily | CounterMetricFamily


class LaneCounts(Protocol):
    """A lane of entries: those that run now, and how many were run."""

    jobs_complete: int

    @property
    def running(self) -> Sized:
        """The entries that run now."""


class ReaperCounts(Protocol):
    """Rounds over late ticks: how many were seen, and what became of them."""

    late: int
    requeued: int

    @property
    def given_up(self) -> int:
        """Jobs that were given up."""


class CheckCounts(Protocol):
    """Daily self-checks: how many jobs were checked, and what was found."""

    checked: int
    findings: int


class NotificationCounts(Protocol):
    """Notifications: what became of them, and of the feed that they are made of."""

    gaps: int
    untold: int
    leads: bool

    @property
    def by_outcome(self) -> Mapping[tuple[str, str], int]:
        """By endpoint and outcome."""

    @property
    def waiting(self) -> Mapping[str, int]:
        """By endpoint."""


class _Notifications(Collector):
    def __init__(self, counts: NotificationCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Family]:
        found = self._counts
        said = "Notifications that were delivered or dropped, and requests for them that failed."
        done = CounterMetricFamily("headgate_worker_notifications", said, labels=["endpoint", "outcome"])
        for (endpoint, outcome), count in list(found.by_outcome.items()):
            done.add_metric([endpoint, outcome], count)
        waits = "Notifications that wait, or are under way, at this worker."
        waiting = GaugeMetricFamily("headgate_worker_notifications_waiting", waits, labels=["endpoint"])
        for endpoint, count in list(found.waiting.items()):
            waiting.add_metric([endpoint], count)
        yield from (done, waiting)
        gaps = "How often events were gone from the feed before they were looked at."
        yield CounterMetricFamily("headgate_worker_notification_gaps", gaps, value=found.gaps)
        untold = "Events that were not told since their job was deleted by then, or can't be read."
        yield CounterMetricFamily("headgate_worker_notification_untold", untold, value=found.untold)
        leads = "Whether this worker sends the notifications."
        yield GaugeMetricFamily("headgate_worker_notifier", leads, value=int(found.leads))


class _Parts(Collector):
    def __init__(self, ticks: LaneCounts, reads: LaneCounts, reaper: ReaperCounts, checks: CheckCounts) -> None:
        self._checks = checks
        self._lanes = {"ticks": ticks, "reads": reads}
        self._reaper = reaper

    def collect(self) -> Iterator[Family]:
        running = GaugeMetricFamily("headgate_worker_running", "Entries that run now.", labels=["lane"])
        done = CounterMetricFamily("headgate_worker_entries", "Entries that were run.", labels=["lane"])
        for name, lane in self._lanes.items():
            running.add_metric([name], len(lane.running))
            done.add_metric([name], lane.jobs_complete)
        yield running
        yield done
        yield CounterMetricFamily("headgate_worker_late", "Late ticks that were seen.", value=self._reaper.late)
        requeued = "Late jobs whose entry was lost, and that were rung for."
        yield CounterMetricFamily("headgate_worker_rung", requeued, value=self._reaper.requeued)
        left = "Jobs that were given up since they can't be read, or not be ended."
        yield CounterMetricFamily("headgate_worker_given_up", left, value=self._reaper.given_up)
        checked = "Jobs of the daily self-check."
        yield CounterMetricFamily("headgate_worker_self_checked", checked, value=self._checks.checked)
        wrong = "What was not as it has to be in those jobs; the log names it."
        yield CounterMetricFamily("headgate_worker_self_check_findings", wrong, value=self._checks.findings)


def registry(
    ticks: LaneCounts,
    reads: LaneCounts,
    reaper: ReaperCounts,
    checks: CheckCounts,
    exposures: Collection[Exposure] = (),
    notifications: NotificationCounts | None = None,
) -> CollectorRegistry:
    """The figures of one worker."""
    found = CollectorRegistry()
    found.register(_Parts(ticks, reads, reaper, checks))
    if notifications is not None:
        found.register(_Notifications(notifications))
    shown = Gauge("headgate_insecure", "Whether this is open beyond the machine.", ["fact"], registry=found)
    for fact in (Exposure.PLAINTEXT_UPSTREAM, Exposure.PLAINTEXT_WEBHOOK):
        shown.labels(fact.value).set(fact in exposures)
    return found
