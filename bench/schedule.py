"""How short a backfill can be, and with how few calls: what the row of idle lanes compares with. Pure.

The ideal schedule is list scheduling: dates in their order, each on the lane that is free first, the failed ones
included. It knows nothing of creates, polls and chains. Durations are in ms, dates are numbered in their running order.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from headgate_worker.core.facts.durations import from_durations
from headgate_worker.core.facts.poll_schedule import expected_interval_ms
from headgate_worker.core.model.view import Policy


def ideal_ms(durations: Sequence[int], lanes: int) -> int:
    """When the last date ends if no lane ever stands idle while a date is left."""
    free = [0] * max(1, lanes)
    for took in durations:
        heapq.heapreplace(free, free[0] + took)
    return max(free)


@dataclass(frozen=True, slots=True)
class Work:
    """A backfill whose run times are known.

    Args:
        durations: how long each date ran, in ms.
        lanes: dates that may run side by side.
        ahead: most instances that may stand created and not ended.
        held: dates that upstream does not begin by itself after the date before them in their chain.
        looks: reads of a date that runs so long, from the first that shows it running to the one that shows its end,
            when for a time from its begin on nothing is known of how long dates run; both in ms.
    """

    durations: Sequence[int]
    lanes: int
    ahead: int
    looks: Callable[[int, int], int]
    held: int = 0


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of upstream by what they are for."""

    creates: int
    confirms: int
    starts: int
    reads: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.creates + self.confirms + self.starts + self.reads


def least_calls(work: Work) -> Calls:
    """The fewest calls with which no lane stands idle and every end is known as soon as the polling is to tell it.

    A create is for as many dates as may stand ahead of those that run, and is asked about once. Each instance is read
    once to learn its date. Of the dates that begin first, nothing is known before one of them has ended. The first
    create is started with one call; of a later one each lane's first date needs a call of its own, since lanes become
    free one at a time. What upstream does not begin by itself is read and started.
    """
    count, first = len(work.durations), work.durations[: work.lanes]
    known_ms = min(first, default=0)
    sizes = _creates(count, work.ahead, work.lanes)
    starts = sizes[:1] and 1 + sum(min(work.lanes, size) for size in sizes[1:])
    return Calls(
        creates=len(sizes),
        confirms=len(sizes),
        starts=(starts or 0) + work.held,
        reads=count
        + work.held
        + sum(work.looks(took, known_ms) for took in first)
        + sum(work.looks(took, 0) for took in work.durations[work.lanes :]),
    )


def _creates(count: int, ahead: int, lanes: int) -> list[int]:
    """How many dates each create is for."""
    sizes = [min(count, ahead)] if count else []
    while (left := count - sum(sizes)) > 0:
        sizes.append(min(left, max(1, ahead - lanes)))
    return sizes


def polled(durations: Sequence[int], policy: Policy) -> Callable[[int, int], int]:
    """The looks of `Work` by the workers' polling, for one who knows how long all of these dates run."""
    windows = from_durations(list(durations))

    @cache
    def looks(took: int, unknown_ms: int) -> int:
        at_ms, count = 0, 1
        while at_ms < took:
            known = windows if at_ms >= unknown_ms else ()
            at_ms, count = at_ms + expected_interval_ms(at_ms, known, policy), count + 1
        return count

    return looks
