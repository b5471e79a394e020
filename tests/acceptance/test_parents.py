"""N1: a date starts when its parent has ended, whoever starts it; in every world, each date ends."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.calls import StartInstances
from headgate_worker.core.model.view import Policy
from tests.acceptance.virtual import BEGIN_MS, LATENCY_MS, World, backfill, days, rules
from tests.simulator.upstream import FAILURE, SUCCESS, Instance

pytestmark = pytest.mark.slow

DATES = 12
POLL_MS = 15_000
GRACE_MS = Policy().adopt_grace_ms
WORLDS = {
    "starts children": ("success_only",),
    "starts children after any end": ("any_end",),
    "starts no child": ("never",),
    "starts some": ("success_only", "any_end", "never"),
}
ORDERS = (pb.BACKFILL_ORDER_ASC, pb.BACKFILL_ORDER_DESC)


class Mixed(World):
    """A cloud in which every third instance is of another mind."""

    def minds(self, modes: tuple[str, ...]) -> None:
        for n, one in enumerate(self.cloud.instances.values()):
            one.auto_start = modes[n % len(modes)]


def lived(
    modes: tuple[str, ...],
    *,
    parallelism: int = 1,
    order: pb.BackfillOrder.ValueType = ORDERS[0],
    batches: bool = False,
    policy: Policy | None = None,
) -> World:
    spec = backfill(DATES, parallelism=parallelism, order=order)
    world = Mixed(spec, rules=rules(auto_start=modes, batches=batches), policy=policy)
    world.cloud.durations = lambda day: 300_000 + 10_000 * (day.day if day else 0)
    world.run(lambda of: bool(of.cloud.instances))
    world.minds(modes)
    world.run()
    return world


def blocked_reads(world: World) -> int:
    """Reads of children between the start that told of their parents and the ends of those."""
    started_ms = next(at for at, call in world.ledger.calls if isinstance(call, StartInstances))
    return sum(
        world.ledger.reads_of(one.id, started_ms + LATENCY_MS, world.cloud.instances[parent].finished_ms)
        for one in world.cloud.instances.values()
        for parent in one.parents
    )


def last_end_ms(world: World, one: Instance) -> int:
    """When the last of an instance's parents ended."""
    return max(world.cloud.instances[parent].finished_ms for parent in one.parents)


def release_ms(world: World, one: Instance) -> int:
    """How long after the last of its parents' ends a child was known to run."""
    return world.ledger.seen_running_ms[one.id] - last_end_ms(world, one)


def seen_late_ms(world: World, one: Instance) -> int:
    """How long after the end of the parent that ended last a child was known to run, once that end was known."""
    last = max((world.cloud.instances[parent] for parent in one.parents), key=lambda parent: parent.finished_ms)
    return world.ledger.seen_running_ms[one.id] - world.ledger.seen_ended_ms[last.id]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("parallelism", range(1, 11))
@pytest.mark.parametrize("modes", WORLDS.values(), ids=WORLDS)
def test_every_date_ends_and_no_blocked_date_is_read(
    modes: tuple[str, ...], parallelism: int, order: pb.BackfillOrder.ValueType
) -> None:
    """What upstream starts by itself is asked for once, and known to run within a second of its parent's known end."""
    world = lived(modes, parallelism=parallelism, order=order)

    assert world.job.state == pb.JOB_STATE_SUCCEEDED
    assert {len(began) for began in world.ledger.began_ms.values()} == {1}
    assert blocked_reads(world) == 0
    for one in world.cloud.instances.values():
        by_itself = one.auto_start != "never" or not one.parents
        assert world.ledger.starts_of(one.id) <= (1 if by_itself else 2)
        if one.parents:
            assert release_ms(world, one) <= GRACE_MS + 3 * POLL_MS
        if one.parents and by_itself:
            assert seen_late_ms(world, one) <= 1_000


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("parallelism", range(1, 11))
@pytest.mark.parametrize("modes", [WORLDS["starts children"], WORLDS["starts some"]])
def test_a_child_is_known_to_run_within_an_interval_of_its_parents_end(
    modes: tuple[str, ...], parallelism: int, order: pb.BackfillOrder.ValueType
) -> None:
    """Nothing is read more rarely here than every 15 s; by default what runs is, while its end is far."""
    world = lived(modes, parallelism=parallelism, order=order, policy=Policy(poll_far_ms=POLL_MS))

    children = [one for one in world.cloud.instances.values() if one.parents and one.auto_start != "never"]
    assert children
    assert max(release_ms(world, one) for one in children) <= POLL_MS + 1_000


@pytest.mark.parametrize("modes", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize("parallelism", [2, 3])
def test_a_child_that_waits_for_one_parent_after_another_runs_after_the_last(
    parallelism: int, modes: tuple[str, ...]
) -> None:
    world = lived(modes, parallelism=parallelism, batches=True)

    assert world.job.state == pb.JOB_STATE_SUCCEEDED
    assert {len(began) for began in world.ledger.began_ms.values()} == {1}


def failing(policy: pb.OnFailure.ValueType, modes: tuple[str, ...]) -> World:
    world = World(backfill(4, on_failure=policy), rules=rules(auto_start=modes))
    world.cloud.fails = frozenset(days(2)[1:])
    return world.run()


def states(world: World) -> list[str]:
    return [pb.RunState.Name(run.state).removeprefix("RUN_STATE_") for run in world.job.runs]


@pytest.mark.parametrize(
    ("mode", "after"),
    [
        ("success_only", ["SKIPPED", "SKIPPED"]),
        ("never", ["SKIPPED", "SKIPPED"]),
        # Upstream lets the next one go in the same moment: what runs goes on to its end, and nothing begins after it.
        ("any_end", ["SUCCEEDED", "SKIPPED"]),
    ],
)
def test_when_a_parent_fails_halt_starts_nothing_more(mode: str, after: list[str]) -> None:
    world = failing(pb.ON_FAILURE_HALT, (mode,))

    assert states(world) == ["SUCCEEDED", "FAILED", *after]
    assert len(world.ledger.began_ms) == 2 + after.count("SUCCEEDED")
    assert [run.stopped_by for run in world.job.runs] == [pb.STOPPED_BY_UNSPECIFIED] * 4


@pytest.mark.parametrize("modes", [("any_end",), ("success_only",), ("never",)])
def test_when_a_parent_fails_continue_runs_the_rest(modes: tuple[str, ...]) -> None:
    world = failing(pb.ON_FAILURE_CONTINUE, modes)

    assert states(world) == ["SUCCEEDED", "FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert world.job.state == pb.JOB_STATE_FAILED


@pytest.mark.parametrize("modes", WORLDS.values(), ids=WORLDS)
def test_when_a_parent_fails_drain_runs_what_was_created_and_creates_nothing_more(modes: tuple[str, ...]) -> None:
    spec = backfill(9, on_failure=pb.ON_FAILURE_DRAIN, max_created_ahead=4)
    world = World(spec, rules=rules(auto_start=modes))
    world.cloud.fails = frozenset(days(2)[1:])
    world.run()

    made = len(world.cloud.instances)
    assert 4 <= made < 9
    assert states(world) == ["SUCCEEDED", "FAILED", *["SUCCEEDED"] * (made - 2), *["SKIPPED"] * (9 - made)]
    assert {len(began) for began in world.ledger.began_ms.values()} == {1}


@pytest.mark.parametrize(
    ("modes", "policy", "after"),
    [
        (("success_only",), pb.ON_FAILURE_HALT, ["FAILED", "SKIPPED", "SKIPPED"]),
        (("never",), pb.ON_FAILURE_HALT, ["FAILED", "SKIPPED", "SKIPPED"]),
        (("any_end",), pb.ON_FAILURE_HALT, ["FAILED", "SUCCEEDED", "SKIPPED"]),
        *[
            (modes, policy, ["FAILED", "SUCCEEDED", "SUCCEEDED"])
            for policy in (pb.ON_FAILURE_CONTINUE, pb.ON_FAILURE_DRAIN)
            for modes in (("success_only",), ("never",), ("any_end",))
        ],
    ],
)
def test_a_parent_that_somebody_stops_in_the_console_counts_as_failed(
    modes: tuple[str, ...], policy: pb.OnFailure.ValueType, after: list[str]
) -> None:
    world = World(backfill(3, on_failure=policy), rules=rules(auto_start=modes)).run_to(60_000)
    world.cloud.halt(world.instance(0))
    world.run()

    assert states(world) == after


def test_a_parent_that_a_person_runs_again_is_not_run_by_the_job() -> None:
    world = World(backfill(3, on_failure=pb.ON_FAILURE_CONTINUE), rules=rules(auto_start=("never",)))
    world.cloud.fails = frozenset(days(1))
    world.run(lambda of: any(one.status == FAILURE for one in of.cloud.instances.values()))
    world.cloud.fails = frozenset()
    world.cloud.begin(world.instance(0), "operator")
    world.run()

    assert states(world)[1:] == ["SUCCEEDED", "SUCCEEDED"]
    assert world.ledger.starts_of(world.instance(0).id) == 1
    assert {len(began) for began in list(world.ledger.began_ms.values())[1:]} == {1}


@pytest.mark.parametrize(
    ("end", "after_ms"), [(SUCCESS, 60_000), (FAILURE, 60_000), (FAILURE, 120_000), (FAILURE, 150_000)]
)
def test_a_parent_that_a_person_runs_again_after_its_end_was_seen_is_waited_for(
    end: pb.WorkflowInstanceStatus.ValueType, after_ms: int
) -> None:
    """However long it takes: upstream refuses every start of the child all that time, and never starts it itself."""
    world = World(
        backfill(2, on_failure=pb.ON_FAILURE_CONTINUE), rules=rules(auto_start=("never",), release="success_only")
    )
    world.cloud.fails = frozenset(days(1)) if end == FAILURE else frozenset()
    world.run(lambda of: bool(of.ledger.seen_ended_ms))
    world.pass_ms(after_ms)
    world.cloud.fails, world.cloud.durations = frozenset(), lambda _: 3_600_000
    world.cloud.begin(world.instance(0), "operator")
    world.run()

    assert states(world)[1] == "SUCCEEDED"
    assert len(world.ledger.began_ms[world.instance(1).id]) == 1


def test_a_parent_that_never_ends_is_ended_by_the_deadline_and_its_children_do_not_run() -> None:
    world = World(backfill(3), deadline_ms=7_200_000)
    world.cloud.durations = lambda _: 10**9
    world.run()

    assert world.job.state in (pb.JOB_STATE_FAILED, pb.JOB_STATE_CANCELLED)
    assert len(world.ledger.began_ms) == 1
    assert world.timeline.now_ms - BEGIN_MS < 7_200_000 + 600_000
    first = world.instance(0)
    assert world.ledger.reads_of(world.instance(1).id, first.started_ms + 1_000, first.finished_ms) == 0
