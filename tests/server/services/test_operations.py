"""google.longrunning.Operations over jobs, and the clients that others have written for it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import grpc
import pytest
from google.api_core import exceptions, operation, operations_v1
from google.longrunning import operations_grpc_pb2
from google.longrunning import operations_proto_pb2 as lro
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.reasons import Reason
from headgate.store import keys
from headgate_server import app
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.status import describe
from headgate_server.jobs import operation_view
from headgate_server.services import operations
from tests.server.world import World, connected, detail, fields_of, quick_settings, refusal, status_of, until


def stub(world: World) -> Any:
    return operations_grpc_pb2.OperationsStub(world.channel)


def job_in(packed: Any) -> pb.Job:
    job = pb.Job()
    assert packed.Unpack(job)
    return job


async def get(world: World, job_id: str) -> Any:
    return await stub(world).GetOperation(lro.GetOperationRequest(name=f"operations/{job_id}"))


async def wait(world: World, job_id: str, seconds: float | None = None, **given: Any) -> Any:
    timeout = None if seconds is None else Duration(nanos=int(seconds * 1e9) % 10**9, seconds=int(seconds))
    return await stub(world).WaitOperation(
        lro.WaitOperationRequest(name=f"operations/{job_id}", timeout=timeout), **given
    )


def shown(**given: Any) -> Any:
    return operation_view.operation(pb.Job(name="jobs/seed", **given).SerializeToString())


@pytest.mark.parametrize("state", set(pb.JobState.values()) - {5, 6, 7})
def test_an_operation_is_not_done_before_its_job_is_terminal(state: pb.JobState.ValueType) -> None:
    found = shown(state=state, error=describe(Refused(Reason.UPSTREAM_AMBIGUOUS, "which?")))

    assert (found.name, found.done, found.WhichOneof("result")) == ("operations/seed", False, None)
    assert job_in(found.metadata).state == state


def test_a_success_answers_with_the_job() -> None:
    found = shown(state=pb.JOB_STATE_SUCCEEDED, revision=9)

    assert found.done
    assert job_in(found.response) == job_in(found.metadata)
    assert job_in(found.response).revision == 9


def test_a_failure_is_the_jobs_error() -> None:
    error = describe(Refused(Reason.DEADLINE_PASSED, "too late"))

    found = shown(state=pb.JOB_STATE_FAILED, error=error)

    assert (found.done, found.error) == (True, error)


def test_a_failure_that_says_nothing_is_an_error_all_the_same() -> None:
    assert shown(state=pb.JOB_STATE_FAILED).error.code == code_pb2.ABORTED


def test_a_cancelled_job_is_an_operation_with_the_code_cancelled() -> None:
    cancelled = pb.CancelRecord(reason="wrong dates")

    found = shown(state=pb.JOB_STATE_CANCELLED, cancel=cancelled, error=Status(code=code_pb2.ABORTED))

    assert (found.done, found.error.code) == (True, code_pb2.CANCELLED)
    assert found.error.message == "jobs/seed was cancelled: wrong dates"
    assert detail(found.error, error_details_pb2.ErrorInfo).reason == "JOB_CANCELLED"


async def test_an_operation_follows_its_job(world: World) -> None:
    job_id = await world.submit()
    assert not (await get(world, job_id)).done

    await world.worker.finish(job_id)

    found = await get(world, job_id)
    assert found.done and job_in(found.response) == await world.jobs.GetJob(
        pb.GetJobRequest(name=keys.job_name(job_id))
    )


async def test_names_that_are_none_and_names_of_nothing(world: World) -> None:
    for name in ("", "jobs/seed", "operations/", "operations/Seed", "operations/seed\n", "operations/seed/x"):
        with pytest.raises(grpc.RpcError) as caught:
            await stub(world).GetOperation(lro.GetOperationRequest(name=name))
        assert fields_of(status_of(caught.value)) == {"name"}
    calls: tuple[tuple[Callable[..., Any], Callable[..., Any]], ...] = (
        (stub(world).GetOperation, lro.GetOperationRequest),
        (stub(world).WaitOperation, lro.WaitOperationRequest),
        (stub(world).CancelOperation, lro.CancelOperationRequest),
        (stub(world).DeleteOperation, lro.DeleteOperationRequest),
    )
    for call, request in calls:
        assert await refusal(call(request(name="operations/nobody"))) == "JOB_UNKNOWN"


async def walk(world: World, **given: Any) -> list[str]:
    found, token = [], ""
    while True:
        page = await stub(world).ListOperations(lro.ListOperationsRequest(page_token=token, **given))
        found += [row.name for row in page.operations]
        token = page.next_page_token
        if not token:
            return found


async def test_operations_are_listed_as_jobs_are(world: World) -> None:
    names = [f"operations/{await world.submit()}" for _ in range(5)]
    await world.worker.finish(names[2].partition("/")[2])

    assert await walk(world, page_size=2) == names[::-1]
    assert await walk(world, name="operations", filter="state = SUCCEEDED") == [names[2]]
    assert await walk(world, filter="state = FAILED") == []


async def test_a_list_names_what_it_refuses(world: World) -> None:
    for wrong, field in (
        ({"name": "projects/7"}, "name"),
        ({"filter": "nonsense ="}, "filter"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "x" * 2000}, "page_token"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            await stub(world).ListOperations(lro.ListOperationsRequest(**wrong))
        assert fields_of(status_of(caught.value)) == {field}
    assert await refusal(stub(world).ListOperations(lro.ListOperationsRequest(page_token="x"))) == "PAGE_TOKEN_INVALID"


async def test_a_page_of_large_operations_fits_into_a_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MAX_PAGE_BYTES", 1)
    names = [f"operations/{await world.submit()}" for _ in range(3)]

    page = await stub(world).ListOperations(lro.ListOperationsRequest())

    assert [row.name for row in page.operations] == [names[-1]] and page.next_page_token
    assert await walk(world) == names[::-1]


async def test_a_wait_ends_with_the_job_and_not_with_other_events(world: World) -> None:
    job_id = await world.submit()
    waiting = asyncio.ensure_future(wait(world, job_id, 30))
    await until(lambda: _is_watched(world))
    reads = await _loads(world)
    for _ in range(20):
        await world.worker.say(job_id)
    assert not waiting.done()

    await world.worker.finish(job_id)

    found = await asyncio.wait_for(waiting, 5)
    assert found.done and job_in(found.response).revision == 23
    assert await _loads(world) - reads < 10, "it reads the job for events that do not end it"


async def _is_watched(world: World) -> bool:
    clients = await world.redis.client_list()
    return any(client["cmd"] == "xread" for client in clients)


async def _loads(world: World) -> int:
    """How often a job was loaded; a commit reads the job's fields too, and pushes its event."""
    stats: Any = await world.redis.info("commandstats")
    return int(stats["cmdstat_hmget"]["calls"]) - int(stats["cmdstat_rpush"]["calls"])


async def test_a_wait_is_over_after_its_timeout_or_before_its_callers_deadline(world: World) -> None:
    job_id = await world.submit()
    began = asyncio.get_running_loop().time()

    assert not (await wait(world, job_id, 0.2)).done
    assert not (await wait(world, job_id, 0)).done
    assert not (await wait(world, job_id, 50, timeout=0.6)).done
    assert not (await wait(world, job_id, timeout=0.6)).done
    assert asyncio.get_running_loop().time() - began < 5

    with pytest.raises(grpc.RpcError) as caught:
        await stub(world).WaitOperation(lro.WaitOperationRequest(name="operations/x", timeout=Duration(seconds=-1)))
    assert fields_of(status_of(caught.value)) == {"timeout"}


async def test_a_wait_for_what_is_done_ends_at_once(world: World) -> None:
    job_id = await world.submit()
    await world.worker.finish(job_id)

    assert (await asyncio.wait_for(wait(world, job_id, 60), 5)).done


async def test_a_wait_for_what_is_deleted_meanwhile_is_told(world: World) -> None:
    job_id = await world.submit()
    waiting = asyncio.ensure_future(wait(world, job_id, 30))
    await until(lambda: _is_watched(world))
    await world.redis.delete(keys.job(job_id), keys.log(job_id))
    await world.redis.xadd(keys.FEED, {"i": job_id, "r": 0, "e": b""})

    assert await asyncio.wait_for(refusal(waiting), 5) == "JOB_UNKNOWN"


async def test_a_draining_server_lets_waits_go(redis_url: str) -> None:
    async with AsyncExitStack() as outer:
        async with app.running(quick_settings(redis_url)) as server:
            world = await outer.enter_async_context(connected(f"127.0.0.1:{server.grpc_port}", "", redis_url))
            waiting = asyncio.ensure_future(wait(world, await world.submit(), 30))
            await until(lambda: _is_watched(world))
            began = asyncio.get_running_loop().time()
        assert not (await waiting).done
        assert asyncio.get_running_loop().time() - began < 10


async def test_cancel_is_a_stop_and_may_be_repeated(world: World) -> None:
    job_id = await world.submit()
    for _ in range(2):
        await stub(world).CancelOperation(lro.CancelOperationRequest(name=f"operations/{job_id}"))

    job = await world.worker.load(job_id)
    assert (job.state, job.cancel.mode, job.revision) == (pb.JOB_STATE_CANCELLING, pb.CANCEL_MODE_STOP, 2)
    await world.worker.move(job_id, pb.JOB_STATE_CANCELLED)
    await stub(world).CancelOperation(lro.CancelOperationRequest(name=f"operations/{job_id}"))
    assert (await get(world, job_id)).error.code == code_pb2.CANCELLED


async def test_only_what_is_done_can_be_deleted(world: World) -> None:
    job_id = await world.submit()
    request = lro.DeleteOperationRequest(name=f"operations/{job_id}")
    assert await refusal(stub(world).DeleteOperation(request)) == "STATE_CONFLICT"
    assert (await world.worker.load(job_id)).state == pb.JOB_STATE_QUEUED

    await world.worker.finish(job_id)
    await stub(world).DeleteOperation(request)

    assert await refusal(get(world, job_id)) == "JOB_UNKNOWN"
    assert await refusal(stub(world).DeleteOperation(request)) == "JOB_UNKNOWN"


@contextmanager
def googles_client(world: World) -> Iterator[Any]:
    """Google's own client, which blocks: call it in a thread."""
    with grpc.insecure_channel(world.address) as channel:
        client: Any = operations_v1.OperationsClient  # it has no types
        yield client(channel)


async def future(client: Any, job_id: str) -> Any:
    begun = await asyncio.to_thread(client.get_operation, f"operations/{job_id}")
    make: Any = operation.from_gapic
    return make(begun, client, pb.Job, metadata_type=pb.Job)


async def test_googles_future_waits_for_a_job(world: World) -> None:
    job_id = await world.submit()
    with googles_client(world) as client:
        promised = await future(client, job_id)
        assert not await asyncio.to_thread(promised.done)
        assert promised.metadata.state == pb.JOB_STATE_QUEUED
        result = asyncio.ensure_future(asyncio.to_thread(promised.result, timeout=20))

        await world.worker.finish(job_id)

        assert (await result).name == keys.job_name(job_id)


async def test_googles_future_tells_failures_and_cancels(world: World) -> None:
    failed, cancelled = await world.submit(), await world.submit()
    await world.worker.move(failed, pb.JOB_STATE_RUNNING)
    error = describe(Refused(Reason.RUNS_FAILED, "1 of 2 failed"))
    await world.worker.append(
        failed, pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_FAILED, error=error)
    )
    with googles_client(world) as client:
        promised = await future(client, failed)
        with pytest.raises(exceptions.Aborted, match="1 of 2 failed"):
            await asyncio.to_thread(promised.result, timeout=20)

        promised = await future(client, cancelled)
        assert await asyncio.to_thread(promised.cancel)
        await world.worker.move(cancelled, pb.JOB_STATE_CANCELLED)
        assert await asyncio.to_thread(promised.cancelled)


async def test_googles_client_lists_and_deletes(world: World) -> None:
    job_ids = [await world.submit() for _ in range(3)]
    await world.worker.finish(job_ids[0])
    with googles_client(world) as client:
        listed = await asyncio.to_thread(lambda: [row.name for row in client.list_operations("operations", "")])
        await asyncio.to_thread(client.delete_operation, f"operations/{job_ids[0]}")
        with pytest.raises(exceptions.NotFound):
            await asyncio.to_thread(client.get_operation, f"operations/{job_ids[0]}")

    assert listed == [f"operations/{job_id}" for job_id in job_ids[::-1]]
