"""What each kind of job does itself."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.facts.job_kinds import expected_parent, may_start, newest_first, starts_first, starts_itself
from tests.worker.core.building import job, row, spec, view

_UPSTREAM = spec(start_mode=pb.START_MODE_UPSTREAM)


@pytest.mark.parametrize(
    ("fields", "first", "may", "itself"),
    [
        ({"backfill": spec()}, True, True, False),
        ({"backfill": _UPSTREAM}, False, True, True),
        ({"start": pb.StartWorkflowInstancesSpec()}, True, True, False),
        ({"stop": pb.StopWorkflowInstancesSpec()}, False, False, False),
        ({"create": pb.CreateWorkflowInstancesSpec()}, False, False, False),
        ({"create": pb.CreateWorkflowInstancesSpec(auto_start_enabled=True)}, False, False, True),
        ({"adhoc": pb.ExecuteAdhocWorkflowInstanceSpec()}, False, False, True),
        ({"rerun": pb.RerunWorkflowInstancesSpec()}, False, False, False),
    ],
)
def test_who_starts_what(fields: dict[str, object], first: bool, may: bool, itself: bool) -> None:
    of = view(job(**fields))

    assert (starts_first(of), may_start(of), starts_itself(of)) == (first, may, itself)


def _parents(width: int, order: pb.BackfillOrder.ValueType) -> list[int | None]:
    properties = pb.DefaultRunProperties(parallelism=width, order=order)
    of = job(*(row(n, pb.RUN_STATE_CREATED) for n in range(5)), backfill=spec(5, default_run_properties=properties))
    parents = [expected_parent(of, run) for run in of.runs]
    return [None if parent is None else parent.index for parent in parents]


def test_a_date_waits_for_the_one_as_many_places_before_it() -> None:
    assert _parents(1, pb.BACKFILL_ORDER_ASC) == [None, 0, 1, 2, 3]
    assert _parents(2, pb.BACKFILL_ORDER_UNSPECIFIED) == [None, None, 0, 1, 2]
    assert _parents(2, pb.BACKFILL_ORDER_DESC) == [2, 3, 4, None, None]
    assert _parents(10, pb.BACKFILL_ORDER_ASC) == [None] * 5


def test_only_dates_of_the_same_create_wait_for_each_other() -> None:
    of = job(row(0, pb.RUN_STATE_RUNNING), row(1, pb.RUN_STATE_CREATED, operation_index=1))

    assert expected_parent(of, of.runs[1]) is None


def test_instances_of_another_making_have_no_expected_parent() -> None:
    run = row(0, pb.RUN_STATE_CREATED, operation_index=-1)

    assert expected_parent(job(run, start=pb.StartWorkflowInstancesSpec()), run) is None


def test_the_order_is_the_specs() -> None:
    desc = pb.DefaultRunProperties(order=pb.BACKFILL_ORDER_DESC)

    assert newest_first(job(backfill=spec(default_run_properties=desc)))
    assert newest_first(job(create=pb.CreateWorkflowInstancesSpec(default_run_properties=desc)))
    assert not newest_first(job())
