"""Each thing that keeps a backfill from being further: brought about in virtual time by real decisions, and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate.process import wait_bounds
from headgate.process.wait_bounds import WaitBounds
from headgate.quota.limits import EDITIONS, announcement
from headgate_server.jobs.explain import causes
from headgate_server.ports.facts import Facts
from headgate_worker.core.model.calls import CreateInstances
from headgate_worker.core.model.view import Policy
from tests.acceptance.virtual import BEGIN_MS, FIRST, Fixed, World, backfill, rules
from tests.simulator.chance import Fate
from tests.simulator.rules import Rules

GRACE_MS, SETTLE_MS, WATCHDOG_MS, RETRY_MS = 60_000, 120_000, 300_000, 20_000
POLICY = Policy(adopt_grace_ms=GRACE_MS, settle_ms=SETTLE_MS, stop_watchdog_ms=WATCHDOG_MS, retry_min_ms=RETRY_MS)
"""Other numbers than the defaults: what is told must be what workers have announced."""

WAITS = WaitBounds(adopt_grace_ms=GRACE_MS, settle_ms=SETTLE_MS, stop_watchdog_ms=WATCHDOG_MS, retry_min_ms=RETRY_MS)


@dataclass(frozen=True)
class Told:
    """What of a cause a person reads, with times in ms."""

    kind: str
    subject: str
    said: str
    since_ms: int | None = None
    clear_ms: int | None = None
    deadline_ms: int | None = None
    runs: int = 0
    instance: int = 0
    parent: int = 0


def told(world: World) -> list[Told]:
    now_ms = world.timeline.now_ms
    hash_ = {**announcement(EDITIONS["standard"], now_ms), **wait_bounds.announcement(WAITS)}
    return [_told(one) for one in causes(world.job, Facts(now_ms, now_ms, hash_, children=world.store.known))]


def _told(cause: pb.Cause) -> Told:
    def ms(name: str) -> int | None:
        return int(getattr(cause, name).ToMilliseconds()) if cause.HasField(name) else None  # type: ignore[arg-type]

    return Told(
        pb.CauseKind.Name(cause.kind).removeprefix("CAUSE_KIND_"),
        cause.subject,
        cause.description,
        ms("since"),
        ms("expected_clear_time"),
        ms("deadline_time"),
        cause.runs,
        cause.workflow_instance_id,
        cause.parent_instance_id,
    )


def lived(spec: pb.BackfillSpec, until: Callable[[World], Any], *, fails: int = -1, **given: Any) -> World:
    """A backfill up to a moment; with `fails` the date of that number fails."""
    world = World(spec, policy=POLICY, **given)
    if fails >= 0:
        world.cloud.fails = frozenset({dates.from_message(world.job.runs[fails].biz_date)})
    return world.run(lambda world: bool(until(world)))


def is_in(number: int, state: pb.RunState.ValueType) -> Callable[[World], bool]:
    return lambda world: world.job.runs[number].state == state


def ids(world: World) -> list[int]:
    return [one.id for one in world.made()]


def started_ms(world: World, number: int) -> int:
    return int(world.job.runs[number].started_time.ToMilliseconds())


def intent_ms(world: World) -> int:
    return int(world.job.operations[-1].intent_time.ToMilliseconds())


def running(world: World, number: int, count: int = 1) -> Told:
    of = len(world.job.runs)
    said = f"{count} of {of} runs run"
    instance = world.job.runs[number].workflow_instance_id
    return Told("RUNNING", str(instance), said, started_ms(world, number), runs=count, instance=instance)


def test_a_chain_waits_for_the_parent_that_runs_and_the_rest_is_counted() -> None:
    world = lived(
        backfill(4), lambda world: is_in(3, pb.RUN_STATE_BLOCKED)(world) and is_in(0, pb.RUN_STATE_RUNNING)(world)
    )
    first, second, *_ = ids(world)

    said = f"instance {second} waits for its parent {first}"
    since_ms = started_ms(world, 0)
    waits = Told("PARENT_INSTANCE", str(first), said, since_ms, runs=3, instance=second, parent=first)
    assert told(world) == [waits, running(world, 0)]


@pytest.mark.parametrize(
    ("cloud", "fails", "kind", "ended"),
    [
        (rules(auto_start=("never",)), -1, "ADOPT_GRACE", "has succeeded"),
        (rules(), 0, "PARENT_FAILED", "has failed"),
    ],
)
def test_a_grace_is_told_with_its_end_and_what_the_parent_came_to(
    cloud: Rules, fails: int, kind: str, ended: str
) -> None:
    spec = backfill(3, on_failure=pb.ON_FAILURE_CONTINUE)
    world = lived(spec, lambda world: world.job.runs[1].HasField("parent_end_time"), fails=fails, rules=cloud)
    first, second, _ = ids(world)
    since_ms = world.job.runs[1].parent_end_time.ToMilliseconds()

    rest = "upstream may start it by itself until the grace is over; then headgate does"
    said = f"the parent {first} of instance {second} {ended}: {rest}"
    of = Told(kind, str(first), said, since_ms, since_ms + GRACE_MS, runs=2, instance=second, parent=first)
    assert told(world) == [of]
    world.run(lambda world: world.ledger.starts_of(second) == 2)
    assert world.timeline.now_ms - (since_ms + GRACE_MS) < 20_000, "what was told came true"


def test_a_grace_that_is_shorter_by_what_was_learnt_is_told_so() -> None:
    """Upstream has begun a child after a Success by then; after a Failure nothing was seen yet."""
    spec = backfill(4, on_failure=pb.ON_FAILURE_CONTINUE)
    world = lived(spec, lambda world: world.job.runs[3].HasField("parent_end_time"), fails=2)
    last = ids(world)[3]

    (one,) = told(world)
    assert (one.kind, one.instance) == ("PARENT_FAILED", last)
    assert one.clear_ms is not None and one.since_ms is not None
    assert one.clear_ms - one.since_ms == world.store.known.telling_ms < GRACE_MS
    world.run(lambda world: world.ledger.starts_of(last) == 2)
    assert 0 <= world.timeline.now_ms - one.clear_ms < 5_000, "what was told came true"


def test_a_grace_of_the_backfills_own_is_told() -> None:
    spec = backfill(2, adopt_grace={"seconds": 17})
    cloud = rules(auto_start=("never",))
    world = lived(spec, lambda world: world.job.runs[1].HasField("parent_end_time"), rules=cloud)

    (one,) = told(world)
    assert one.clear_ms is not None and one.since_ms is not None and one.clear_ms - one.since_ms == 17_000


def test_a_failure_that_halts_is_told_and_nobody_is_said_to_start_any_more() -> None:
    world = World(backfill(6, parallelism=2), policy=POLICY)
    world.cloud.fails = frozenset({FIRST})
    world.cloud.durations = lambda day: 600_000 if day == FIRST else 900_000
    world.run(is_in(0, pb.RUN_STATE_FAILED))
    seen_ms = int(world.job.runs[0].observe_time.ToMilliseconds())

    said = "2025-02-01 has failed: nothing more is started; 1 runs go on, 4 do not begin"
    failed = ids(world)[0]
    halted = Told("FAILURE_POLICY", "2025-02-01", said, seen_ms, runs=5, instance=failed)
    assert told(world) == [halted, running(world, 1)]


def test_a_date_that_is_tried_again_is_told_with_its_time() -> None:
    world = lived(backfill(2, max_attempts_per_date=2), is_in(0, pb.RUN_STATE_FAILED), fails=0)
    seen_ms = int(world.job.runs[0].observe_time.ToMilliseconds())

    said = "2025-02-01 has failed and is tried again once nothing else runs, try 2 of 2"
    failed = ids(world)[0]
    assert told(world) == [Told("RETRY", "2025-02-01", said, seen_ms, seen_ms + RETRY_MS, runs=1, instance=failed)]


@pytest.mark.parametrize(
    ("mode", "asked"),
    [(pb.CANCEL_MODE_STOP, "everything is asked to stop"), (pb.CANCEL_MODE_DRAIN, "nothing more is started")],
)
def test_a_cancel_is_told_with_its_watchdog_and_a_drain_without(mode: pb.CancelMode.ValueType, asked: str) -> None:
    world = lived(backfill(3), is_in(0, pb.RUN_STATE_RUNNING), rules=rules(stop_ms=60_000))
    world.cancel(mode)
    world.pass_ms(5_000)
    since_ms = int(world.job.cancel.request_time.ToMilliseconds())
    left = sum(run.state in (pb.RUN_STATE_RUNNING, pb.RUN_STATE_BLOCKED) for run in world.job.runs)
    until_ms = int(world.job.update_time.ToMilliseconds()) + WATCHDOG_MS if mode == pb.CANCEL_MODE_STOP else None

    said = f"the job is being cancelled: {asked}; {left} of 3 runs were not read ended yet"
    cancel = Told("CANCEL", "jobs/t", said, since_ms, deadline_ms=until_ms, runs=left)
    assert told(world) == [cancel, running(world, 0)]


def test_dates_that_are_not_created_yet_are_told() -> None:
    world = lived(backfill(6, max_created_ahead=2), is_in(0, pb.RUN_STATE_RUNNING))

    said = "4 dates from 2025-02-03 on are not created yet: 2 instances stand created and have not ended"
    first, *others = told(world)
    assert first == Told("NOT_CREATED", "2025-02-03", said, intent_ms(world), runs=4)
    assert [one.kind for one in others] == ["PARENT_INSTANCE", "RUNNING"]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (pb.OPERATION_OUTCOME_INTENDED, "CreateWorkflowInstances 'nightly' is on its way"),
        (pb.OPERATION_OUTCOME_ACCEPTED, "upstream makes the instances of CreateWorkflowInstances 'nightly'"),
    ],
)
def test_a_create_that_is_under_way_is_told(outcome: pb.OperationOutcome.ValueType, said: str) -> None:
    world = lived(backfill(6), lambda world: world.job.operations and world.job.operations[0].outcome == outcome)

    assert told(world) == [Told("NOT_CREATED", "nightly", said, intent_ms(world), runs=6)]


def test_a_survey_is_told_until_it_stands() -> None:
    spec = backfill(6, reprocess=pb.REPROCESS_MISSING_ONLY)
    world = lived(spec, lambda world: world.job.state == pb.JOB_STATE_RUNNING)
    begun_ms = int(world.job.start_time.ToMilliseconds())

    said = "6 dates are looked up upstream before anything is created"
    assert told(world) == [Told("SURVEY", "jobs/t", said, begun_ms, runs=6)]
    world.run(lambda world: world.job.HasField("survey_time"))
    assert "SURVEY" not in {one.kind for one in told(world)}


def test_a_lost_create_is_told_with_the_time_at_which_a_person_is_asked() -> None:
    chance = Fixed(fates={(CreateInstances, 1): Fate.LOST_REQUEST})
    world = lived(
        backfill(3),
        lambda world: world.job.operations and world.job.operations[0].outcome == pb.OPERATION_OUTCOME_AMBIGUOUS,
        chance=chance,
    )
    asked_ms = intent_ms(world)

    said = (
        "what became of CreateWorkflowInstances 'nightly' is not known: it is searched for, and if that finds nothing "
        "a person is asked"
    )
    assert told(world) == [Told("RECONCILING", "nightly", said, asked_ms, deadline_ms=asked_ms + SETTLE_MS, runs=3)]
    world.run()
    assert world.job.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert 0 <= world.timeline.now_ms - (asked_ms + SETTLE_MS) < 30_000, "what was told came true"
    assert told(world)[0].kind == "NEEDS_ATTENTION"


def test_before_a_worker_looks_the_queue_is_told() -> None:
    world = World(backfill(2), policy=POLICY)

    assert told(world) == [Told("QUEUE", "jobs/t", "no worker has taken it yet", BEGIN_MS)]
