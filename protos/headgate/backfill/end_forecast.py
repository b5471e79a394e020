"""When a backfill that runs will end: the middle and a bound for nine cases of ten, from its own dates so far. Pure.

Lanes run side by side, as many as the parallelism. What each has to do still is a mean and a variance: the rest of the
date that runs, the dates that wait behind it, and its share of those that have no instance yet. The job ends with the
last lane. Nothing is drawn: quantiles of the latest of several normal variables are found by halving. ADR 0032.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import erf, sqrt
from statistics import fmean
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.backfill import date_retries, dates
from headgate.process.wait_bounds import WaitBounds

MOST_SEEN: Final = 250
"""Durations that are looked back on, the latest."""

UNKNOWN_SPREAD: Final = 0.35
"""Standard deviation of a duration, as a share of it, before anything is known; weighs as much as PRIOR_DATES dates."""

PRIOR_DATES: Final = 3

LEAST_OF_KIND: Final = 4
"""Weekend dates, and others, that must have run before the two are timed separately."""

MODEL_ERROR: Final = 0.03
"""What the model itself is off by, as a share of the time that is left; one standard deviation."""

CREATED_AHEAD: Final = 60
"""Instances that stand created ahead where the spec does not say."""

BEGUN: Final = frozenset({pb.RUN_STATE_STARTING, pb.RUN_STATE_RUNNING})
_READY: Final = frozenset({pb.RUN_STATE_CREATED, pb.RUN_STATE_BLOCKED})
_UNMADE: Final = frozenset({pb.RUN_STATE_PLANNED, pb.RUN_STATE_CREATING})

_NINE_OF_TEN: Final = 1.2816
"""The 0.9 quantile of a standard normal variable."""


@dataclass(frozen=True, slots=True)
class LaneLoad:
    """What a lane has to do still: mean in seconds and variance."""

    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class ForecastKind:
    """How long dates of a kind take, in seconds.

    Args:
        mean: in the mean.
        variance: of one of them.
        error: variance of the mean itself.
    """

    mean: float
    variance: float
    error: float


@dataclass(frozen=True, slots=True)
class ForecastBasis:
    """What the dates so far say.

    Args:
        plain: of a date from Monday to Friday, or of any where the two are not separate.
        weekend: of a date at a weekend.
        gap: seconds between the end of a date and the start of the next one on its lane, in the mean.
        failed_share: of tries, 0 to 1.
        succeeded: how many dates have succeeded.
    """

    plain: ForecastKind
    weekend: ForecastKind
    gap: float
    failed_share: float
    succeeded: int

    def of(self, run: pb.InstanceRun) -> ForecastKind:
        """What is expected of a date."""
        return self.weekend if _is_weekend(run) else self.plain


def forecast(job: pb.Job, now_ms: int, waits: WaitBounds) -> pb.JobForecast | None:
    """When a backfill ends; None where that is not known: it does not run, or no date of it has succeeded yet."""
    if job.state != pb.JOB_STATE_RUNNING or not job.HasField("backfill"):
        return None
    history = history_of(job.runs)
    if history is None:
        return None
    again = date_retries.awaiting(job)
    left = [run for run in job.runs if run.state in BEGUN | _READY | _UNMADE]
    middle, late = _quantiles(job, history, left, len(again), now_ms / 1000, waits)
    found = pb.JobForecast(
        succeeded_dates=history.succeeded, left_dates=len(left) + len(again), failed_share=history.failed_share
    )
    found.mean_duration.FromMilliseconds(round(history.plain.mean * 1000))
    found.forecast_time.FromMilliseconds(now_ms)
    found.p50_end_time.FromMilliseconds(now_ms + round(middle * 1000))
    found.p90_end_time.FromMilliseconds(now_ms + round(late * 1000))
    return found


def history_of(runs: Iterable[pb.InstanceRun]) -> ForecastBasis | None:
    """What the dates of a job say that have run; None where none has succeeded."""
    done, tries, failed = [], 0, 0
    for run in runs:
        if run.state == pb.RUN_STATE_SUCCEEDED and run.HasField("started_time") and run.HasField("finished_time"):
            done.append(run)
        tries += run.retries + (run.state in (pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED))
        failed += run.retries + (run.state == pb.RUN_STATE_FAILED)
    spans = sorted(((_seconds(run.started_time), _seconds(run.finished_time), run) for run in done), key=_by_start)
    spans = spans[-MOST_SEEN:]
    if not spans:
        return None
    weekend = [end - start for start, end, run in spans if _is_weekend(run)]
    other = [end - start for start, end, run in spans if not _is_weekend(run)]
    if min(len(weekend), len(other)) < LEAST_OF_KIND:
        weekend = other = weekend + other
    kinds = _kind(other), _kind(weekend)
    gap = _gap([(start, end) for start, end, _ in spans], fmean(end - start for start, end, _ in spans))
    return ForecastBasis(*kinds, gap, failed / max(1, tries), len(done))


def _kind(took: Sequence[float]) -> ForecastKind:
    mean, count = max(0.001, fmean(took)), len(took)
    squares = sum((one - mean) ** 2 for one in took) + PRIOR_DATES * (UNKNOWN_SPREAD * mean) ** 2
    variance = squares / max(1, count - 1 + PRIOR_DATES)
    return ForecastKind(mean, variance, variance / count * _togetherness(took, mean, variance))


def _togetherness(took: Sequence[float], mean: float, variance: float) -> float:
    """By how much the mean is less certain than that of independent durations, 1 to 20: neighbours may be alike."""
    if len(took) < 10:
        return 1.0
    product = sum((one - mean) * (other - mean) for one, other in pairwise(took)) / (len(took) - 1)
    alike = max(0.0, min(0.9, product / variance))
    return (1 + alike) / (1 - alike)


def _gap(spans: Sequence[tuple[float, float]], longest: float) -> float:
    """Seconds between the end of a date and the start of the next one on its lane; a pause counts as `longest`."""
    ends: list[float] = []
    gaps = []
    for start, end in spans:
        if ends and ends[0] <= start:
            gaps.append(min(longest, start - heapq.heappop(ends)))
        heapq.heappush(ends, end)
    return fmean(gaps) if gaps else 0.0


def _quantiles(
    job: pb.Job, history: ForecastBasis, left: list[pb.InstanceRun], again: int, now: float, waits: WaitBounds
) -> tuple[float, float]:
    """In how many seconds the job is over: the middle, and the bound for nine cases of ten."""
    width = max(1, job.backfill.default_run_properties.parallelism)
    loads, unmade = _lanes(history, left, width, now)
    total = sum(load.mean for load in loads) + unmade.mean
    shared = _error(history, left) / width**2
    level = max(total / width, 0.0)
    if unmade.mean and level >= max(load.mean for load in loads):
        ahead = job.backfill.max_created_ahead or CREATED_AHEAD
        chain = max(1.0, min(ahead / 2, unmade.mean / (history.plain.mean + history.gap)) / width)
        lane = LaneLoad(level, history.plain.variance * chain)
        shared += max(0.0, sum(load.variance for load in loads) + unmade.variance - width * lane.variance) / width**2
        loads = [lane] * width
    middle, late = latest(loads, 0.5), latest(loads, 0.9)
    extra = _again(job, history, left, again, width, waits)
    spread = (late - middle) / _NINE_OF_TEN
    middle += extra.mean
    whole = sqrt(spread**2 + shared + extra.variance + (MODEL_ERROR * middle) ** 2)
    return middle, middle + _NINE_OF_TEN * whole


def _lanes(
    history: ForecastBasis, left: Sequence[pb.InstanceRun], width: int, now: float
) -> tuple[list[LaneLoad], LaneLoad]:
    """What each lane has to do of what has an instance, and what all of them have to do of what has none."""
    ids = {run.workflow_instance_id for run in left if run.workflow_instance_id}
    behind: dict[int, list[pb.InstanceRun]] = {}
    for run in left:
        if run.state == pb.RUN_STATE_BLOCKED and run.blocked_by_id in ids:
            behind.setdefault(run.blocked_by_id, []).append(run)
    lanes = [_chain(history, run, _rest(history, run, now), behind) for run in left if run.state in BEGUN]
    lanes += [LaneLoad(0.0, 0.0)] * (width - len(lanes))
    heads = [run for run in left if run.state in _READY and not _waits(run, ids)]
    _share_out(lanes, [_chain(history, run, _one(history, run), behind) for run in heads])
    unmade = [_one(history, run) for run in left if run.state in _UNMADE]
    return lanes, LaneLoad(sum(load.mean for load in unmade), sum(load.variance for load in unmade))


def _waits(run: pb.InstanceRun, ids: Container[int]) -> bool:
    return run.state == pb.RUN_STATE_BLOCKED and run.blocked_by_id in ids


def _share_out(lanes: list[LaneLoad], chains: Iterable[LaneLoad]) -> None:
    """Give each chain to the lane that is free first."""
    free = [(load.mean, n) for n, load in enumerate(lanes)]
    heapq.heapify(free)
    for chain in chains:
        _, n = free[0]
        lanes[n] = LaneLoad(lanes[n].mean + chain.mean, lanes[n].variance + chain.variance)
        heapq.heapreplace(free, (lanes[n].mean, n))


def _chain(
    history: ForecastBasis, head: pb.InstanceRun, first: LaneLoad, behind: dict[int, list[pb.InstanceRun]]
) -> LaneLoad:
    """A date, and those that wait behind it."""
    mean, variance = first.mean, first.variance
    ids = [head.workflow_instance_id]
    while ids:
        for run in behind.pop(ids.pop(), ()):
            ids.append(run.workflow_instance_id)
            one = _one(history, run)
            mean, variance = mean + one.mean, variance + one.variance
    return LaneLoad(mean, variance)


def _one(history: ForecastBasis, run: pb.InstanceRun) -> LaneLoad:
    kind = history.of(run)
    return LaneLoad(kind.mean + history.gap, kind.variance)


def _rest(history: ForecastBasis, run: pb.InstanceRun, now: float) -> LaneLoad:
    """How long a date goes on that runs: as it was expected, or a share of what it takes already."""
    kind = history.of(run)
    deviation = sqrt(kind.variance)
    gone = max(0.0, now - _seconds(run.started_time)) if run.HasField("started_time") else 0.0
    if gone <= kind.mean - deviation:
        return LaneLoad(kind.mean - gone, kind.variance)
    overdue = gone / 5 if gone > kind.mean + deviation else 0.0
    rest = max(deviation / 2, (kind.mean + deviation - gone) / 2, overdue)
    return LaneLoad(rest, rest**2 / 2)


def _error(history: ForecastBasis, left: list[pb.InstanceRun]) -> float:
    """Variance of all that is left, as the means may be wrong."""
    weekend = sum(_is_weekend(run) for run in left)
    if history.plain is history.weekend or history.plain == history.weekend:
        return len(left) ** 2 * history.plain.error
    return (len(left) - weekend) ** 2 * history.plain.error + weekend**2 * history.weekend.error


def _again(
    job: pb.Job, history: ForecastBasis, left: list[pb.InstanceRun], again: int, width: int, waits: WaitBounds
) -> LaneLoad:
    """What further tries take: of the dates that have failed, and of those that will, by the share that has."""
    most = max(1, job.backfill.max_attempts_per_date)
    expected = again + len(left) * history.failed_share
    if most == 1 or not expected:
        return LaneLoad(0.0, 0.0)
    kind, halts = history.plain, job.backfill.on_failure in (pb.ON_FAILURE_UNSPECIFIED, pb.ON_FAILURE_HALT)
    if halts:  # all lanes come to rest before each try
        each = waits.retry_min_ms / 1000 + history.gap + kind.mean * (width - 1) / width / 2
        each += kind.mean / width
        return LaneLoad(expected * each, max(1.0, expected) * each**2)
    share, mean, variance = history.failed_share, 0.0, 0.0
    for n in range(most - 1):
        waited = waits.retry_ms(n) / 1000 + history.gap
        rounds = expected / width if expected >= width else min(1.0, expected)
        took = rounds * kind.mean + min(1.0, expected) * waited
        mean, variance = mean + took, variance + min(1.0, expected) * (kind.variance + took * kind.mean / 2)
        expected *= share
    return LaneLoad(mean, variance)


def latest(loads: Sequence[LaneLoad], share: float) -> float:
    """In how many seconds all lanes are done in a share of all cases, by normal distributions."""
    low = 0.0
    high = max((load.mean + 6 * sqrt(load.variance) for load in loads), default=0.0)
    for _ in range(40):
        middle = (low + high) / 2
        if _all_by(loads, middle) < share:
            low = middle
        else:
            high = middle
    return high


def _all_by(loads: Sequence[LaneLoad], moment: float) -> float:
    chance = 1.0
    for load in loads:
        deviation = sqrt(load.variance)
        if deviation:
            chance *= 0.5 * (1 + erf((moment - load.mean) / deviation / sqrt(2)))
        elif moment < load.mean:
            return 0.0
    return chance


def _is_weekend(run: pb.InstanceRun) -> bool:
    return run.HasField("biz_date") and dates.from_message(run.biz_date).weekday() >= 5


def _seconds(moment: Timestamp) -> float:
    seconds: int = moment.seconds
    return seconds + moment.nanos / 1e9


def _by_start(span: tuple[float, float, pb.InstanceRun]) -> float:
    return span[0]
