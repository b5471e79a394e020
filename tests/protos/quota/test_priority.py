"""Whose calls go first, by a model of the quota with virtual time: earlier for the urgent, never late for ever."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import pytest

from headgate.quota.priority import LONGEST_MS, NEAR_MS, SHORTEST_MS, URGENT_MS, WAIT_SHARE, Rank, again_ms

STEP_MS = 200
"""Five calls a second."""


@dataclass
class Model:
    """One rate, shared by jobs that each want one call after the other; what the script does, and the engine."""

    jobs: dict[int, int]
    tat_ms: int = 0
    urgent_ms: dict[int, int] = field(default_factory=dict)
    waits: dict[int, list[int]] = field(default_factory=dict)

    def run(self, for_ms: int) -> None:
        due = [(job % 7, job, 0) for job in self.jobs]  # when, who, since when it has asked and got none
        heapq.heapify(due)
        while due and due[0][0] < for_ms:
            now, job, since = heapq.heappop(due)
            rank = Rank(self.jobs[job], now - since if since else 0)
            start = max(now, self.tat_ms)
            limited = any(now - at < URGENT_MS for priority, at in self.urgent_ms.items() if priority > rank.priority)
            if rank.priority:
                self.urgent_ms[rank.priority] = now
            if limited and start - now > rank.reach_ms:
                heapq.heappush(due, (now + again_ms(rank, start - now), job, since or now))
                continue
            self.tat_ms = start + STEP_MS
            self.waits.setdefault(job, []).append(start - (since or now))
            heapq.heappush(due, (start + 1, job, 0))


def _mean(waits: list[int]) -> float:
    return sum(waits) / len(waits)


def test_equal_jobs_go_in_the_order_of_asking() -> None:
    model = Model(dict.fromkeys(range(50), 0))
    model.run(300_000)

    counts = [len(waits) for waits in model.waits.values()]
    assert max(counts) - min(counts) <= 2  # the window cuts some off


def test_an_urgent_job_waits_a_fraction_of_what_the_others_wait() -> None:
    model = Model({**dict.fromkeys(range(1, 200), 0), 0: 9})
    model.run(1_800_000)

    late = model.waits[0][5:]  # the first calls find slots that were given before it came
    others = [wait for job, waits in model.waits.items() if job for wait in waits[5:]]
    assert _mean(late) < _mean(others) / 2
    assert len(late) > 2 * max(len(waits) for job, waits in model.waits.items() if job)


def test_equal_jobs_below_an_urgent_one_stay_equal() -> None:
    model = Model({**dict.fromkeys(range(1, 60), 0), 0: 9})
    model.run(1_800_000)

    counts = [len(waits) for job, waits in model.waits.items() if job]
    assert min(counts) > 0.7 * max(counts)


@pytest.mark.parametrize("urgent", [10, 100])
def test_nobody_waits_for_ever_below_many_urgent_jobs(urgent: int) -> None:
    """The urgent ones alone use the rate up. A call waits no longer than WAIT_SHARE times their queue."""
    model = Model({**dict.fromkeys(range(urgent), 9), **dict.fromkeys(range(1_000, 1_020), 0)})
    model.run(3_600_000)

    least = [model.waits[job] for job in range(1_000, 1_020)]
    queue_ms = (urgent + 20) * STEP_MS
    assert all(least)
    assert max(map(max, least)) <= (1 + WAIT_SHARE) * queue_ms + 2 * LONGEST_MS


def test_what_was_told_to_wait_asks_again_soon_and_not_too_often() -> None:
    assert again_ms(Rank(), NEAR_MS + 1) == SHORTEST_MS
    assert again_ms(Rank(), NEAR_MS + 5_000) == 4_000
    assert again_ms(Rank(), 3_600_000) == LONGEST_MS


def test_priority_and_patience_reach_further() -> None:
    assert Rank().reach_ms == NEAR_MS
    assert Rank(9).reach_ms == 10 * NEAR_MS
    assert Rank(0, 40_000).reach_ms == NEAR_MS + 10_000
