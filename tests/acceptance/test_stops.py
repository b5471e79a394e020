"""N8, N15: what was stopped is not called failed, nothing starts after a cancel, and others' hands are followed."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.calls import CreateInstances, StartInstances, StopInstances
from headgate_worker.core.view import Policy
from tests.acceptance.test_parents import states
from tests.acceptance.virtual import Fixed, World, backfill, rules
from tests.simulator.chance import Fate
from tests.simulator.upstream import NOT_RUN, RUNNING

STOP_MS = (0, 5_000, 60_000, 300_000, 590_000)


def cancelled(
    *,
    at_ms: int = 60_000,
    chance: Fixed | None = None,
    mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_STOP,
    **fields: object,
) -> tuple[World, int]:
    """A backfill of four dates that is cancelled while the first runs, and when."""
    world = World(backfill(4), rules=rules(run_ms=(1_800_000, 1_800_000), **fields), chance=chance).run_to(at_ms)
    world.cancel(mode)
    when = world.timeline.now_ms
    return world.run(), when


def starters(world: World, since_ms: int) -> list[object]:
    """What could make or start something, sent after a time."""
    return [
        call for at, call in world.ledger.calls if at > since_ms and isinstance(call, StartInstances | CreateInstances)
    ]


@pytest.mark.parametrize("stop_ms", STOP_MS)
@pytest.mark.parametrize("not_run_fails", [False, True])
def test_what_was_stopped_is_stopped_however_long_it_takes(stop_ms: int, *, not_run_fails: bool) -> None:
    world, when = cancelled(stop_ms=stop_ms, stop_not_run_fails=not_run_fails)

    assert world.job.state == pb.JOB_STATE_CANCELLED
    assert states(world)[0] == "STOPPED"
    assert "FAILED" not in states(world)
    assert not starters(world, when)
    assert not [one for one in world.cloud.instances.values() if one.status == RUNNING]


@pytest.mark.parametrize("at_ms", [10, 500, 900, 1_200, 1_500, 3_000, 60_000])
@pytest.mark.parametrize("fate", [Fate.LOST_REQUEST, Fate.LOST_REPLY, Fate.BROKEN])
def test_a_stop_whose_reply_is_lost_is_asked_for_again(at_ms: int, fate: Fate) -> None:
    world, when = cancelled(at_ms=at_ms, chance=Fixed(0, {(StopInstances, 1): fate, (StopInstances, 2): fate}))

    assert world.job.state == pb.JOB_STATE_CANCELLED
    assert "FAILED" not in states(world)
    assert not starters(world, when + 10)  # one may have gone out before the wish was on record
    assert not [one for one in world.cloud.instances.values() if one.status == RUNNING]


def test_a_stop_that_never_settles_asks_a_person_and_names_the_instance() -> None:
    world, _ = cancelled(stop_sticks=1.0)

    assert world.job.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert str(world.instance(0).id) in str(world.job.error)
    waited_ms = world.timeline.now_ms - world.job.cancel.request_time.ToMilliseconds()
    assert waited_ms <= Policy().stop_watchdog_ms + 60_000


def test_a_drain_lets_what_runs_run_and_starts_nothing_more() -> None:
    world, when = cancelled(mode=pb.CANCEL_MODE_DRAIN)

    assert world.job.state == pb.JOB_STATE_CANCELLED
    assert states(world)[0] == "SUCCEEDED"
    assert len(world.ledger.began_ms) == 1
    assert not starters(world, when)


def test_what_somebody_starts_in_the_console_is_followed_as_theirs() -> None:
    """Every start of the job is lost on the way; meanwhile a person starts the first date."""
    chance = Fixed(0, {(StartInstances, n): Fate.LOST_REQUEST for n in range(1, 4)})
    world = World(backfill(2, start_mode=pb.START_MODE_HEADGATE), rules=rules(run_ms=(60_000, 60_000)), chance=chance)
    world.run(lambda of: any(isinstance(call, StartInstances) for _, call in of.ledger.calls))
    world.cloud.begin(world.instance(0), "operator")
    world.run()

    assert world.job.state == pb.JOB_STATE_SUCCEEDED
    assert world.job.runs[0].started_by == pb.STARTED_BY_OPERATOR
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
