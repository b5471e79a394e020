"""A job fits twice into what a client takes of one message, whatever upstream says of its runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.job import event_log, sizes
from headgate.reasons import Reason
from headgate_worker.core.model import errors, record_size
from headgate_worker.core.model.steps import apply, operation_changed, run_with, runs_changed, timestamp
from tests.worker.core.building import NOW_MS, row

RUNS: Final = 1_100
REQUEST_BYTES: Final = 512 * 1024
"""What a request may have; the server's bound, which the core does not know."""

LONG: Final = "等待父实例结束" * 200
"""More than 1,024 characters of three bytes each."""


def largest() -> pb.Job:
    """A job as large as a request makes it."""
    job = pb.Job(name="jobs/largest", uid="0" * 16, state=pb.JOB_STATE_RUNNING, revision=1)
    for number in range(20):
        job.labels[f"{number:063}"] = "値" * 63
    job.backfill.name = "n" * 128
    job.runs.extend(row(number, pb.RUN_STATE_PLANNED) for number in range(RUNS))
    job.backfill.task_parameters = "p" * (REQUEST_BYTES - job.backfill.ByteSize())
    return job


def failed(run: pb.InstanceRun) -> pb.InstanceRun:
    """A row with all that may be told of it, as long as adapters let it be."""
    error = errors.status(Reason.UPSTREAM_REFUSED, LONG[:1024], action="a" * 64, code="c" * 128, request_id="r" * 128)
    digest = pb.FailureDigest(task_instance_id=2**62, task_name=LONG[:256], log_tail=LONG[:1300], truncated=False)
    changed = run_with(run, state=pb.RUN_STATE_FAILED, workflow_instance_id=2**62, operation_index=run.index)
    return run_with(
        changed,
        upstream_status="s" * 128,
        upstream_message=LONG[:1024],
        error=error,
        failure_digest=digest,
        dry_run_tasks=[LONG[:64]] * 5,
        observe_time=timestamp(NOW_MS),
        started_time=timestamp(NOW_MS),
        finished_time=timestamp(NOW_MS),
    )


def call(index: int, marker: str) -> pb.UpstreamOperation:
    return pb.UpstreamOperation(
        index=index,
        action="CreateWorkflowInstances",
        marker=marker,
        outcome=pb.OPERATION_OUTCOME_CONFIRMED,
        operation_id="o" * 36,
        upstream_request_ids=["r" * 36],
        workflow_instance_ids=[2**62],
        intent_time=timestamp(NOW_MS),
        attempts=1,
    )


def history(job: pb.Job, rows_an_event: int, marker: str) -> Iterator[pb.JobEvent]:
    """Drafts that make every row as long as it gets, and a call for each of them."""
    for start in range(0, RUNS, rows_an_event):
        numbers = range(start, min(RUNS, start + rows_an_event))
        yield runs_changed(*(failed(job.runs[number]) for number in numbers), message=LONG[:1024])
        calls = operation_changed(call(numbers[0], marker))
        calls.operations.extend(call(number, marker) for number in numbers[1:])
        yield calls


@pytest.mark.parametrize("rows_an_event", [10, 100, RUNS])
@pytest.mark.parametrize("marker", ["nightly", "等" * 128])
def test_no_job_becomes_too_large_to_be_shown_twice(rows_an_event: int, marker: str) -> None:
    job, longest = largest(), 0
    for draft in history(job, rows_an_event, marker):
        if job.ByteSize() >= sizes.END_BYTES:
            break  # the worker ends it here
        job, events = apply(job, (draft,), now_ms=NOW_MS)
        longest = max(longest, *(event.ByteSize() for event in events))

    assert job.ByteSize() < sizes.MAX_JOB_BYTES
    assert longest < sizes.MAX_JOB_BYTES / 2


@pytest.mark.parametrize("rows_an_event", [10, 100])
def test_a_backfill_of_a_thousand_failures_does_not_end_for_its_size(rows_an_event: int) -> None:
    job = largest()
    for draft in history(job, rows_an_event, "nightly"):
        job, _ = apply(job, (draft,), now_ms=NOW_MS)

    assert job.ByteSize() < sizes.END_BYTES


def test_an_ordinary_row_is_recorded_as_it_was_said() -> None:
    job = pb.Job(name="jobs/t", state=pb.JOB_STATE_RUNNING, runs=[row(0, pb.RUN_STATE_PLANNED)])
    draft = runs_changed(failed(job.runs[0]))

    _, (event,) = apply(job, (draft,), now_ms=NOW_MS)

    assert event.runs[0].failure_digest.log_tail == LONG[:1300]
    assert event.runs[0].upstream_message == LONG[:1024]


def test_a_row_told_in_short_still_says_why() -> None:
    job = largest()
    job.backfill.task_parameters += "p" * sizes.SHORT_TEXTS_BYTES
    _, (event,) = apply(job, (runs_changed(failed(job.runs[0])),), now_ms=NOW_MS)

    told = event.runs[0]

    assert told.ByteSize() <= sizes.SHORT_ROW_BYTES + 64
    assert told.upstream_message and told.error.message and told.failure_digest.task_name
    assert told.failure_digest.truncated
    assert reason_of(told.error) == "UPSTREAM_REFUSED"


def reason_of(error: Status) -> str:
    info = ErrorInfo()
    assert error.details[0].Unpack(info)
    return str(info.reason)


def test_a_call_keeps_the_last_of_upstreams_request_ids() -> None:
    row_ = call(0, "nightly")
    row_.upstream_request_ids.extend(str(number) for number in range(900))
    job = pb.Job(name="jobs/t", state=pb.JOB_STATE_RUNNING)

    after, _ = apply(job, (operation_changed(row_),), now_ms=NOW_MS)

    assert list(after.operations[0].upstream_request_ids)[-1] == "899"
    assert len(after.operations[0].upstream_request_ids) <= record_size.MOST_REQUEST_IDS


@pytest.mark.parametrize("most", range(9))
def test_a_text_is_cut_between_characters(most: int) -> None:
    assert sizes.cut("等a等", most) == "等a等".encode()[:most].decode("utf-8", "ignore")


def test_the_fold_of_a_shortened_log_is_the_job() -> None:
    job = largest()
    accepted = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_RUNNING, job=job)
    first = event_log.fold(None, accepted)
    after, events = apply(first, (runs_changed(*(failed(run) for run in first.runs)),), now_ms=NOW_MS)

    assert event_log.replay((accepted, *events)) == after
