"""Lists of instances: filtered, sorted and paged."""

from dataclasses import replace
from typing import Any

from headgate_emulator.app import RunningEmulator
from tests.emulator.conftest import BIZ_DATE, FIRST, SECOND, Rpc, backfill


async def listed(rpc: Rpc, **params: Any) -> list[int]:
    reply = await rpc("ListWorkflowInstances", **{"ProjectId": 257880, "BizDate": BIZ_DATE, **params})
    return [row["Id"] for row in reply.body["PagingInfo"]["WorkflowInstances"]]


async def test_a_list_shows_one_date_filtered_and_sorted(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    await backfill(rpc, emulator, seed_create | {"Tags": [{"Key": "team", "Value": "a"}]})
    await backfill(rpc, emulator, seed_create | {"Name": "another"}, start=False)
    third = FIRST + 8

    assert await listed(rpc) == [third, FIRST]
    assert await listed(rpc, SortBy="Id Asc") == await listed(rpc, SortBy="CreateTime") == [FIRST, third]
    assert await listed(rpc, SortBy="StartedTime Desc") == [FIRST, third]
    assert await listed(rpc, Name="SPARKsql") == [FIRST]
    assert await listed(rpc, Ids=[SECOND, third]) == [third]
    assert await listed(rpc, Filter={"status": "Running"}) == [FIRST]
    assert await listed(rpc, Filter={"status": ["NotRun", "Failure"]}) == [third]
    assert await listed(rpc, Tags=["team:"]) == await listed(rpc, Tags=["x:y", "team:a"]) == [FIRST]
    assert await listed(rpc, Tags=["team:b"]) == []
    assert await listed(rpc, Type="Normal") == await listed(rpc, EnvType="Dev") == []
    assert await listed(rpc, PageSize=1, PageNumber=2) == [FIRST]


async def test_new_instances_can_be_late_in_lists_but_not_in_get(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    emulator.world.rules = replace(emulator.world.rules, listing_lag_seconds=5)
    await backfill(rpc, emulator, seed_create, start=False)

    assert (await rpc("GetWorkflowInstance", query=True, Id=FIRST)).status == 200
    assert await listed(rpc) == []
    emulator.advance(5)
    assert await listed(rpc) == [FIRST]
