"""HALT stops what has not begun, and nothing that runs: what upstream has started unasked goes on to its end."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.calls import GetInstance, StopInstances
from tests.acceptance.test_parents import states
from tests.acceptance.virtual import Fixed, World, backfill, days, rules
from tests.simulator.chance import Fate
from tests.simulator.upstream import ENDED, NOT_RUN

pytestmark = pytest.mark.slow

RUN_MS = 600_000


def halted(
    *,
    mode: str = "any_end",
    dates: int = 6,
    parallelism: int = 1,
    fails: int = 0,
    chance: Fixed | None = None,
    spec: dict[str, object] | None = None,
    **fields: object,
) -> World:
    """A backfill of which one date fails; the ends of the dates that run beside it are a minute apart."""
    world = World(
        backfill(dates, parallelism=parallelism, **(spec or {})),
        rules=rules(auto_start=(mode,), **fields),
        chance=chance,
    )
    world.cloud.durations = lambda day: RUN_MS + 60_000 * (day.day if day else 0)
    world.cloud.fails = frozenset([days(dates)[fails]])
    return world.run()


def cut_short(world: World) -> list[int]:
    """Instances that were running when a stop of the job reached upstream."""
    return [one.id for one in world.cloud.instances.values() if one.stopped_running]


@pytest.mark.parametrize("parallelism", [1, 2, 3])
def test_what_upstream_has_started_after_the_failure_runs_to_its_end(parallelism: int) -> None:
    world = halted(parallelism=parallelism)

    assert cut_short(world) == []
    assert states(world)[0] == "FAILED"
    began = [bool(one.run_number) for one in world.made()]
    assert states(world)[1:] == ["SUCCEEDED" if ran else "SKIPPED" for ran in began[1:]]
    assert began.count(True) >= parallelism + 1
    assert world.job.state == pb.JOB_STATE_FAILED


@pytest.mark.parametrize("mode", ["success_only", "any_end", "never"])
@pytest.mark.parametrize("parallelism", [1, 4, 10])
def test_a_halt_reads_no_more_than_one_instance_of_each_chain(mode: str, parallelism: int) -> None:
    world = halted(mode=mode, dates=40, parallelism=parallelism)

    sent = [at for at, call in world.ledger.calls if isinstance(call, StopInstances)]
    seen_ms = world.ledger.seen_ended_ms[world.instance(0).id]
    reads = [at for at, call in world.ledger.calls if isinstance(call, GetInstance) and seen_ms <= at <= sent[-1]]
    assert len(sent) <= 2
    assert len(reads) <= parallelism + 1


@pytest.mark.parametrize("fate", [Fate.LOST_REQUEST, Fate.LOST_REPLY, Fate.APPLIED_LATE])
@pytest.mark.parametrize("stop_ms", [0, 90_000])
def test_what_a_stop_has_hit_all_the_same_is_told_as_stopped_by_headgate(fate: Fate, stop_ms: int) -> None:
    """The child begins between the read and the stop: 40 ms of them are left."""
    for delay_ms in range(0, 20_000, 500):
        chance = Fixed(0, {(StopInstances, 1): fate})
        world = halted(chance=chance, auto_start_delay_ms=delay_ms, stop_ms=stop_ms)
        for run, one in zip(world.job.runs, world.made(), strict=True):
            told = pb.RunState.Name(run.state)
            if one.stopped_running and one.status in ENDED:
                assert (run.state, run.stopped_by) == (pb.RUN_STATE_STOPPED, pb.STOPPED_BY_HEADGATE), (delay_ms, told)
                assert not run.HasField("failure_digest")
            assert run.index == 0 or run.state != pb.RUN_STATE_FAILED, delay_ms
            assert one.status != NOT_RUN or run.started_by == pb.STARTED_BY_UNSPECIFIED
