"""A server that polls quickly, and an upstream that answers it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate import pb
from tests.server.instance_rows import Upstream, answering
from tests.server.world import World, serving

QUICK: dict[str, Any] = {"watch_poll_min": 0.2, "watch_poll_max": 0.5}


@pytest.fixture
async def quick(redis_url: str) -> AsyncIterator[World]:
    async with serving(redis_url, **QUICK) as found:
        yield found


@pytest.fixture
async def upstream(quick: World) -> AsyncIterator[Upstream]:
    async with answering(quick.redis) as found:
        yield found


def watch(world: World, *ids: int, **given: Any) -> Any:
    return world.instances.WatchWorkflowInstances(pb.WatchWorkflowInstancesRequest(ids=ids, **given))
