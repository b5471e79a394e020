"""Metrics, health and readiness, as a monitor asks for them."""

from aiohttp import ClientSession

from tests.server.processes import Start
from tests.server.world import World, until


async def test_health_ready_and_metrics_are_shown(start: Start) -> None:
    async with start() as (_, world), ClientSession() as session:
        await world.submit()
        await until(lambda: is_ready(session, world))
        async with session.get(f"{world.ops}/healthz") as response:
            assert response.status == 200
        async with session.get(f"{world.ops}/metrics") as response:
            page = await response.text()
    assert 'headgate_rpc_total{code="OK",method="headgate.v1.BackfillService.CreateBackfill"} 1.0' in page
    for name in (
        "headgate_rpc_seconds",
        "headgate_open_watches",
        "headgate_hub_lag_seconds",
        "headgate_commit_group_size",
    ):
        assert name in page


async def is_ready(session: ClientSession, world: World) -> bool:
    async with session.get(f"{world.ops}/readyz") as response:
        return response.status == 200
