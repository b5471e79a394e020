"""Flow instances: served from what was observed just now, read by a worker, and watched as workflow instances are."""

from typing import Any

from google.protobuf.duration_pb2 import Duration

from headgate import pb
from headgate.reasons import Reason
from headgate.store import keys
from headgate.v1.flow_instance_service_pb2_grpc import FlowInstanceServiceStub
from tests.server.instance_rows import answer, answering, both
from tests.server.instances.conftest import QUICK
from tests.server.world import World, serving


async def test_flows_are_watched_the_same_way(redis_url: str) -> None:
    async with serving(redis_url, **QUICK) as quick, answering(quick.redis) as upstream:
        upstream.rows["2-1"] = pb.FlowInstance(instance_id="2-1", status=pb.FLOW_INSTANCE_STATUS_RUNNING)
        upstream.refuse("2-2", Reason.UPSTREAM_QPS)
        stub = FlowInstanceServiceStub(quick.channel)
        call: Any = stub.WatchFlowInstances(pb.WatchFlowInstancesRequest(instance_ids=["2-1", "2-2"]))

        found = {message.WhichOneof("payload"): message for message in [await call.read(), await call.read()]}

        assert found["flow_instance"].flow_instance.instance_id == "2-1"
        assert found["unreadable"].unreadable.instance_id == "2-2"
        call.cancel()


async def test_a_recent_observation_needs_no_worker_and_an_old_one_does_not_serve(world: World) -> None:
    seen = pb.FlowInstance(instance_id="2-1", status=pb.FLOW_INSTANCE_STATUS_RUNNING)
    now, _ = await world.redis.time()
    seen.observe_time.seconds = now - 10
    await world.redis.set(keys.observation("", "2-1"), seen.SerializeToString())
    stub = FlowInstanceServiceStub(world.channel)

    def ask(seconds: int) -> Any:
        return stub.GetFlowInstance(
            pb.GetFlowInstanceRequest(instance_id="2-1", max_staleness=Duration(seconds=seconds))
        )

    assert await ask(60) == seen and not await world.redis.exists(keys.kick(keys.READS))
    ended = pb.FlowInstance(instance_id="2-1", status=pb.FLOW_INSTANCE_STATUS_SUCCESS)
    found, asked = await both(ask(5), answer(world.redis, True, ended.SerializeToString()))
    assert (found, asked.method) == (ended, "GetFlowInstance")
