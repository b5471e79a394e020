"""Shares of the reads that only workers can do: how many are open, how many dates plans look up, how much is read.

A share is per caller, by its limits, and per connection, by the bounds here, so that one account that is slow, or one
that is asked a lot, leaves room for others. Everything is counted per server process.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from headgate_server.auth import rate_limit
from headgate_server.auth.rate_limit import Bucket
from headgate_server.errors.share_exceeded import exceeded, of_caller, of_connection
from headgate_server.ports.caller import Caller
from headgate_server.ports.reads import ReadCost

MAX_READS_OF_CONNECTION: Final = 2_000
"""Most open reads of one connection: half of those of the process."""

MAX_PLAN_DATES_OF_CONNECTION: Final = 11_000
"""Most dates of open plans of one connection, as many as ten of the largest have; one alone may have more."""

READ_SECONDS: Final = 1.0
"""When a read that found no room may come back."""

PLAN_SECONDS: Final = 5.0
"""When a plan that found no room may come back."""

MINUTE: Final = 60.0


class ReadShares:
    """What callers and connections have open.

    Args:
        now: seconds by a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._reads: Counter[str] = Counter()
        self._dates: Counter[str] = Counter()
        self._buckets: dict[str, Bucket] = {}

    @contextmanager
    def taken(self, caller: Caller, connection: str, cost: ReadCost) -> Iterator[None]:
        """Hold a read's place while it is open.

        Raises:
            Refused: CALLER_LIMIT, a share of the caller or of the connection is used up.
        """
        subjects = of_caller(caller.name), of_connection(connection)
        bounds = (caller.limits.max_open_reads, MAX_READS_OF_CONNECTION)
        date_bounds = (caller.limits.max_plan_dates, MAX_PLAN_DATES_OF_CONNECTION)
        for subject, bound, date_bound in zip(subjects, bounds, date_bounds, strict=True):
            if bound and self._reads[subject] >= bound:
                raise exceeded("open_reads", bound, subject, READ_SECONDS)
            dates = self._dates[subject]
            if cost.plan_dates and date_bound and dates and dates + cost.plan_dates > date_bound:
                raise exceeded("plan_dates", date_bound, subject, PLAN_SECONDS)
        if wait := self.draw(caller, cost.reads):
            limit = caller.limits.upstream_reads_per_minute
            raise exceeded("upstream_reads_per_minute", limit, subjects[0], max(READ_SECONDS, wait))
        self._count(subjects, 1, cost.plan_dates)
        try:
            yield
        finally:
            self._count(subjects, -1, -cost.plan_dates)

    def draw(self, caller: Caller, reads: int) -> float:
        """Count reads of upstream that are to be made for a caller; in how many seconds to come back, 0 for now."""
        rate = caller.limits.upstream_reads_per_minute / MINUTE
        if not rate:
            return 0.0
        now = self._now()
        bucket = self._buckets.get(caller.name) or rate_limit.full(rate, now, MINUTE)
        self._buckets[caller.name], wait = rate_limit.draw(bucket, rate, now, calls=reads, burst_seconds=MINUTE)
        return wait

    def _count(self, subjects: tuple[str, str], reads: int, dates: int) -> None:
        for subject in subjects:
            for counter, count in ((self._reads, reads), (self._dates, dates)):
                if count:
                    counter[subject] += count
                    if counter[subject] <= 0:
                        del counter[subject]
