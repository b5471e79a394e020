import asyncio

import pytest

from headgate import pb
from headgate_client import HeadgateError, JobCancelled, JobFailed, JobNeedsAttention, JobNotSucceeded
from headgate_client.rpc.errors import failure_of
from tests.client.scripted import JOB, Fault, Plan, Running, make_log, serve


async def test_the_result_is_the_ended_job(running: Running) -> None:
    running.script.play([Plan(sent=1, fault=Fault.UNAVAILABLE)])
    handle = running.client.jobs.handle("orders-2025")

    job = await handle.result()

    assert job.state == pb.JOB_STATE_SUCCEEDED and job.revision == 6
    assert handle.job == job


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (pb.JOB_STATE_FAILED, JobFailed),
        (pb.JOB_STATE_NEEDS_ATTENTION, JobNeedsAttention),
    ],
)
async def test_another_end_is_raised_with_the_job(state: pb.JobState.ValueType, error: type[JobNotSucceeded]) -> None:
    async with serve(make_log(5, state)) as running:
        with pytest.raises(error) as caught:
            await running.client.jobs.handle(JOB).result()

    assert caught.value.job.state == state


async def test_another_end_can_be_asked_for_as_data() -> None:
    async with serve(make_log(5, pb.JOB_STATE_FAILED)) as running:
        job = await running.client.jobs.handle(JOB).result(raise_on_failure=False)

    assert job.state == pb.JOB_STATE_FAILED


async def test_a_timeout_ends_the_wait_and_not_the_job(running: Running) -> None:
    running.script.play([Plan(sent=1, fault=Fault.HANG)])

    with pytest.raises(TimeoutError):
        await running.client.jobs.handle(JOB).result(timeout=0.05)

    assert not [call for call, _ in running.script.calls if call == "CancelJob"]


async def test_many_results_are_awaited_side_by_side(running: Running) -> None:
    handles = [running.client.jobs.handle(JOB) for _ in range(20)]

    jobs = await asyncio.gather(*(handle.result() for handle in handles))

    assert {job.state for job in jobs} == {pb.JOB_STATE_SUCCEEDED}


async def test_steering_keeps_the_handle_current(running: Running) -> None:
    handle = running.client.jobs.handle(JOB)
    assert handle.job is None and repr(handle) == "<JobHandle jobs/orders-2025 not read>"

    await handle.refresh()
    assert handle.job is not None and handle.job.revision == 6
    await handle.cancel(reason="no longer needed")

    assert handle.job.state == pb.JOB_STATE_CANCELLING


async def test_a_handle_of_an_unknown_job_says_so_when_asked(running: Running) -> None:
    with pytest.raises(HeadgateError):
        await running.client.jobs.handle("other").refresh()


def test_a_failure_tells_the_cause_that_the_job_carries() -> None:
    job = pb.Job(name=JOB, state=pb.JOB_STATE_CANCELLED)
    job.error.code = 10
    job.error.message = "somebody asked"

    failure = failure_of(job)

    assert isinstance(failure, JobCancelled)
    assert str(failure) == "jobs/orders-2025 was cancelled: somebody asked"
    assert failure.code.name == "ABORTED"
