"""Read a job's event log as a chart: who ran when in which lane, what waited, and when it will be over. Pure.

A lane is a place for one run at a time: as many lanes as runs ran side by side. Nothing but events is used, so that a
chart of any revision can be drawn again, years later and without a server.
"""

import heapq
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headgate import pb
from headgate.job.event_log import fold
from headgate.job.lifecycle import JOB_TERMINAL, RUN_TERMINAL
from headgate_cli.views.timeline import RunLane, Span, Timeline, after_event, after_snapshot, ordered

WORKING = frozenset({pb.RUN_STATE_STARTING, pb.RUN_STATE_RUNNING})
"""States of a run that takes a place in a lane."""

_AHEAD = frozenset({pb.RUN_STATE_PLANNED, pb.RUN_STATE_CREATING, pb.RUN_STATE_CREATED, pb.RUN_STATE_BLOCKED})
_MOVING = frozenset({pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING})
_MARKS = {
    pb.EVENT_TYPE_THROTTLED: "q",
    pb.EVENT_TYPE_RETRY_SCHEDULED: "r",
    pb.EVENT_TYPE_RECONCILED: "r",
    pb.EVENT_TYPE_RETRY_REQUESTED: "r",
    pb.EVENT_TYPE_WARNING: "!",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A run took a place from `start` (seconds since 1970) to `end`; None while it still does."""

    run: pb.InstanceRun
    start: float
    end: float | None
    ending: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """Something happened at `moment` (seconds since 1970): "q" a wait for quota, "r" a retry, "!" a warning."""

    moment: float
    sign: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A job by its log: the job, its lanes, when how many were blocked, marks; times in seconds since 1970."""

    job: pb.Job
    lanes: tuple[tuple[Bar, ...], ...] = ()
    blocked: tuple[tuple[float, float | None], ...] = ()
    marks: tuple[Mark, ...] = ()
    begin: float = 0.0
    last: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.job.state in JOB_TERMINAL


class ChartReader:
    """A chart in the making: fed event by event from revision 1 on, or from where a job stands."""

    def __init__(self, job: pb.Job | None = None) -> None:
        self.job = job or pb.Job()
        self._begun = job is not None
        self._timeline = after_snapshot(job) if job else Timeline()
        self._marks: list[Mark] = []

    def take(self, event: pb.JobEvent) -> None:
        """Take in the next event.

        Raises:
            ValueError: it does not follow the one before.
        """
        self.job = fold(self.job if self._begun else None, event)
        self._begun = True
        self._timeline = after_event(self._timeline, event)
        attention = event.state == pb.JOB_STATE_NEEDS_ATTENTION and event.type == pb.EVENT_TYPE_STATE_CHANGED
        if sign := "!" if attention else _MARKS.get(event.type, ""):
            self._marks.append(Mark(event.event_time.ToNanoseconds() / 1e9, sign))

    def chart(self) -> Chart:
        """The chart as it stands."""
        found = ordered(self._timeline)
        bars = [bar for lane in found for bar in _bars(lane, self._timeline.begin)]
        blocked = tuple(stretch for lane in found for stretch in _stretches(lane.spans, {pb.RUN_STATE_BLOCKED}))
        begin, last = self._timeline.begin, self._timeline.last
        return Chart(self.job, packed(bars), blocked, tuple(self._marks), begin, last)


def read(events: Iterable[pb.JobEvent]) -> Chart:
    """The chart of a log, or of its beginning; ValueError when events are missing."""
    reading = ChartReader()
    for event in events:
        reading.take(event)
    return reading.chart()


def packed(bars: Iterable[Bar]) -> tuple[tuple[Bar, ...], ...]:
    """Put bars into as few lanes as there ever were at a time, the earliest first."""
    lanes: list[list[Bar]] = []
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for bar in sorted(bars, key=lambda bar: (bar.start, bar.run.index)):
        while busy and busy[0][0] <= bar.start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            lanes.append([])
            free.append(len(lanes) - 1)
        lane = heapq.heappop(free)
        lanes[lane].append(bar)
        heapq.heappush(busy, (float("inf") if bar.end is None else bar.end, lane))
    return tuple(tuple(lane) for lane in lanes)


def eta(chart: Chart, now: float) -> float | None:
    """When the job will be over, by the median of the runs that have succeeded; None when that is not known."""
    took = [bar.end - bar.start for bar in _all(chart) if bar.end and bar.ending == pb.RUN_STATE_SUCCEEDED]
    if chart.job.state not in _MOVING or not took:
        return None
    typical = statistics.median(took)
    places = max(len(chart.lanes), chart.job.backfill.default_run_properties.parallelism, 1)
    running = [bar for bar in _all(chart) if bar.end is None]
    free = [max(now, bar.start + typical) for bar in running] + [now] * max(0, places - len(running))
    heapq.heapify(free)
    last = max((max(now, bar.start + typical) for bar in running), default=now)
    for _ in range(sum(run.state in _AHEAD for run in chart.job.runs)):
        end = free[0] + typical
        heapq.heapreplace(free, end)
        last = max(last, end)
    return last


def _all(chart: Chart) -> Iterable[Bar]:
    return (bar for lane in chart.lanes for bar in lane)


def _bars(lane: RunLane, begin: float) -> Iterable[Bar]:
    """When a run worked: as events saw it, and where upstream's own times lie within that, as upstream says."""
    ends = {span.start: span.state for span in lane.spans if span.state in RUN_TERMINAL}
    started, finished = (moment.ToNanoseconds() / 1e9 for moment in (lane.run.started_time, lane.run.finished_time))
    stretches = [*_stretches(lane.spans, WORKING)]
    if not stretches and lane.is_ended and begin <= started <= finished <= lane.spans[-1].start:
        stretches = [(started, lane.spans[-1].start)]  # it began and ended between two reads
    for start, end in stretches:
        first = started if begin <= started < start and (end is None or finished <= end) else start
        last = finished if end is not None and first <= finished < end else end
        yield Bar(lane.run, first, last, ends.get(end, 0) if end is not None else 0)


def _stretches(spans: Sequence[Span], states: Iterable[int]) -> Iterable[tuple[float, float | None]]:
    """From when to when a run was in one of these states without a break; an open end is None."""
    wanted, start = frozenset(states), None
    for span in spans:
        if span.state in wanted and start is None:
            start = span.start
        elif span.state not in wanted and start is not None:
            yield start, span.start
            start = None
    if start is not None:
        yield start, None
