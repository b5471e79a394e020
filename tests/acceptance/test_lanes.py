"""No idle lane: random backfills against the ideal schedule of the same run times, and against the fewest calls."""

from __future__ import annotations

from functools import cache

import pytest

from headgate import pb
from headgate_worker.core.model.view import Policy
from headgate_worker.ticks.tick import POINTS
from tests.acceptance.lanes import Lived, live, most_side_by_side, remembered, scenario, told
from tests.acceptance.virtual import Fixed, World, backfill, days, rules

pytestmark = [pytest.mark.slow, pytest.mark.whole]

SEEDS = range(30)
FAILED_AT_MOST, AT_MOST, CALLS_AT_MOST = 1.15, 1.05, 1.3
GRACE_MS = Policy().adopt_grace_ms


@cache
def _lived(seed: int) -> Lived:
    """On a connection whose ways are known, as after its first backfill."""
    of = scenario(seed)
    return live(of, known=remembered(of.behaviour))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_lane_stands_idle_and_no_call_is_wasted(seed: int) -> None:
    """Counted from the submit to the job's end, creates and looks included."""
    lived, line = _lived(seed), told(scenario(seed), _lived(seed))

    assert lived.whole <= (FAILED_AT_MOST if scenario(seed).fails else AT_MOST), line
    assert lived.spent <= CALLS_AT_MOST, line


@pytest.mark.parametrize("seed", SEEDS)
def test_never_do_more_dates_run_side_by_side_than_were_asked_for(seed: int) -> None:
    lived = _lived(seed)

    assert lived.side_by_side <= scenario(seed).lanes, told(scenario(seed), lived)
    assert {len(began) for began in lived.world.ledger.began_ms.values()} == {1}


@pytest.mark.parametrize("seed", [1, 10, 11, 16, 19])
def test_a_connection_of_which_nothing_is_known_costs_one_grace_for_each_kind_of_end(seed: int) -> None:
    of = scenario(seed)
    lived, known = live(of), _lived(seed)

    assert lived.whole_ms <= known.whole_ms + (GRACE_MS + 20_000) * (1 + bool(of.fails)), told(of, lived)
    assert lived.world.store.written <= 4


@pytest.mark.parametrize("seed", [0, 3, 10, 19])
def test_what_is_known_wrongly_runs_nothing_twice_and_is_soon_known_better(seed: int) -> None:
    of = scenario(seed)
    wrong = "never" if of.behaviour != "never" else "any_end"

    lived = live(of, known=remembered(wrong))

    assert {len(began) for began in lived.world.ledger.began_ms.values()} == {1}
    assert lived.side_by_side <= of.lanes
    assert lived.world.job.counts.succeeded == len(of.took) - len(of.fails)
    assert lived.whole_ms <= _lived(seed).whole_ms + (GRACE_MS + 20_000) * (1 + bool(of.fails)), told(of, lived)


@pytest.mark.parametrize("mode", ["success_only", "any_end", "never"])
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_dies_while_creates_overlap_runs_no_date_twice_and_none_too_many(point: str, mode: str) -> None:
    """At each of its points in turn, from before the second create until the lanes of both have been mixed."""
    overlapped = 0
    for number in range(4, 100, 8):
        spec = backfill(12, parallelism=3, max_created_ahead=7, on_failure=pb.ON_FAILURE_CONTINUE)
        world = World(spec, rules=rules(auto_start=(mode,)), chance=Fixed(deaths={(point, number)}))
        world.store.known = remembered(mode)
        world.cloud.durations = lambda day: 20_000 + 9_000 * (day.day % 5 if day else 0)
        world.cloud.fails = frozenset(days(6)[5:])
        world.run()

        assert {len(began) for began in world.ledger.began_ms.values()} == {1}, number
        assert most_side_by_side(world) <= 3, number
        if world.job.state != pb.JOB_STATE_NEEDS_ATTENTION:  # a create that was intended, and may have been sent
            assert (world.job.counts.succeeded, world.job.counts.failed) == (11, 1), number
        overlapped += any(operation.HasField("early_start_time") for operation in world.job.operations)
    assert overlapped
