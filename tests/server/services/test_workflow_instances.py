"""Workflow instances are read by a worker, or served from what was observed just now."""

from google.protobuf.duration_pb2 import Duration

from headgate import pb
from headgate.store import keys
from tests.server.instance_rows import answer, both, instance
from tests.server.world import World


async def observe(world: World, id_: int, *, age_seconds: int) -> pb.WorkflowInstance:
    seen = instance(id_)
    now, _ = await world.redis.time()
    seen.observe_time.seconds = now - age_seconds
    await world.redis.set(keys.observation("", id_), seen.SerializeToString())
    return seen


async def test_a_recent_observation_needs_no_worker(world: World) -> None:
    seen = await observe(world, 5, age_seconds=10)
    request = pb.GetWorkflowInstanceRequest(id=5, max_staleness=Duration(seconds=60))

    assert await world.instances.GetWorkflowInstance(request) == seen
    assert await world.redis.llen(keys.kick(keys.READS)) == 0  # type: ignore[misc]


async def test_an_old_observation_does_not_serve(world: World) -> None:
    await observe(world, 5, age_seconds=100)
    request = pb.GetWorkflowInstanceRequest(id=5, max_staleness=Duration(seconds=60))

    found, _ = await both(
        world.instances.GetWorkflowInstance(request), answer(world.redis, True, instance(5).SerializeToString())
    )

    assert found == instance(5)


async def test_a_batch_is_served_from_observations_only_if_all_are_recent(world: World) -> None:
    seen = [await observe(world, 5, age_seconds=1), await observe(world, 6, age_seconds=100)]
    fresh = pb.BatchGetWorkflowInstancesRequest(ids=[5, 6], max_staleness=Duration(seconds=60))
    loose = pb.BatchGetWorkflowInstancesRequest(ids=[6, 5], max_staleness=Duration(seconds=600))

    reply = await world.instances.BatchGetWorkflowInstances(loose)
    assert list(reply.workflow_instances) == seen[::-1]
    _, asked = await both(
        world.instances.BatchGetWorkflowInstances(fresh),
        answer(world.redis, True, pb.BatchGetWorkflowInstancesResponse().SerializeToString()),
    )
    assert asked.method == "BatchGetWorkflowInstances"
