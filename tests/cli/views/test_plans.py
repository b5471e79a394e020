"""What a plan looks like."""

from datetime import date, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from headgate import pb
from headgate.backfill import dates
from headgate_cli.views.output import aligned
from headgate_cli.views.plans import PLAN_COLUMNS, lasting, plan_lines, plan_rows, progress_said, reused_said

FIRST = date(2025, 2, 5)


def plan() -> pb.BackfillPlan:
    made = pb.BackfillPlan(expected_upstream_reads=1_204, expected_upstream_writes=2, plan_token="TOKEN")
    for n in range(6):
        made.slots.add(biz_date=dates.to_message(FIRST + timedelta(days=n)), action=pb.PLAN_ACTION_CREATE)
        made.slots[n].expected_duration.FromSeconds(600)
    left = pb.PlanSlot(
        biz_date=made.slots[3].biz_date,
        action=pb.PLAN_ACTION_SKIP_EXISTS,
        existing_id=7,
        existing_status="Success\x1b",
    )
    made.slots[3].CopyFrom(left)
    made.upstream_calls.add()
    made.expected_makespan.FromSeconds(7_265)
    made.warnings.add(message="needs more calls than are left")
    return made


def test_equal_dates_in_a_row_are_one_line() -> None:
    assert aligned(PLAN_COLUMNS, plan_rows(plan())) == [
        "BIZ DATES               COUNT  ACTION       TAKES   EXISTING  STATUS       JOB",
        "2025-02-05..2025-02-07  3      create       10 min",
        "2025-02-08              1      skip exists          7         Success\\x1b",
        "2025-02-09..2025-02-10  2      create       10 min",
    ]


def test_dates_with_an_instance_each_are_alike() -> None:
    made = pb.BackfillPlan()
    for n in range(365):
        day = dates.to_message(FIRST + timedelta(days=n))
        skip = pb.PLAN_ACTION_SKIP_EXISTS
        made.slots.add(biz_date=day, action=skip, existing_id=1_000 + n, existing_status="Success")

    assert aligned(PLAN_COLUMNS, plan_rows(made))[1:] == [
        "2025-02-05..2026-02-04  365    skip exists         365 instances  Success"
    ]


def test_what_a_plan_comes_to() -> None:
    lines = [str(line) for line in plan_lines(plan())]

    assert lines[:4] == [
        "5 of 6 dates are created, by 1 call",
        "about 1,204 reads and 2 writes upstream",
        "about 2 h 1 min from the first call to the last end",
        "warning: needs more calls than are left",
    ]
    assert lines[4].endswith("--plan-token TOKEN")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "less than 1 s"), (59, "59 s"), (90, "1 min 30 s"), (3_600, "1 h"), (90_061, "1 d 1 h")],
)
def test_a_duration_in_two_units(seconds: int, said: str) -> None:
    assert lasting(Duration(seconds=seconds)) == said


def test_how_far_a_plan_is_and_what_it_waits_for() -> None:
    now = pb.PlanProgress(dates_total=365, dates_done=60, dates_reused=40)
    assert progress_said(pb.PlanProgress(dates_total=365)) == ""
    assert progress_said(now) == "40 known from before"
    now.expected_end_time.FromSeconds(1_739_000_000)
    assert progress_said(now).startswith("done about ") and progress_said(now).endswith(":20, 40 known from before")
    now.waiting_for = "UPSTREAM_QPS: used up"
    assert progress_said(now) == "UPSTREAM_QPS: used up"
    assert reused_said(now).startswith("40 dates were looked up by an earlier plan")
