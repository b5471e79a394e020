"""Workflow instances as a client reads and watches them."""

from headgate.reasons import Reason
from headgate_client import Client
from tests.server.instance_rows import RUNNING, SUCCESS, answering
from tests.server.world import World


async def test_watched_instances_come_again_after_they_could_not_be_read(world: World, client: Client) -> None:
    async with answering(world.redis) as upstream:
        upstream.set(5, RUNNING, status_raw="Running")
        told = []
        async with client.workflow_instances.watch([5]) as changes:
            async for change in changes:
                kind = change.WhichOneof("payload")
                if kind == "progress":
                    continue
                told.append((kind, change.workflow_instance.status))
                if len(told) == 1:
                    upstream.refuse(5, Reason.UPSTREAM_UNAVAILABLE)
                elif kind == "unreadable":
                    upstream.errors.clear()
                else:
                    upstream.set(5, SUCCESS)
    rows = [status for kind, status in told if kind == "workflow_instance"]
    assert rows == [RUNNING, RUNNING, SUCCESS]
    assert [kind for kind, _ in told].count("unreadable") == 1
