import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.type.date_pb2 import Date

from headgate import pb
from headgate.reasons import Reason
from headgate.store import keys, queue_entries
from headgate_server.errors import status
from headgate_server.errors.exceptions import Refused
from headgate_server.requests import validator
from tests.server.auth.test_permissions import refused
from tests.server.instance_rows import answer, both, instance, take_question
from tests.server.world import World, fields_of, reason_of, serving, until

Answer = Callable[[queue_entries.ReadRequest], queue_entries.ReadReply]


async def test_a_read_is_answered_by_a_worker(world: World) -> None:
    request = pb.GetWorkflowInstanceRequest(id=5)

    found, asked = await both(
        world.instances.GetWorkflowInstance(request), answer(world.redis, True, instance(5).SerializeToString())
    )

    assert found == instance(5)
    assert asked.method == "GetWorkflowInstance"
    assert pb.GetWorkflowInstanceRequest.FromString(asked.request) == request


async def test_lists_and_batches_go_the_same_way(world: World) -> None:
    batch = pb.BatchGetWorkflowInstancesResponse(workflow_instances=[instance(5), instance(6)])

    found, asked = await both(
        world.instances.BatchGetWorkflowInstances(pb.BatchGetWorkflowInstancesRequest(ids=[5, 6])),
        answer(world.redis, True, batch.SerializeToString()),
    )

    assert (found, asked.method) == (batch, "BatchGetWorkflowInstances")


async def test_a_workers_error_is_the_calls_error(world: World) -> None:
    refused = Refused(Reason.UPSTREAM_QPS, "slow down", metadata={"action": "Get"}, retry_seconds=3)
    payload = status.describe(refused).SerializeToString()

    with pytest.raises(grpc.RpcError) as caught:
        await both(
            world.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=5)),
            answer(world.redis, False, payload),
        )

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason_of(caught.value) == "UPSTREAM_QPS"


async def test_without_a_worker_a_read_ends_in_time(redis_url: str) -> None:
    async with serving(redis_url, read_timeout=0.2) as world:
        with pytest.raises(grpc.RpcError) as caught:
            await world.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=5))

        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(caught.value) == "WORKER_UNAVAILABLE"


async def test_a_caller_in_a_hurry_is_told_before_its_deadline(world: World) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await world.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=5), timeout=0.5)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert reason_of(caught.value) == "DEADLINE_TOO_SHORT"


async def test_a_late_answer_is_dropped_and_the_next_one_is_right(redis_url: str) -> None:
    async with serving(redis_url, read_timeout=0.2) as world:
        call = world.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=5))
        _, asked = await asyncio.gather(refused(call), take_question(world.redis))
        late = queue_entries.encode_reply(queue_entries.ReadReply(asked.id, True, instance(5).SerializeToString()))
        await world.redis.rpush(asked.reply_to, late)  # type: ignore[misc]

        found, _ = await both(
            world.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=6)),
            answer(world.redis, True, instance(6).SerializeToString()),
        )

        assert found.id == 6


async def test_a_read_whose_caller_has_hung_up_is_taken_out_of_the_lane(world: World) -> None:
    calls = [world.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=5)) for _ in range(3)]
    await until(lambda: lane_holds(world, 3))
    (claimed, *_) = await world.redis.zrange(keys.READS, 0, -1)
    await world.redis.set(keys.arq_in_progress(claimed.decode()), "worker")

    for call in calls:
        call.cancel()

    await until(lambda: lane_holds(world, 0))
    assert await world.redis.keys("arq:*") == []


async def lane_holds(world: World, count: int) -> bool:
    return bool(await world.redis.zcard(keys.READS) == count)


async def test_an_answer_that_is_none_disturbs_nobody(world: World) -> None:
    call = asyncio.ensure_future(world.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=5)))
    asked = await take_question(world.redis)
    good = queue_entries.encode_reply(queue_entries.ReadReply(asked.id, True, instance(5).SerializeToString()))

    await world.redis.rpush(asked.reply_to, b"nonsense", b"9999 1 x", good)  # type: ignore[misc]

    assert (await call).id == 5


async def test_a_hundred_reads_get_their_own_answers(world: World) -> None:
    async def work() -> None:
        for _ in range(100):
            asked = await take_question(world.redis)
            id_ = pb.GetWorkflowInstanceRequest.FromString(asked.request).id
            reply = queue_entries.ReadReply(asked.id, True, instance(id_).SerializeToString())
            await world.redis.rpush(asked.reply_to, queue_entries.encode_reply(reply))  # type: ignore[misc]

    calls = [world.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=n + 1)) for n in range(100)]
    found, _ = await asyncio.gather(asyncio.gather(*calls), work())

    assert [row.id for row in found] == list(range(1, 101))


async def test_a_question_vanishes_by_itself(world: World) -> None:
    call = asyncio.ensure_future(world.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=5)))
    popped: Any = await world.redis.blpop([keys.kick(keys.READS)], timeout=5)  # type: ignore[misc]

    left_ms = await world.redis.pttl(keys.arq_job(popped[1].decode()))

    assert 10_000 < left_ms <= 15_000
    call.cancel()


async def test_task_instances_are_read_by_a_worker(world: World) -> None:
    listing = pb.ListTaskInstancesRequest(workflow_instance_id=5, status="Failure")
    rows = pb.ListTaskInstancesResponse(task_instances=[pb.TaskInstance(id=6, status="Failure")])
    log = pb.TaskInstanceLog(log="no such table", truncated=True)

    listed, asked = await both(
        world.tasks.ListTaskInstances(listing), answer(world.redis, True, rows.SerializeToString())
    )
    one, _ = await both(
        world.tasks.GetTaskInstance(pb.GetTaskInstanceRequest(id=6)),
        answer(world.redis, True, rows.task_instances[0].SerializeToString()),
    )
    said, _ = await both(
        world.tasks.GetTaskInstanceLog(pb.GetTaskInstanceLogRequest(id=6)),
        answer(world.redis, True, log.SerializeToString()),
    )

    assert (listed, one, said) == (rows, rows.task_instances[0], log)
    assert asked.method == "ListTaskInstances"
    assert pb.ListTaskInstancesRequest.FromString(asked.request) == listing


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListTaskInstancesRequest(), "workflow_instance_id"),
        (pb.ListTaskInstancesRequest(project_id=5), "workflow_instance_id"),
        (pb.ListTaskInstancesRequest(workflow_instance_id=-1), "workflow_instance_id"),
        (pb.ListTaskInstancesRequest(project_id=5, biz_date=Date(year=2025, month=2, day=30)), "biz_date"),
        (pb.ListTaskInstancesRequest(workflow_instance_id=5, biz_date=Date(year=2025)), "biz_date"),
        (pb.ListTaskInstancesRequest(workflow_instance_id=5, ids=[0]), "ids[0]"),
        (pb.ListTaskInstancesRequest(workflow_instance_id=5, task_ids=[1] * 501), "task_ids"),
        (pb.GetTaskInstanceRequest(), "id"),
        (pb.GetTaskInstanceLogRequest(id=5, max_length=(1 << 20) + 1), "max_length"),
        (pb.GetTaskInstanceLogRequest(id=5, run_number=-1), "run_number"),
    ],
)
def test_a_read_of_tasks_that_breaks_a_rule_names_the_field(request_: Any, field: str) -> None:
    with pytest.raises(Refused) as caught:
        validator.check(request_)

    assert field in fields_of(status.describe(caught.value))
