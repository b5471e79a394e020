"""Which dates a backfill holds: its target, its mode, and for how long."""

from datetime import date

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate.store.date_claims import (
    JOIN,
    QUEUE,
    TAKE,
    Hold,
    hold_of,
    hold_of_new,
    line_arguments,
    parse_taken,
    target,
    waits,
)

DAYS = [date(2025, 2, 3), date(2025, 2, 4)]


def spec(overlap: pb.Overlap.ValueType = pb.OVERLAP_REJECT, **given: int) -> pb.BackfillSpec:
    found = pb.BackfillSpec(name="orders", project_id=given.get("project", 7), overlap=overlap)
    found.default_run_properties.root_task_ids.extend([2, given.get("root", 1)])
    return found


def job(overlap: pb.Overlap.ValueType, state: pb.JobState.ValueType = pb.JOB_STATE_QUEUED) -> pb.Job:
    found = pb.Job(name="jobs/orders", connection="main", state=state, backfill=spec(overlap))
    for index, day in enumerate([*reversed(DAYS), DAYS[0]]):
        found.runs.add(index=index, biz_date=dates.to_message(day))
    return found


@pytest.mark.parametrize(
    ("overlap", "mode"),
    [
        (pb.OVERLAP_UNSPECIFIED, TAKE),
        (pb.OVERLAP_REJECT, TAKE),
        (pb.OVERLAP_JOIN, JOIN),
        (pb.OVERLAP_QUEUE_AFTER, QUEUE),
        (pb.OVERLAP_ALLOW, None),
    ],
)
def test_the_policy_says_how_dates_are_held(overlap: pb.Overlap.ValueType, mode: str | None) -> None:
    found = hold_of_new("main", spec(overlap), DAYS)

    assert (found and found.mode) == mode
    assert (found and found.days) == (("20250203", "20250204") if mode else None)


def test_a_job_holds_each_of_its_dates_once_under_the_target_of_its_spec() -> None:
    found, new = hold_of(job(pb.OVERLAP_REJECT)), hold_of_new("main", spec(), DAYS)

    assert found == new and hold_of(job(pb.OVERLAP_ALLOW)) is None and hold_of(pb.Job()) is None


def test_a_target_is_connection_project_environment_and_tasks() -> None:
    other_order = spec()
    other_order.default_run_properties.root_task_ids[:] = [1, 2]
    renamed, production = spec(), spec()
    renamed.name = "another"
    production.env_type = next(value for value in pb.EnvType.values() if value)

    assert target("main", spec()) == target("main", other_order) == target("main", renamed)
    others = {target("other", spec()), target("main", spec(project=8)), target("main", spec(root=3))}
    assert len({*others, target("main", production), target("main", spec())}) == 5


def test_the_default_connection_is_held_under_both_of_its_names() -> None:
    hold = hold_of_new("main", spec(), DAYS)
    assert hold is not None

    known, unknown = hold.keys("main"), hold.keys("")

    assert known.dates == unknown.dates == hold.key and known.other_dates != known.dates
    assert unknown.other_dates == unknown.dates
    assert Hold("", hold.work, hold.days).keys("main") == known


@pytest.mark.parametrize(
    ("overlap", "state", "is_started", "wanted"),
    [
        (pb.OVERLAP_QUEUE_AFTER, pb.JOB_STATE_QUEUED, False, True),
        (pb.OVERLAP_QUEUE_AFTER, pb.JOB_STATE_PAUSED, False, True),
        (pb.OVERLAP_QUEUE_AFTER, pb.JOB_STATE_QUEUED, True, False),
        (pb.OVERLAP_QUEUE_AFTER, pb.JOB_STATE_CANCELLED, False, False),
        (pb.OVERLAP_REJECT, pb.JOB_STATE_QUEUED, False, False),
    ],
)
def test_a_job_is_in_line_until_it_begins_or_ends(
    overlap: pb.Overlap.ValueType, state: pb.JobState.ValueType, is_started: bool, wanted: bool
) -> None:
    found = job(overlap, state)
    if is_started:
        found.start_time.seconds = 1

    assert waits(found) is wanted


def test_who_has_which_date_as_the_scripts_say_it() -> None:
    assert parse_taken(b"20250203:a,20250204:b") == {"20250203": "a", "20250204": "b"} and parse_taken(b"") == {}
    hold = Hold("main", "w", ("20250203", "20250204"))
    assert line_arguments("orders", hold).days == "20250203,20250204"
