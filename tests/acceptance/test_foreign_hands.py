"""N15: what others do to the instances of a job, in the console or by another tool, is followed whenever they do it."""

from __future__ import annotations

from itertools import product

import pytest

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_worker.core.model.calls import StartInstances
from headgate_worker.core.model.view import Policy
from tests.acceptance.test_parents import states
from tests.acceptance.virtual import Fixed, World, backfill, rules
from tests.simulator.chance import Fate
from tests.simulator.upstream import ENDED, FAILURE, NOT_RUN, RUNNING, SUCCESS, Instance

pytestmark = pytest.mark.slow

MOMENTS_MS = (2_000, 60_000, 650_000, 900_000, 1_700_000, 1_900_000)
ENDS = {SUCCESS: "SUCCEEDED", FAILURE: "FAILED"}


def meddle(world: World, one: Instance, what: str) -> bool:
    """Somebody does something to an instance; False where the console would not let them."""
    one.touched = True
    if what == "start" and one.status != RUNNING:
        world.cloud.begin(one, "operator")
    elif what == "stop" and one.status not in ENDED:
        world.cloud.halt(one)
    elif what in ("succeed", "fail") and one.status == RUNNING:
        world.cloud.end(one, SUCCESS if what == "succeed" else FAILURE)
    else:
        return False
    return True


@pytest.mark.parametrize("what", ["start", "stop", "succeed", "fail"])
@pytest.mark.parametrize("mode", ["success_only", "any_end", "never"])
def test_whatever_somebody_does_at_whatever_moment_is_followed(mode: str, what: str) -> None:
    done = 0
    for at_ms, number in product(MOMENTS_MS, range(3)):
        world = World(backfill(3, on_failure=pb.ON_FAILURE_CONTINUE), rules=rules(auto_start=(mode,))).run_to(at_ms)
        one = world.instance(number)
        began, first_end = len(world.ledger.began_ms.get(one.id, [])), one.status
        done += meddle(world, one, what)
        world.run()

        # The first end that was seen stands: who runs again what has ended does so for themselves.
        ends = [first_end if other is one and first_end in ENDED else other.status for other in world.made()]
        assert world.job.state in JOB_TERMINAL, (at_ms, number)
        assert states(world) == [ENDS[end] for end in ends], (at_ms, number)
        own = {key: times for key, times in world.ledger.began_ms.items() if key != one.id}
        assert {len(times) for times in own.values()} == {1}, (at_ms, number)
        assert len(world.ledger.began_ms[one.id]) <= max(1, began + (what == "start")), (at_ms, number)
    assert done >= 4


def test_what_somebody_starts_while_a_start_is_in_doubt_is_followed_and_told_as_nobodys() -> None:
    """Every start of the job is lost on the way; meanwhile a person starts the first date. Who did can't be told."""
    chance = Fixed(0, {(StartInstances, n): Fate.LOST_REQUEST for n in range(1, 4)})
    world = World(backfill(2, start_mode=pb.START_MODE_HEADGATE), rules=rules(run_ms=(60_000, 60_000)), chance=chance)
    world.run(lambda of: any(isinstance(call, StartInstances) for _, call in of.ledger.calls))
    world.cloud.begin(world.instance(0), "operator")
    world.run()

    assert world.job.state == pb.JOB_STATE_SUCCEEDED
    assert world.job.runs[0].started_by == pb.STARTED_BY_UNSPECIFIED
    assert {len(began) for began in world.ledger.began_ms.values()} == {1}


def test_what_somebody_stops_in_the_console_is_known_within_a_poll() -> None:
    world = World(backfill(1)).run_to(300_000)
    world.cloud.halt(world.instance(0))
    world.run()

    assert states(world) == ["FAILED"]
    late_ms = world.ledger.seen_ended_ms[world.instance(0).id] - world.instance(0).finished_ms
    assert late_ms <= Policy().poll_max_ms * 1.1 + 1_000


@pytest.mark.parametrize("number", range(3))
def test_a_child_that_somebody_starts_early_is_adopted_and_not_started_again(number: int) -> None:
    """Behind the job's back, and out of the order that the parallelism would set."""
    world = World(backfill(3), rules=rules(auto_start=("never",))).run_to(60_000)
    one = world.instance(number)
    if one.status == NOT_RUN:
        one.touched = True
        world.cloud.begin(one, "operator")
    world.run()

    assert states(world) == ["SUCCEEDED"] * 3
    assert {len(began) for began in world.ledger.began_ms.values()} == {1}
    by = world.job.runs[number].started_by
    assert by == (pb.STARTED_BY_OPERATOR if number else pb.STARTED_BY_HEADGATE)
