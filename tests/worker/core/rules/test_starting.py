"""Starting instances, and what upstream says of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_worker.core.model.calls import FailureKind, GetInstance, PerInstance, StartInstances
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.rules.observing import looks
from headgate_worker.core.rules.starting import parent_id, queue, restart, start
from tests.worker.core.building import (
    NO_STARTER,
    NOW_MS,
    RUNNING,
    SUCCESS,
    absorbed,
    acted,
    blocked_on,
    cancel,
    committed,
    confirmed,
    failure,
    job,
    reason,
    row,
    seen,
    spec,
    states,
    taken,
    view,
)

FAILURE = pb.WORKFLOW_INSTANCE_STATUS_FAILURE
_UPSTREAM = spec(start_mode=pb.START_MODE_UPSTREAM)


@pytest.mark.parametrize(
    "message",
    [
        "Because of parallelism config, wait for parent workflowInstance[1000341554601] to finish",
        "由于并行度配置，请等待父实例workflowInstance[1000341554601]运行结束",
        "WORKFLOWINSTANCE [ 1000341554601 ]",
        "wait for workflow instance[1000341554601]",
        "等待WorkflowInstance[1000341554601\t]，再试",
    ],
)
def test_the_parent_is_read_whatever_the_sentence_is(message: str) -> None:
    assert parent_id(message) == 1_000_341_554_601


@pytest.mark.parametrize(
    "message",
    [
        "",
        "The instance does not exist.",
        "workflowInstance[]",
        "taskInstance[5]",
        "workflowInstance[9999999999999999999]",
    ],
)
def test_a_sentence_without_a_usable_id_names_no_parent(message: str) -> None:
    assert parent_id(message) == 0


@given(number=st.integers(1, 2**63 - 1), before=st.text(max_size=20), after=st.text(max_size=20))
def test_an_id_is_found_between_any_words(number: int, before: str, after: str) -> None:
    assert parent_id(f"{before} workflowInstance[{number}]{after}") in (number, parent_id(before))


def test_both_dates_of_seed_000_are_started_in_one_call() -> None:
    of = view(job(row(0, pb.RUN_STATE_CREATED), row(1, pb.RUN_STATE_CREATED), operations=[confirmed(0, 1)]))

    act = acted(start(of))

    assert act.call == StartInstances((100, 101))
    assert act.needs_commit  # refused by the store when a cancel or a pause came first


def test_a_call_carries_a_hundred_ids_at_most() -> None:
    runs = [row(n, pb.RUN_STATE_CREATED) for n in range(150)]
    call = acted(start(view(job(*runs, operations=[confirmed(*range(150))])))).call

    assert isinstance(call, StartInstances)
    assert len(call.ids) == 100


@pytest.mark.parametrize(
    "fields",
    [
        {"state": pb.JOB_STATE_PAUSED},
        {"state": pb.JOB_STATE_NEEDS_ATTENTION},
        cancel(),
        {"backfill": _UPSTREAM},
        {"create": pb.CreateWorkflowInstancesSpec()},
        {"stop": pb.StopWorkflowInstancesSpec()},
    ],
)
def test_nothing_is_started_by_a_job_that_is_not_to(fields: dict[str, object]) -> None:
    assert start(view(job(row(0, pb.RUN_STATE_CREATED), operations=[confirmed(0)], **fields))) is None


def test_later_creates_start_when_the_earlier_ones_have_ended() -> None:
    waits = row(1, pb.RUN_STATE_CREATED, operation_index=1)
    operations = [confirmed(0), confirmed(1, index=1)]

    assert start(view(job(row(0, pb.RUN_STATE_RUNNING), waits, operations=operations))) is None
    ready = view(job(row(0, pb.RUN_STATE_SUCCEEDED), waits, operations=operations))
    assert acted(start(ready)).call == StartInstances((101,))


def test_nothing_starts_before_every_instance_has_its_date() -> None:
    runs = row(0, pb.RUN_STATE_CREATED), row(1, pb.RUN_STATE_CREATING)

    assert start(view(job(*runs, operations=[confirmed(0, 1)]))) is None


def test_nothing_starts_after_a_failure_that_halts() -> None:
    runs = row(0, pb.RUN_STATE_FAILED), row(1, pb.RUN_STATE_CREATED)

    assert start(view(job(*runs, operations=[confirmed(0, 1)]))) is None
    going_on = spec(on_failure=pb.ON_FAILURE_CONTINUE)
    assert start(view(job(*runs, operations=[confirmed(0, 1)], backfill=going_on))) is not None


def _two(**fields: object) -> pb.Job:
    runs = row(0, pb.RUN_STATE_CREATED), row(1, pb.RUN_STATE_CREATED)
    return job(*runs, operations=[confirmed(0, 1)], **fields)


def test_the_wait_for_a_parent_is_a_state() -> None:
    of = view(_two())
    change = absorbed(of, StartInstances((100, 101)), {100: PerInstance(success=True), 101: blocked_on(100)})

    after = taken(of, change)
    assert states(after) == ["STARTING", "BLOCKED"]
    assert after.runs[0].started_by == pb.STARTED_BY_HEADGATE
    assert after.runs[1].blocked_by_id == 100
    assert len(change.drafts) == 1
    assert change.hints.starts == {0: 1, 1: 1}


def test_a_refusal_in_other_words_decides_nothing() -> None:
    of = view(_two())
    change = absorbed(
        of, StartInstances((100, 101)), {100: PerInstance(success=False, message="its status is Running")}
    )

    after = taken(of, change)
    assert states(after) == ["STARTING", "STARTING"]
    assert after.runs[0].started_by == pb.STARTED_BY_UNSPECIFIED
    assert after.runs[0].upstream_message == "its status is Running"


def test_an_instance_that_waits_for_itself_is_read() -> None:
    of = view(_two())

    assert states(taken(of, absorbed(of, StartInstances((100,)), {100: blocked_on(100)})))[0] == "STARTING"


@pytest.mark.parametrize("kind", [FailureKind.REFUSED, FailureKind.DENIED, FailureKind.NOT_FOUND])
def test_a_call_that_was_refused_as_a_whole_is_settled_by_reading(kind: FailureKind) -> None:
    of = view(_two())
    change = absorbed(of, StartInstances((100, 101)), failure(kind))

    assert states(taken(of, change)) == ["STARTING", "STARTING"]
    assert set(change.hints.poll_at_ms) == {0, 1}


@pytest.mark.parametrize("kind", [FailureKind.THROTTLED, FailureKind.FROZEN, FailureKind.TRANSIENT])
def test_a_call_that_may_go_again_changes_no_row(kind: FailureKind) -> None:
    change = absorbed(view(_two()), StartInstances((100, 101)), failure(kind))

    assert change.drafts == ()
    assert change.hints.retry_at_ms > NOW_MS


def test_an_answer_that_comes_after_the_end_changes_nothing() -> None:
    of = view(job(row(0, pb.RUN_STATE_SKIPPED), operations=[confirmed(0)], **cancel()))

    assert absorbed(of, StartInstances((100,)), {100: PerInstance(success=True)}).drafts == ()


def _child(**fields: object) -> pb.InstanceRun:
    return row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100, parent_end_time=timestamp(NOW_MS - 90_000), **fields)


def test_a_child_that_still_waits_for_an_ended_parent_is_asked_a_bounded_number_of_times() -> None:
    going_on = spec(on_failure=pb.ON_FAILURE_CONTINUE)
    of = view(job(row(0, pb.RUN_STATE_FAILED), _child(), operations=[confirmed(0, 1)], backfill=going_on))
    again = _after_its_parent_was_read(of, FAILURE)
    assert states(again.job)[1] == "BLOCKED"
    assert again.job.runs[1].parent_end_time == timestamp(NOW_MS)
    assert again.hints.parents_doubted == frozenset()

    over = _after_its_parent_was_read(view(of.job, Hints(starts={1: 2})), FAILURE)
    assert states(over.job)[1] == "FAILED"
    assert "workflowInstance[100]" in over.job.runs[1].error.message
    assert over.hints == Hints()


def _after_its_parent_was_read(of: View, status: pb.WorkflowInstanceStatus.ValueType) -> View:
    """The view after a start of the child was refused once more, and the parent was read for it."""
    refused = absorbed(of, StartInstances((101,)), {101: blocked_on(100)})
    doubtful = View(taken(of, refused), refused.hints, of.now_ms)
    look = min(looks(doubtful), key=lambda look: look[0])[1]
    assert (look.call, look.subject) == (GetInstance(100), 1)
    change = absorbed(doubtful, GetInstance(100), seen(100, status), 1)
    return View(taken(doubtful, change), change.hints, of.now_ms)


def test_a_child_whose_ended_parent_a_person_runs_again_waits_for_it_however_often_it_was_asked() -> None:
    going_on = spec(on_failure=pb.ON_FAILURE_CONTINUE)
    stands = job(row(0, pb.RUN_STATE_SUCCEEDED), _child(), operations=[confirmed(0, 1)], backfill=going_on)
    after = _after_its_parent_was_read(view(stands, Hints(starts={1: 2})), RUNNING)

    assert states(after.job) == ["SUCCEEDED", "BLOCKED"]
    assert not after.job.runs[1].HasField("parent_end_time")
    assert after.hints.starts == {}
    assert [look.call for _, look in looks(after)] == [GetInstance(100)]
    over = absorbed(after, GetInstance(100), seen(100, SUCCESS), 1)
    assert taken(after, over).runs[1].parent_end_time == timestamp(NOW_MS)


def test_a_child_is_linked_to_another_parent_when_upstream_says_so() -> None:
    of = view(job(row(0, pb.RUN_STATE_SUCCEEDED), _child(), operations=[confirmed(0, 1)]))
    after = taken(of, absorbed(of, StartInstances((101,)), {101: blocked_on(777)}))

    assert after.runs[1].blocked_by_id == 777
    assert not after.runs[1].HasField("parent_end_time")


def _asked(ago_ms: int, starts: int = 1) -> Hints:
    return Hints(asked_at_ms={0: NOW_MS - ago_ms}, starts={0: starts})


def test_an_accepted_start_without_effect_is_repeated_after_a_grace() -> None:
    run = row(0, pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_HEADGATE)
    of = job(run, operations=[confirmed(0)])

    assert restart(view(of, _asked(59_000)), run).state == pb.RUN_STATE_STARTING
    assert restart(view(of, _asked(60_000)), run).state == pb.RUN_STATE_CREATED
    assert restart(view(of), run).state == pb.RUN_STATE_STARTING  # hints were lost: the grace begins anew


def test_a_refused_start_is_repeated_sooner() -> None:
    run = row(0, pb.RUN_STATE_STARTING)

    assert restart(view(job(run, operations=[confirmed(0)]), _asked(10_000)), run).state == pb.RUN_STATE_CREATED


def test_at_last_the_run_has_failed_with_upstreams_words() -> None:
    run = row(0, pb.RUN_STATE_STARTING, upstream_message="no resource group")
    after = restart(view(job(run, operations=[confirmed(0)]), _asked(60_000, starts=3)), run)

    assert after.state == pb.RUN_STATE_FAILED
    assert (reason(after.error), after.error.message) == ("UPSTREAM_REFUSED", "no resource group")


@pytest.mark.parametrize("fields", NO_STARTER)
def test_nothing_is_repeated_by_a_job_that_is_not_to_start(fields: dict[str, object]) -> None:
    run = row(0, pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_HEADGATE)

    assert restart(view(job(run, operations=[confirmed(0)], **fields), _asked(10**7)), run) == run


def test_a_wait_in_unknown_words_is_taken_from_the_parallelism() -> None:
    runs = row(0, pb.RUN_STATE_RUNNING), row(1, pb.RUN_STATE_STARTING, upstream_message="稍后再试")
    after = restart(view(job(*runs, operations=[confirmed(0, 1)])), runs[1])

    assert (after.state, after.blocked_by_id) == (pb.RUN_STATE_BLOCKED, 100)


def test_what_upstream_starts_itself_waits_behind_its_parents() -> None:
    of = view(_two(backfill=_UPSTREAM))
    after = committed(of, queue(of))

    assert states(after) == ["STARTING", "BLOCKED"]
    assert after.runs[0].started_by == pb.STARTED_BY_UPSTREAM
    assert after.runs[1].blocked_by_id == 100
    assert queue(view(after)) is None


def test_what_upstream_did_not_start_is_started_here_after_the_grace() -> None:
    run = row(0, pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_UPSTREAM)
    of = job(run, operations=[confirmed(0)], backfill=_UPSTREAM)
    assert restart(view(of, _asked(89_000, 0)), run) == run

    late = restart(view(of, _asked(90_000, 0)), run)
    ready = view(job(late, operations=[confirmed(0)], backfill=_UPSTREAM))
    assert queue(ready) is None
    assert acted(start(ready)).call == StartInstances((100,))
