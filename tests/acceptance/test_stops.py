"""N8: what was stopped is not called failed, nothing starts after a cancel, and nothing is left running behind."""

from __future__ import annotations

from itertools import product

import pytest

from headgate import pb
from headgate_worker.core.model.calls import CreateInstances, StartInstances, StopInstances
from headgate_worker.core.model.view import Policy
from tests.acceptance.test_parents import states
from tests.acceptance.virtual import Fixed, World, backfill, rules
from tests.simulator.chance import Fate
from tests.simulator.upstream import RUNNING

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
    assert (world.job.counts.failed, world.job.counts.stopped >= 1) == (0, True)
    assert not starters(world, when)
    assert not [one for one in world.cloud.instances.values() if one.status == RUNNING]


def test_what_was_stopped_is_not_tried_again() -> None:
    world = World(backfill(3, max_attempts_per_date=3), rules=rules(run_ms=(1_800_000, 1_800_000))).run_to(60_000)
    world.cancel()
    world.run()

    assert world.job.state == pb.JOB_STATE_CANCELLED
    assert states(world) == ["STOPPED"] * 3
    assert [run.retries + run.recalls for run in world.job.runs] == [0, 0, 0]


@pytest.mark.parametrize("at_ms", [10, 500, 900, 1_200, 1_500, 3_000, 60_000])
@pytest.mark.parametrize("fate", [Fate.LOST_REQUEST, Fate.LOST_REPLY, Fate.BROKEN])
def test_a_stop_whose_reply_is_lost_is_asked_for_again(at_ms: int, fate: Fate) -> None:
    world, when = cancelled(at_ms=at_ms, chance=Fixed(0, {(StopInstances, 1): fate, (StopInstances, 2): fate}))

    assert world.job.state == pb.JOB_STATE_CANCELLED
    assert "FAILED" not in states(world)
    assert not starters(world, when + 10)  # one may have gone out before the wish was on record
    assert not [one for one in world.cloud.instances.values() if one.status == RUNNING]


@pytest.mark.parametrize("not_run_fails", [False, True])
def test_a_stop_that_never_settles_asks_a_person_and_names_that_instance_alone(*, not_run_fails: bool) -> None:
    """What was stopped before it ran is STOPPED where upstream says that it has ended, whatever its parent does."""
    world = World(backfill(4), rules=rules(run_ms=(10**9, 10**9), stop_not_run_fails=not_run_fails)).run_to(60_000)
    world.cloud.sticks = frozenset({world.instance(0).id})
    world.cancel()
    world.run()

    assert world.job.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert [str(one.id) in world.job.error.message for one in world.made()] == [True, False, False, False]
    assert states(world) == ["RUNNING", *["STOPPED" if not_run_fails else "BLOCKED"] * 3]
    waited_ms = world.timeline.now_ms - world.job.cancel.request_time.ToMilliseconds()
    assert waited_ms <= Policy().stop_watchdog_ms * 1.1 + 10_000


def test_a_drain_lets_what_runs_run_and_starts_nothing_more() -> None:
    world, when = cancelled(mode=pb.CANCEL_MODE_DRAIN)

    assert world.job.state == pb.JOB_STATE_CANCELLED
    assert states(world)[0] == "SUCCEEDED"
    assert len(world.ledger.began_ms) == 1
    assert not starters(world, when)


def test_a_detach_lets_go_of_everything_and_touches_nothing() -> None:
    world, when = cancelled(mode=pb.CANCEL_MODE_DETACH)

    assert world.job.state == pb.JOB_STATE_CANCELLED
    assert world.timeline.now_ms - when < 1_000
    assert not [call for at, call in world.ledger.calls if at > when]
    assert world.instance(0).status == RUNNING


@pytest.mark.parametrize("start_mode", [pb.START_MODE_HEADGATE, pb.START_MODE_UPSTREAM], ids=pb.StartMode.Name)
@pytest.mark.parametrize("lag_ms", [0, 120_000])
@pytest.mark.parametrize("fate", [Fate.LOST_REQUEST, Fate.LOST_REPLY, Fate.APPLIED_LATE, Fate.BROKEN, Fate.MALFORMED])
def test_a_cancel_while_a_create_is_in_doubt_leaves_no_orphan(
    fate: Fate, lag_ms: int, start_mode: pb.StartMode.ValueType
) -> None:
    """Whatever was made is known to the job and does not run; what can't be told is told to a person."""
    for at_ms, mode in product((20, 60, 1_000, 25_000, 119_000), (pb.CANCEL_MODE_STOP, pb.CANCEL_MODE_DRAIN)):
        world = World(
            backfill(3, start_mode=start_mode),
            rules=rules(lag_ms=lag_ms, run_ms=(1_800_000, 1_800_000)),
            chance=Fixed(0, {(CreateInstances, 1): fate}),
        ).run_to(at_ms)
        world.cancel(mode)
        when = world.timeline.now_ms
        world.run()
        world.pass_ms(2 * Policy().settle_ms)  # what is still under way arrives, and would show

        made = world.cloud.instances
        assert not starters(world, when + 10), (at_ms, mode)
        assert {one.id for one in made.values()} <= {run.workflow_instance_id for run in world.job.runs}, (at_ms, mode)
        assert not [one for one in made.values() if one.status == RUNNING], (at_ms, mode)
        if made:
            assert world.job.state == pb.JOB_STATE_CANCELLED, (at_ms, mode)
        else:
            assert world.job.state in (pb.JOB_STATE_CANCELLED, pb.JOB_STATE_NEEDS_ATTENTION), (at_ms, mode)
