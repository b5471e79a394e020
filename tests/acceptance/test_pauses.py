"""A pause holds a backfill at a date's boundary; what upstream was told before, it may still do."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.calls import CreateInstances, StartInstances
from tests.acceptance.test_parents import WORLDS, states
from tests.acceptance.virtual import World, backfill, rules
from tests.simulator.callers import Callers

HOUR_MS = 3_600_000


class Patient(Callers):
    """Somebody who resumes only when told to."""

    def pause(self) -> None:
        """PauseJob."""
        self._commit(pb.EVENT_TYPE_PAUSE_REQUESTED, pb.JOB_STATE_PAUSED)


def paused(modes: tuple[str, ...], *, ahead: int, parallelism: int = 1) -> tuple[World, Patient]:
    """A backfill of six dates that was paused while its first ran, long after."""
    spec = backfill(6, parallelism=parallelism, max_created_ahead=ahead)
    world = World(spec, rules=rules(auto_start=modes)).run_to(60_000)
    caller = Patient(world.timeline, world.chance, world.store, world.cloud)
    caller.pause()
    since_ms = world.timeline.now_ms
    world.pass_ms(5 * HOUR_MS)
    late = [call for at, call in world.ledger.calls if at > since_ms]
    assert not [call for call in late if isinstance(call, StartInstances | CreateInstances)]
    return world, caller


def resumed(world: World, caller: Patient) -> World:
    """The same, after somebody has let it go on."""
    caller.resume()
    world.run()
    assert states(world) == ["SUCCEEDED"] * 6
    assert {len(began) for began in world.ledger.began_ms.values()} == {1}
    return world


@pytest.mark.parametrize("parallelism", [1, 2])
@pytest.mark.parametrize("modes", WORLDS.values(), ids=WORLDS)
def test_a_pause_holds_at_the_boundary_where_no_more_is_made_than_may_run(
    modes: tuple[str, ...], parallelism: int
) -> None:
    """Then no date waits upstream, which could let it go by itself."""
    world, caller = paused(modes, ahead=parallelism, parallelism=parallelism)

    assert world.job.state == pb.JOB_STATE_PAUSED
    assert states(world) == ["SUCCEEDED"] * parallelism + ["PLANNED"] * (6 - parallelism)
    resumed(world, caller)


def test_a_pause_holds_at_the_boundary_where_upstream_starts_nothing_by_itself() -> None:
    world, caller = paused(("never",), ahead=6)

    assert world.job.state == pb.JOB_STATE_PAUSED
    assert states(world) == ["SUCCEEDED"] + ["BLOCKED"] * 5
    resumed(world, caller)


@pytest.mark.parametrize("ahead", [3, 6])
def test_dates_that_wait_upstream_go_on_where_upstream_lets_them(ahead: int) -> None:
    """PauseJob says so: to keep them back too takes a cancel, or a window no wider than the parallelism."""
    world, caller = paused(("success_only",), ahead=ahead)

    assert states(world) == ["SUCCEEDED"] * ahead + ["PLANNED"] * (6 - ahead)
    assert world.job.state == (pb.JOB_STATE_SUCCEEDED if ahead == 6 else pb.JOB_STATE_PAUSED)
    if ahead < 6:
        resumed(world, caller)
