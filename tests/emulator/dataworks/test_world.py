"""The world by itself: time is a number, ids are counted, nothing is sent anywhere."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_emulator.dataworks.errors import ApiError
from headgate_emulator.dataworks.instances import Entry, Instance
from headgate_emulator.dataworks.statuses import TERMINAL, Status
from headgate_emulator.dataworks.world import World
from headgate_emulator.faults import DelayCreate, FailCreate, FailRun, RunFor, StuckStop
from tests.emulator.worlds import NOW, backfill, created, statuses, world_of


def test_creation_takes_its_time_and_ids_follow_the_dates() -> None:
    world = world_of(create_seconds=3)

    operation = world.create(backfill(), NOW)

    assert world.creation(operation, NOW + 2999).status == "Creating"
    assert world.instances == []
    ready = world.creation(operation, NOW + 3000)
    assert (ready.status, ready.instance_ids) == ("Created", (1000341554601, 1000341554605))
    assert [one.biz_date for one in world.instances] == [1738684800000, 1738771200000]


def test_creation_can_be_slow_and_can_fail() -> None:
    world = world_of(DelayCreate(name="n", seconds=60), FailCreate(message="no such task"))

    operation = world.create(backfill(), NOW)

    assert world.creation(operation, NOW + 59_000).status == "Creating"
    failed = world.creation(operation, NOW + 60_000)
    assert (failed.status, failed.failure, failed.instance_ids) == ("CreateFailure", "no such task", ())


def test_an_unknown_id_is_not_found() -> None:
    world = world_of()

    for ask in (world.creation, world.rerunning):
        with pytest.raises(ApiError, match=r"InvalidOperation\.NotFound"):
            ask("nope", NOW)
    with pytest.raises(ApiError, match=r"InvalidWorkflowInstance\.NotFound"):
        world.instance(1, NOW)
    with pytest.raises(ApiError, match=r"InvalidTaskInstance\.NotFound"):
        world.task_owner(1, NOW)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_start_names_the_parent_whatever_the_order_of_ids(reverse: bool) -> None:
    world = world_of()
    first, second = created(world, backfill())

    entries = world.start(sorted([first, second], reverse=reverse), NOW)

    assert entries[first] == Entry(True)
    message = f"Because of parallelism config, wait for parent workflowInstance[{first}] to finish"
    assert entries[second] == Entry(False, message)


def test_width_two_runs_two_dates_at_a_time() -> None:
    world = world_of(RunFor(biz_date=date(2025, 2, 5), seconds=30))
    ids = created(world, backfill(4, Properties={"Parallelism": 2}))

    world.start(ids, NOW)

    assert statuses(world, 0) == ["Running", "Running", "NotRun", "NotRun"]
    assert statuses(world, 10) == ["Running", "Success", "NotRun", "Running"]
    assert statuses(world, 30) == ["Success", "Success", "Running", "Success"]


def test_batches_wait_for_the_whole_batch_before() -> None:
    world = world_of(RunFor(biz_date=date(2025, 2, 5), seconds=30), topology="batches")
    ids = created(world, backfill(4, Properties={"Parallelism": 2}))

    world.start(ids, NOW)

    assert statuses(world, 10) == ["Running", "Success", "NotRun", "NotRun"]
    assert statuses(world, 30) == ["Success", "Success", "Running", "Running"]


def test_a_queued_child_starts_in_the_moment_its_parent_ends() -> None:
    world = world_of()
    first, second = created(world, backfill())
    world.start([first, second], NOW)

    world.advance(NOW + 100_000)

    parent, child = world.instances
    assert parent.run.finished_at == child.run.started_at == NOW + 10_000
    assert child.run.finished_at == NOW + 20_000


def test_a_child_that_no_start_named_stays_unless_all_may_start() -> None:
    for scope, expected in (("named", "NotRun"), ("all", "Running")):
        world = world_of(auto_start_scope=scope)
        first, _ = created(world, backfill())
        world.start([first], NOW)
        assert statuses(world, 10) == ["Success", expected]


@pytest.mark.parametrize(
    ("auto_start", "after_success", "after_failure"),
    [("success_only", "Running", "NotRun"), ("any_end", "Running", "Running"), ("never", "NotRun", "NotRun")],
)
def test_which_end_of_a_parent_starts_its_child(auto_start: str, after_success: str, after_failure: str) -> None:
    for faults, expected in (((), after_success), ((FailRun(),), after_failure)):
        world = world_of(*faults, auto_start=auto_start)
        world.start(created(world, backfill()), NOW)
        assert statuses(world, 10)[1] == expected


def test_an_adoption_can_be_late() -> None:
    world = world_of(auto_start_delay_seconds=5)
    world.start(created(world, backfill()), NOW)

    assert statuses(world, 14.999)[1] == "NotRun"
    assert statuses(world, 15)[1] == "Running"


@pytest.mark.parametrize(("release", "success"), [("any_end", True), ("success_only", False)])
def test_whether_a_start_gets_past_a_failed_parent_is_a_rule(release: str, success: bool) -> None:
    world = world_of(FailRun(), release=release)
    first, second = created(world, backfill())
    world.start([first, second], NOW)

    assert world.start([second], NOW + 10_000)[second].success is success


def test_auto_start_begins_at_creation() -> None:
    world = world_of()
    created(world, backfill(AutoStartEnabled="True"))

    assert statuses(world, 0) == ["Running", "NotRun"]
    assert statuses(world, 20) == ["Success", "Success"]


def test_an_absent_auto_start_means_what_the_rule_says() -> None:
    for default, expected in ((False, "NotRun"), (True, "Running")):
        world = world_of(auto_start_default=default)
        created(world, backfill())
        assert statuses(world, 0)[0] == expected


def test_a_start_of_what_has_begun_or_is_absent_is_a_false_entry() -> None:
    world = world_of(language="zh")
    first, _ = created(world, backfill())
    world.start([first], NOW)

    entries = world.start([first, 5], NOW)

    assert entries[first].message == f"workflowInstance[{first}]无法启动，当前状态为Running"
    assert entries[5] == Entry(False, "该实例不存在。")


def test_a_stop_settles_later_and_ends_in_failure() -> None:
    world = world_of(stop_seconds=2)
    first, second = created(world, backfill())
    world.start([first, second], NOW)

    assert world.stop([first], NOW + 1000) == {first: Entry(True)}

    assert statuses(world, 2.999) == ["Running", "NotRun"]
    assert statuses(world, 3) == ["Failure", "NotRun"]
    assert world.stop([first, 5], NOW + 4000)[first].success is False


def test_a_run_that_ends_before_its_stop_settles_has_ended() -> None:
    world = world_of(stop_seconds=60)
    first, _ = created(world, backfill())
    world.start([first], NOW)

    world.stop([first], NOW)

    assert statuses(world, 100)[0] == "Success"


@pytest.mark.parametrize(("rule", "expected"), [("stays", "NotRun"), ("fails", "Failure")])
def test_a_stop_of_what_never_ran_is_a_rule(rule: str, expected: str) -> None:
    world = world_of(stop_not_run=rule)
    first, second = created(world, backfill())
    world.start([first, second], NOW)

    world.stop([second], NOW)

    assert statuses(world, 60) == ["Success", expected]


def test_a_stuck_stop_never_settles_and_the_next_one_does() -> None:
    world = world_of(StuckStop(instance_id=1000341554601))
    first, _ = created(world, backfill())
    world.start([first], NOW)

    assert world.stop([first], NOW)[first].success
    assert statuses(world, 86_400)[0] == "Running"

    world.stop([first], NOW + 86_400_000)
    assert statuses(world, 86_402)[0] == "Failure"


@given(
    st.integers(1, 12),
    st.integers(1, 10),
    st.sampled_from(["Asc", "Desc"]),
    st.sampled_from(["chains", "batches"]),
    st.lists(st.integers(0, 40), max_size=20),
)
def test_a_started_group_always_ends_and_never_runs_wider_than_asked(
    days: int, width: int, order: str, topology: Any, jumps: list[int]
) -> None:
    world = world_of(topology=topology)
    ids = created(world, backfill(days, Properties={"Parallelism": width, "Order": order}))
    world.start(ids, NOW)

    now = NOW
    for jump in [*jumps, 10 * days]:
        now += jump * 1000
        world.advance(now)
        assert sum(one.status is Status.RUNNING for one in world.instances) <= width

    assert all(one.status is Status.SUCCESS for one in world.instances)


@given(st.lists(st.tuples(st.sampled_from(["start", "stop", "advance"]), st.integers(0, 3)), max_size=30))
def test_how_often_time_is_looked_at_changes_nothing(steps: list[tuple[str, int]]) -> None:
    often, seldom = world_of(), world_of()
    ids = created(often, backfill(4))
    assert created(seldom, backfill(4)) == ids

    now = NOW
    for what, which in steps:
        now += 3000
        often.advance(now - 1500)
        for world in (often, seldom):
            if what != "advance":
                getattr(world, what)([ids[which]], now)

    assert _facts(often, now + 100_000) == _facts(seldom, now + 100_000)


def _facts(world: World, now: int) -> list[Instance]:
    world.advance(now)
    assert all(one.run.finished_at is None or one.status in TERMINAL for one in world.instances)
    return world.instances
