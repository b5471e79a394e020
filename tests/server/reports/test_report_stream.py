"""GetJobReport over gRPC: what it reads, what it asks upstream, and how it ends."""

from __future__ import annotations

import grpc
import pytest

from headgate import pb
from headgate.store import keys
from tests.server.reports.streams import answering, ask, kinds, read, succeeded
from tests.server.world import World, metadata_of, reason_of, until


async def test_a_report_of_the_log_asks_nothing_of_upstream(world: World) -> None:
    job_id = await succeeded(world)

    report, progress = await read(ask(world, job_id))

    assert report.statement.holds and not progress
    assert [day.instances[0].workflow_instance_id for day in report.dates] == [11, 12]
    assert not await world.redis.exists(keys.READS, keys.kick(keys.READS))


async def test_a_log_of_many_pages_is_read_to_its_end(world: World) -> None:
    job_id = await world.submit()
    await world.worker.append(job_id, *(pb.JobEvent(type=pb.EVENT_TYPE_WARNING, message=str(n)) for n in range(450)))

    report, _ = await read(ask(world, job_id))

    assert report.revision == 451
    assert (len(report.notes), report.notes_omitted, report.notes[-1].message) == (200, 250, "449")


async def test_a_caller_that_leaves_ends_the_reads(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.is_silent = True
        call = ask(world, job_id, verify=True)
        await until(lambda: len(upstream.asked) == 2)
        call.cancel()

        async def withdrawn() -> bool:
            return not [name async for name in world.redis.scan_iter("arq:job:read:*")]

        await until(withdrawn)
        assert len(upstream.asked) == 2


async def test_other_jobs_have_no_report(world: World) -> None:
    request = pb.StartWorkflowInstancesRequest(spec=pb.StartWorkflowInstancesSpec(ids=[5]))
    job = await world.instances.StartWorkflowInstances(request)

    with pytest.raises(grpc.RpcError) as caught:
        await read(ask(world, keys.job_id(job.name)))

    assert reason_of(caught.value) == "STATE_CONFLICT"


async def test_a_job_that_is_not_there_is_unknown(world: World) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await read(ask(world, "nothing"))

    assert reason_of(caught.value) == "JOB_UNKNOWN"


async def test_an_event_that_cannot_be_read_leaves_the_log_incomplete(world: World) -> None:
    job_id = await succeeded(world)
    await world.redis.lset(keys.log(job_id), 2, b"\xff\xff")  # type: ignore[misc, arg-type]

    report, _ = await read(ask(world, job_id))

    assert "LOG_INCOMPLETE" in kinds(report)
    assert "event 3 can't be read" in report.statement.text


async def test_a_job_that_cannot_be_read_is_damaged(world: World) -> None:
    job_id = await succeeded(world)
    await world.redis.hset(keys.job(job_id), "snap", b"\xff")  # type: ignore[misc, arg-type]

    with pytest.raises(grpc.RpcError) as caught:
        await read(ask(world, job_id))

    assert (reason_of(caught.value), metadata_of(caught.value)["job"]) == ("JOB_DAMAGED", keys.job_name(job_id))
