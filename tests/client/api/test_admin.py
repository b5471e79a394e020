"""What a client asks about the deployment, of a real server."""

import pytest

from headgate.store import keys
from headgate_client import Client, HeadgateError
from tests.server.world import World


async def test_jobs_are_checked_one_by_one_or_page_by_page(world: World, client: Client) -> None:
    good, bad = [await world.submit() for _ in range(2)]
    await world.redis.zrem(keys.DUE, bad)

    one = [page async for page in client.admin.check_jobs(good)]
    every = [page async for page in client.admin.check_jobs()]

    assert [(page.checked, len(page.findings)) for page in one] == [(1, 0)]
    assert sum(page.checked for page in every) == 2 and every[-1].next_page_token == ""
    assert [(found.job, found.subject) for page in every for found in page.findings] == [(f"jobs/{bad}", "index due")]


async def test_a_job_may_be_named_either_way(world: World, client: Client) -> None:
    job_id = await world.submit()

    for name in (job_id, f"jobs/{job_id}"):
        assert [page.checked async for page in client.admin.check_jobs(name)] == [1]


async def test_the_server_is_shown_and_no_quota_of_a_connection_that_no_worker_serves(client: Client) -> None:
    assert (await client.admin.server_info()).version
    with pytest.raises(HeadgateError) as refused:
        await client.admin.quota("mars")
    assert refused.value.reason == "CONNECTION_UNKNOWN"
