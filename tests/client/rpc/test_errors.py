"""What a failed call tells."""

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate_client.rpc.errors import HeadgateError, JobCancelled, JobFailed, JobNeedsAttention, Violation, failure_of
from tests.client.scripted import JOB, Running


def created(running: Running) -> list[pb.CreateBackfillRequest]:
    return [call for _, call in running.script.calls if isinstance(call, pb.CreateBackfillRequest)]


async def test_field_errors_name_every_field(running: Running) -> None:
    with pytest.raises(HeadgateError) as caught:
        await running.client.backfills.create(pb.BackfillSpec())

    error = caught.value
    assert error.is_invalid and not error.is_retryable
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert [(row.subject, row.description) for row in error.field_violations] == [("spec.name", "must not be empty")]
    assert "spec.name: must not be empty" in str(error)
    assert error.metadata == {"job": JOB}
    assert len(created(running)) == 1


def rich(code: grpc.StatusCode, *details: Message) -> Status:
    found = Status(code=code.value[0], message="said")
    for detail in details:
        found.details.add().Pack(detail)
    return found


def test_a_status_tells_reason_facts_fields_conditions_and_when_to_come_back() -> None:
    field = error_details_pb2.BadRequest(field_violations=[{"field": "spec.name", "description": "is empty"}])
    condition = error_details_pb2.PreconditionFailure(violations=[{"subject": "2025-02-05", "description": "is held"}])
    retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
    info = error_details_pb2.ErrorInfo(reason="DATES_HELD", metadata={"job": "jobs/x"})

    found = HeadgateError.from_status(
        rich(grpc.StatusCode.FAILED_PRECONDITION, info, field, condition, retry), method="CreateBackfill"
    )

    assert (found.code, found.reason, found.metadata) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "DATES_HELD",
        {"job": "jobs/x"},
    )
    assert found.field_violations == (Violation("spec.name", "is empty"),)
    assert found.preconditions == (Violation("2025-02-05", "is held"),)
    assert found.retry_after == 1.5 and found.is_conflict and not found.is_retryable
    assert str(found) == "CreateBackfill: FAILED_PRECONDITION DATES_HELD: said; spec.name: is empty"


def test_a_code_that_there_is_not_is_unknown_and_details_may_be_missing() -> None:
    found = HeadgateError.from_status(Status(code=99, message="x"))

    assert found.code is grpc.StatusCode.UNKNOWN and found.retry_after is None and found.reason == ""


def test_details_that_a_proxy_spoilt_leave_code_and_message() -> None:
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff")),
        details="no such job",
    )

    found = HeadgateError.from_rpc(error, method="GetJob")

    assert found.is_not_found and found.message == "no such job" and found.reason == ""


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_only_what_no_server_has_answered_may_be_repeated(code: grpc.StatusCode) -> None:
    found = HeadgateError(code)

    assert found.is_retryable is (code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED))
    assert found.is_invalid is (code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE))


@pytest.mark.parametrize(
    ("state", "kind", "said"),
    [
        (pb.JOB_STATE_FAILED, JobFailed, "jobs/x failed: why"),
        (pb.JOB_STATE_CANCELLED, JobCancelled, "jobs/x was cancelled: why"),
        (pb.JOB_STATE_NEEDS_ATTENTION, JobNeedsAttention, "jobs/x needs attention: why"),
        (pb.JOB_STATE_SUCCEEDED, None, ""),
        (pb.JOB_STATE_RUNNING, None, ""),
    ],
)
def test_a_job_that_did_not_succeed_is_an_error_of_its_own_kind(
    state: pb.JobState.ValueType, kind: type[Exception] | None, said: str
) -> None:
    found = failure_of(pb.Job(name="jobs/x", state=state, error=Status(code=9, message="why")))

    assert (type(found) if found else None) is kind
    assert found is None or str(found) == said
