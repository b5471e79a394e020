"""What a read says of a run that is not to run any more."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.calls import GetInstance
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.model.view import Hints, View
from tests.worker.core.building import (
    FAILURE,
    NOT_RUN,
    NOW_MS,
    RUNNING,
    SUCCESS,
    absorbed,
    cancel,
    confirmed,
    job,
    operation,
    reason,
    row,
    seen,
    spec,
    taken,
    view,
)

_ASKED = timestamp(NOW_MS - 20_000)


def _read(of: View, status: pb.WorkflowInstanceStatus.ValueType, index: int = 0, **fields: object) -> pb.InstanceRun:
    """The row after its instance was read."""
    instance_id = of.job.runs[index].workflow_instance_id
    change = absorbed(of, GetInstance(instance_id), seen(instance_id, status, **fields), index)
    return taken(of, change).runs[index]


def _idle(state: pb.RunState.ValueType = pb.RUN_STATE_BLOCKED, **fields: object) -> pb.InstanceRun:
    return row(0, state, stop_time=_ASKED, **fields)


def test_an_instance_that_was_stopped_before_it_ran_is_stopped_when_it_is_read_not_run() -> None:
    after = _read(view(job(_idle(), **cancel())), NOT_RUN)

    assert after.state == pb.RUN_STATE_STOPPED
    assert after.blocked_by_id == 0


def _ended(ago_ms: int) -> pb.InstanceRun:
    """Another run, that was read ended so long ago."""
    moment = timestamp(NOW_MS - ago_ms)
    return row(1, pb.RUN_STATE_STOPPED, observe_time=moment, finished_time=moment)


def test_it_is_not_believed_while_an_end_may_still_release_it() -> None:
    assert _read(view(job(_idle(), _ended(4_000), **cancel())), NOT_RUN).state == pb.RUN_STATE_BLOCKED
    assert _read(view(job(_idle(), _ended(5_000), **cancel())), NOT_RUN).state == pb.RUN_STATE_STOPPED


def test_an_instance_that_never_ran_releases_nothing() -> None:
    never_ran = row(1, pb.RUN_STATE_STOPPED, observe_time=timestamp(NOW_MS))

    assert _read(view(job(_idle(), never_ran, **cancel())), NOT_RUN).state == pb.RUN_STATE_STOPPED


def test_a_refused_stop_is_believed_only_when_upstream_has_had_its_grace() -> None:
    hints = Hints(stop_asked_ms={0: NOW_MS - 50_000})
    of = job(row(0, pb.RUN_STATE_BLOCKED), **cancel(at_ms=NOW_MS - 89_000))

    assert _read(view(of, hints), NOT_RUN).state == pb.RUN_STATE_BLOCKED
    assert _read(view(of, hints, now_ms=NOW_MS + 1_000), NOT_RUN).state == pb.RUN_STATE_STOPPED


@pytest.mark.parametrize(
    "run",
    [
        row(0, pb.RUN_STATE_CREATED),
        _idle(pb.RUN_STATE_CREATED),
        _idle(parent_end_time=timestamp(NOW_MS - 95_000)),
    ],
)
def test_a_start_whose_reply_was_lost_may_still_take_effect_after_the_cancel(run: pb.InstanceRun) -> None:
    of = job(run, operations=[confirmed(0)], **cancel(at_ms=NOW_MS - 59_000))

    assert _read(view(of), NOT_RUN).state == run.state
    assert _read(view(of, now_ms=NOW_MS + 1_000), NOT_RUN).state in (pb.RUN_STATE_STOPPED, pb.RUN_STATE_SKIPPED)


def test_what_was_named_and_never_asked_for_is_skipped() -> None:
    start = pb.StartWorkflowInstancesSpec(ids=[100])
    of = job(row(0, pb.RUN_STATE_CREATED, operation_index=-1), start=start, **cancel(at_ms=NOW_MS - 60_000))

    assert _read(view(of), NOT_RUN).state == pb.RUN_STATE_SKIPPED


def test_a_child_of_a_halt_is_skipped_only_when_it_was_read() -> None:
    failed = row(1, pb.RUN_STATE_FAILED)
    of = job(_idle(), failed, operations=[confirmed(0, 1)])

    after = _read(view(of), NOT_RUN)
    assert (after.state, reason(after.error)) == (pb.RUN_STATE_SKIPPED, "RUN_SKIPPED")


def test_a_stop_that_upstream_calls_failure_is_a_skip_where_it_never_ran() -> None:
    of = job(_idle(), row(1, pb.RUN_STATE_FAILED), operations=[confirmed(0, 1)])
    never_ran = seen(100, FAILURE)
    never_ran.ClearField("started_time")
    change = absorbed(view(of), GetInstance(100), never_ran, 0)

    assert taken(view(of), change).runs[0].state == pb.RUN_STATE_SKIPPED
    assert _read(view(of), FAILURE, started_time=_ASKED).state == pb.RUN_STATE_STOPPED


def test_what_began_after_its_stop_was_accepted_and_failed_has_failed() -> None:
    """Upstream accepts a stop of what is NotRun, and may start it later all the same."""
    of = job(_idle(), row(1, pb.RUN_STATE_FAILED), operations=[confirmed(0, 1)])
    soon, late = (timestamp(NOW_MS - 20_000 + after_ms) for after_ms in (5_000, 5_001))

    assert _read(view(of), FAILURE, started_time=soon).state == pb.RUN_STATE_STOPPED
    assert _read(view(of), FAILURE, started_time=late).state == pb.RUN_STATE_FAILED


def test_a_child_that_upstream_released_first_is_followed_and_stopped_again() -> None:
    after = _read(view(job(_idle(), **cancel())), RUNNING)

    assert after.state == pb.RUN_STATE_RUNNING
    assert not after.HasField("stop_time")


def test_a_stop_job_is_content_with_what_does_not_run() -> None:
    stop = pb.StopWorkflowInstancesSpec(ids=[100])
    refused = Hints(stop_asked_ms={0: NOW_MS})
    of = job(row(0, pb.RUN_STATE_CREATED), stop=stop)

    assert _read(view(of, refused), NOT_RUN).state == pb.RUN_STATE_STOPPED
    assert _read(view(of, refused), SUCCESS).state == pb.RUN_STATE_SUCCEEDED
    runs_on = _read(view(of, refused), RUNNING)
    assert (runs_on.state, reason(runs_on.error)) == (pb.RUN_STATE_UNRESOLVED, "UPSTREAM_REFUSED")


def test_of_instances_that_others_made_each_waits_for_all_to_rest() -> None:
    """Found by the simulator: a stop job can't know which of its instances releases which."""
    stop = pb.StopWorkflowInstancesSpec(ids=[100, 101])
    of = job(_idle(pb.RUN_STATE_CREATED), row(1, pb.RUN_STATE_CREATED, stop_time=_ASKED), stop=stop)

    assert _read(view(of), NOT_RUN).state == pb.RUN_STATE_CREATED
    assert _read(view(of, Hints(idle_at_ms={1: NOW_MS})), NOT_RUN).state == pb.RUN_STATE_STOPPED


def _rerun() -> pb.Job:
    run = row(0, pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_HEADGATE)
    done = operation(pb.OPERATION_OUTCOME_CONFIRMED)
    return job(run, operations=[done], rerun=pb.RerunWorkflowInstancesSpec(ids=[100]))


def test_the_end_of_the_run_before_a_rerun_is_not_its_end() -> None:
    of = view(_rerun())

    assert _read(of, FAILURE, finished_time=timestamp(NOW_MS - 60_000)).state == pb.RUN_STATE_STARTING
    assert _read(of, SUCCESS, finished_time=timestamp(NOW_MS - 4_000)).state == pb.RUN_STATE_SUCCEEDED


def test_a_rerun_that_upstream_never_shows_is_not_waited_for_for_ever() -> None:
    late = view(_rerun(), now_ms=NOW_MS + 180_000)
    after = _read(late, FAILURE, finished_time=timestamp(NOW_MS - 60_000))

    assert (after.state, reason(after.error)) == (pb.RUN_STATE_UNRESOLVED, "UPSTREAM_AMBIGUOUS")


def test_a_drain_lets_what_runs_end_by_itself() -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING), backfill=spec(1), **cancel(pb.CANCEL_MODE_DRAIN)))

    assert _read(of, FAILURE).state == pb.RUN_STATE_FAILED
