"""Simulated years: a backfill of 365 dates as upstream runs it, in chains of creates on lanes, from one seed.

Only what a forecast is about is modelled, so that hundreds of years take seconds: durations that scatter, differ at
weekends and wander; gaps between dates, waits for quota among them; failures with further tries; a pause.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from math import exp

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.model.steps import timestamp

BEGIN_MS = 1_739_019_600_000
FIRST = date(2024, 2, 1)
DATES = 365
WINDOW = 60
GRACE_S = 90.0


@dataclass(slots=True)
class Try:
    """One run of a date, in seconds since the beginning."""

    number: int
    start: float
    end: float
    failed: bool
    waits_for: int = -1


class Year:
    """A backfill of a year, lived through to its end.

    Args:
        seed: tells all of it.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.tries: list[Try] = []
        self.chance = random.Random(f"year {self.seed}")
        pick = self.chance.choice
        self.width = pick((1, 2, 3, 5, 10))
        self.middle = 60.0 * 60 ** self.chance.random()
        self.spread = self.chance.uniform(0.05, 0.5)
        self.weekend = pick((1.0, 1.0, 0.4, 1.8))
        self.wander = pick((0.0, 0.0, 0.03))
        self.gap = pick((2.0, 5.0, 15.0, 0.2 * self.middle))
        self.fail = pick((0.0, 0.0, 0.01, 0.04))
        self.most = pick((1, 2, 3))
        self.pause = pick((0.0, 0.0, 0.0, 20 * self.middle))
        self.paused_at = self.middle * DATES / 8 / self.width
        self._level = 0.0
        self._live()

    @property
    def end(self) -> float:
        """When its last try ended."""
        return max(one.end for one in self.tries)

    def _duration(self, number: int) -> float:
        self._level = 0.98 * self._level + self.chance.gauss(0, self.wander)
        factor = self.weekend if (FIRST + timedelta(number)).weekday() >= 5 else 1.0
        return float(self.middle * factor * self.chance.lognormvariate(0, self.spread) * exp(self._level))

    def _run(self, number: int, ready: float, waits_for: int) -> Try:
        start = ready + self.chance.uniform(0.5, 1.5) * self.gap
        if self.paused_at <= start < self.paused_at + self.pause:
            start = self.paused_at + self.pause
        failed = self.chance.random() < self.fail
        took = self._duration(number) * (self.chance.uniform(0.1, 1.0) if failed else 1.0)
        one = Try(number, start, start + took, failed, waits_for)
        self.tries.append(one)
        return one

    def creates(self) -> Iterator[range]:
        """The dates of each create: all that may stand ahead, and then half of it each time."""
        made = 0
        while made < DATES:
            size = WINDOW if not made else WINDOW // 2
            yield range(made, min(DATES, made + size))
            made += size

    def _live(self) -> None:
        lanes = [0.0] * self.width
        for dates_ in self.creates():
            for chain in range(self.width):
                moment, before = heapq.heappop(lanes), -1
                for number in dates_[chain :: self.width]:
                    one = self._run(number, moment, before)
                    moment, before = one.end + (GRACE_S if one.failed else 0.0), number
                heapq.heappush(lanes, moment)
        self._try_again()

    def _try_again(self) -> None:
        failed = [one for one in self.tries if one.failed]
        for attempt in range(1, self.most):
            if not failed:
                return
            lanes = [max(one.end for one in self.tries) + min(600.0, 30.0 * 2 ** (attempt - 1))] * self.width
            again = []
            for one in failed:
                again.append(self._run(one.number, heapq.heappop(lanes), -1))
                heapq.heappush(lanes, again[-1].end)
            failed = [one for one in again if one.failed]

    def moment_of(self, share: float) -> float:
        """When a share of the dates had succeeded."""
        ends = sorted(one.end for one in self.tries if not one.failed)
        return ends[int(share * len(ends))]

    def job_at(self, moment: float) -> pb.Job:
        """The job as its record is then."""
        spec = pb.BackfillSpec(project_id=1, max_attempts_per_date=self.most, on_failure=pb.ON_FAILURE_CONTINUE)
        spec.default_run_properties.parallelism = self.width
        job = pb.Job(name="jobs/year", uid=f"year-{self.seed}", state=pb.JOB_STATE_RUNNING, backfill=spec)
        begun = {one.number: one for one in self.tries if one.start <= moment}
        ended = sum(one.end <= moment for one in begun.values())
        for number in range(DATES):
            run = job.runs.add(index=number, attempt=1, biz_date=dates.to_message(FIRST + timedelta(number)))
            self._fill(run, begun.get(number), moment, is_created=number < ended + WINDOW)
        return job

    def _fill(self, run: pb.InstanceRun, one: Try | None, moment: float, *, is_created: bool) -> None:
        if one is None:
            first = next(one for one in self.tries if one.number == run.index)
            run.state = pb.RUN_STATE_CREATED if is_created else pb.RUN_STATE_PLANNED
            if is_created and first.waits_for >= 0:
                run.state, run.blocked_by_id = pb.RUN_STATE_BLOCKED, 1 + first.waits_for
            run.workflow_instance_id = 1 + run.index if is_created else 0
            return
        run.workflow_instance_id = 1 + run.index
        run.started_time.CopyFrom(timestamp(BEGIN_MS + round(one.start * 1000)))
        run.state = pb.RUN_STATE_RUNNING
        if one.end <= moment:
            run.state = pb.RUN_STATE_FAILED if one.failed else pb.RUN_STATE_SUCCEEDED
            run.finished_time.CopyFrom(timestamp(BEGIN_MS + round(one.end * 1000)))
            run.observe_time.CopyFrom(run.finished_time)
