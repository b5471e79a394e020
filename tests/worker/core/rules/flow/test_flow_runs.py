"""What a read of a flow instance, and the answer to its cancel, make of its run."""

from __future__ import annotations

from typing import Any

import pytest

from headgate import pb
from headgate_worker.core.model.calls import Failure, FailureKind, Reply, StopRecord
from headgate_worker.core.model.flow_calls import CancelFlow, FlowCancelled, GetFlow
from headgate_worker.core.model.steps import Change, timestamp
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.rules.flow.flow_runs import STATES, absorb_cancel, absorb_read, failed_task
from tests.worker.core.building import NOW_MS, failure, reason, reply, taken, view

ID = "2809-20250208"
STATUS = pb.FlowInstanceStatus


def flow_job(state: pb.RunState.ValueType = pb.RUN_STATE_RUNNING, **fields: Any) -> pb.Job:
    """A job that has triggered a flow, whose instance is in some state."""
    run = pb.InstanceRun(state=state, flow_instance_id=ID, attempt=1, started_by=pb.STARTED_BY_HEADGATE)
    run.MergeFrom(pb.InstanceRun(**fields))
    operation = pb.UpstreamOperation(intent_time=timestamp(NOW_MS))
    made = pb.Job(name="jobs/f", revision=5, state=pb.JOB_STATE_RUNNING, runs=[run], operations=[operation])
    made.trigger_flow.flow_id = 2809
    return made


def cancel_job(**fields: Any) -> pb.Job:
    """A job that is to cancel an instance."""
    made = flow_job(**fields)
    made.cancel_flow_instance.flow_instance_id = ID
    return made


def instance(status: STATUS.ValueType, word: str = "", **fields: Any) -> pb.FlowInstance:
    found = pb.FlowInstance(instance_id=ID, status=status, status_desc=word, observe_time=timestamp(NOW_MS))
    found.MergeFrom(pb.FlowInstance(**fields))
    return found


def read(of: View, seen: pb.FlowInstance | Failure, *stops: StopRecord) -> Change:
    outcome = seen if isinstance(seen, Failure) else Reply(seen, "request-1", 0.0, stops=stops)
    return absorb_read(of, GetFlow(ID), 0, outcome)


def row_after(of: View, change: Change) -> pb.InstanceRun:
    return taken(of, change).runs[0]


@pytest.mark.parametrize("status", [value for value in STATUS.values() if value])
def test_the_status_decides(status: STATUS.ValueType) -> None:
    of = view(flow_job(pb.RUN_STATE_STARTING))

    assert row_after(of, read(of, instance(status, "word"))).state == STATES[status]


def test_a_status_that_is_not_known_changes_no_state_and_is_shown_by_its_number() -> None:
    of = view(flow_job())
    row = row_after(of, read(of, instance(pb.FLOW_INSTANCE_STATUS_UNSPECIFIED, status_raw=77)))

    assert (row.state, row.upstream_status) == (pb.RUN_STATE_RUNNING, "77")


def test_times_are_taken_and_an_end_only_of_what_has_ended() -> None:
    times: dict[str, Any] = {"start_time_utc": timestamp(NOW_MS - 9_000), "end_time_utc": timestamp(NOW_MS - 1_000)}
    of = view(flow_job())

    running = row_after(of, read(of, instance(pb.FLOW_INSTANCE_STATUS_RUNNING, **times)))
    ended = row_after(of, read(of, instance(pb.FLOW_INSTANCE_STATUS_SUCCESS, **times)))

    assert running.started_time == ended.started_time == times["start_time_utc"]
    assert not running.HasField("finished_time") and ended.finished_time == times["end_time_utc"]


def test_a_failure_names_the_first_task_that_failed() -> None:
    tasks = [
        pb.TaskInstanceGraph(task_name="load", task_inst_id="1-1", status="SUCCESS"),
        pb.TaskInstanceGraph(task_name="join", task_inst_id="2-1", status="TIMEOUT"),
        pb.TaskInstanceGraph(task_name="send", task_inst_id="3-1", status="FAIL"),
    ]
    seen = instance(pb.FLOW_INSTANCE_STATUS_FAIL, "FAIL", graph=pb.InstanceGraph(tasks=tasks))
    of = view(flow_job())
    row = row_after(of, read(of, seen))

    assert failed_task(seen) == tasks[1] and failed_task(instance(pb.FLOW_INSTANCE_STATUS_FAIL)) is None
    assert reason(row.error) == "RUNS_FAILED"
    assert row.error.message == f"instance {ID} ended in FAIL: task join (2-1) is TIMEOUT"


def test_nothing_is_written_of_a_read_that_says_nothing_new() -> None:
    of = view(flow_job(upstream_status="RUNNING"), Hints(failures=2))
    change = read(of, instance(pb.FLOW_INSTANCE_STATUS_RUNNING, "RUNNING"))

    assert change.drafts == ()
    assert change.hints.failures == 0 and change.hints.poll_at_ms[0] > NOW_MS
    assert change.hints.asked_at_ms == {0: NOW_MS}


def test_what_has_ended_takes_nothing_in() -> None:
    of = view(flow_job(pb.RUN_STATE_SUCCEEDED), Hints(failures=2))

    assert read(of, instance(pb.FLOW_INSTANCE_STATUS_FAIL)) == Change((), of.hints.settled())
    assert absorb_cancel(of, CancelFlow(ID), 0, reply(FlowCancelled())) == Change((), of.hints.settled())


@pytest.mark.parametrize(
    ("fields", "stops", "by", "other"),
    [
        ({}, (), pb.STOPPED_BY_OPERATOR, ""),
        ({"stop_time": timestamp(NOW_MS)}, (), pb.STOPPED_BY_HEADGATE, ""),
        ({}, ("jobs/f",), pb.STOPPED_BY_HEADGATE, ""),
        ({}, ("jobs/later", "jobs/first"), pb.STOPPED_BY_ANOTHER_JOB, "jobs/first"),
    ],
)
def test_a_stop_is_put_down_to_the_first_who_asked_for_it(
    fields: dict[str, Any], stops: tuple[str, ...], by: pb.StoppedBy.ValueType, other: str
) -> None:
    of = view(flow_job(**fields))
    records = [StopRecord(job, NOW_MS - n) for n, job in enumerate(stops)]
    row = row_after(of, read(of, instance(pb.FLOW_INSTANCE_STATUS_CANCEL), *records))

    assert (row.state, row.stopped_by, row.stopped_by_job) == (pb.RUN_STATE_STOPPED, by, other)
    assert row.started_by == pb.STARTED_BY_UNSPECIFIED  # it never began


def test_an_instance_whose_cancel_was_refused_is_handed_to_a_person_unless_it_ends() -> None:
    of = view(cancel_job(upstream_message="5003: no"), Hints(stop_asked_ms={0: NOW_MS}))
    unasked = view(cancel_job())
    owner = view(flow_job(), Hints(stop_asked_ms={0: NOW_MS}))
    running, ended = instance(pb.FLOW_INSTANCE_STATUS_RUNNING), instance(pb.FLOW_INSTANCE_STATUS_SUCCESS)

    row = row_after(of, read(of, running))
    assert (row.state, reason(row.error)) == (pb.RUN_STATE_UNRESOLVED, "UPSTREAM_REFUSED")
    assert row.error.message == "5003: no"
    assert row_after(of, read(of, ended)).state == pb.RUN_STATE_SUCCEEDED
    assert row_after(unasked, read(unasked, running)).state == pb.RUN_STATE_RUNNING
    assert row_after(owner, read(owner, running)).state == pb.RUN_STATE_RUNNING


def test_an_instance_that_is_gone_is_a_doubt_once_a_fresh_one_would_show() -> None:
    gone = failure(FailureKind.NOT_FOUND)
    fresh, settled = view(flow_job()), view(flow_job(), now_ms=NOW_MS + 180_000)

    assert read(fresh, gone).drafts == () and read(fresh, gone).hints.failures == 1
    row = row_after(settled, read(settled, gone))
    assert (row.state, reason(row.error)) == (pb.RUN_STATE_UNRESOLVED, "INSTANCE_UNKNOWN")
    assert read(settled, failure(FailureKind.TRANSIENT)).drafts == ()


def test_an_accepted_cancel_is_on_record_and_the_instance_is_read_at_once() -> None:
    of = view(flow_job())
    change = absorb_cancel(of, CancelFlow(ID), 0, reply(FlowCancelled()))

    assert row_after(of, change).stop_time == timestamp(NOW_MS)
    assert change.hints.poll_at_ms == {0: NOW_MS} and change.hints.stop_asked_ms == {}


def test_a_refused_cancel_is_shown_once_and_one_without_an_answer_is_tried_again() -> None:
    of = view(flow_job())
    refused = absorb_cancel(of, CancelFlow(ID), 0, failure(FailureKind.REFUSED))
    again = view(taken(of, refused))
    lost = absorb_cancel(of, CancelFlow(ID), 0, failure(FailureKind.TRANSIENT))

    assert row_after(of, refused).upstream_message == "code.refused: so it is"
    assert refused.hints.stop_asked_ms == {0: NOW_MS} and not row_after(of, refused).HasField("stop_time")
    assert absorb_cancel(again, CancelFlow(ID), 0, failure(FailureKind.REFUSED)).drafts == ()
    assert lost.drafts == () and lost.hints.failures == 1
