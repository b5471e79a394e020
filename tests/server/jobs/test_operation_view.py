"""A job as a long-running operation: done when the job is terminal, with a response or an error."""

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from headgate import pb
from headgate_server.jobs.operation_view import operation
from tests.server.world import detail


def job(state: pb.JobState.ValueType) -> pb.Job:
    return pb.Job(name="jobs/orders", state=state)


@pytest.mark.parametrize("state", [state for state in pb.JobState.values() if state])
def test_an_operation_is_done_when_its_job_is_terminal(state: pb.JobState.ValueType) -> None:
    found = operation(job(state).SerializeToString())

    ended = state in (pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_FAILED, pb.JOB_STATE_CANCELLED)
    assert (found.name, found.done) == ("operations/orders", ended)
    assert pb.Job.FromString(found.metadata.value) == job(state)
    result = {pb.JOB_STATE_SUCCEEDED: "response", pb.JOB_STATE_FAILED: "error", pb.JOB_STATE_CANCELLED: "error"}
    assert found.WhichOneof("result") == result.get(state)


def test_the_response_is_the_whole_job() -> None:
    found = operation(job(pb.JOB_STATE_SUCCEEDED).SerializeToString())

    unpacked = pb.Job()
    assert found.response.Unpack(unpacked) and unpacked == job(pb.JOB_STATE_SUCCEEDED)


@pytest.mark.parametrize(
    ("why", "said"),
    [("", "jobs/orders was cancelled"), ("late", "jobs/orders was cancelled: late")],
)
def test_a_cancelled_job_says_why(why: str, said: str) -> None:
    cancelled = job(pb.JOB_STATE_CANCELLED)
    cancelled.cancel.reason = why

    found = operation(cancelled.SerializeToString())

    assert (found.error.code, found.error.message) == (1, said)
    assert detail(found.error, ErrorInfo).reason == "JOB_CANCELLED"


def test_a_failed_job_says_its_error_or_that_its_runs_failed() -> None:
    failed = job(pb.JOB_STATE_FAILED)
    plain = operation(failed.SerializeToString())
    failed.error.code, failed.error.message = 7, "denied"

    told = operation(failed.SerializeToString())

    assert detail(plain.error, ErrorInfo).reason == "RUNS_FAILED"
    assert (told.error.code, told.error.message) == (7, "denied")
