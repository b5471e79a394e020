"""Lists of instances: filtered, sorted and paged."""

from dataclasses import replace
from typing import Any

import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.dataworks import listing
from headgate_emulator.dataworks.errors import ApiError
from headgate_emulator.dataworks.instances import Instance
from headgate_emulator.dataworks.requests import RerunWorkflowInstances, read
from headgate_emulator.dataworks.runs import Run
from headgate_emulator.dataworks.statuses import Status
from tests.emulator import worlds
from tests.emulator.conftest import BIZ_DATE, FIRST, SECOND, Rpc, backfill
from tests.emulator.worlds import NOW, created, manual, world_of


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


def rows(*words: str) -> list[Instance]:
    """Instances of three dates; the n-th has its run at NOW + n seconds."""
    world = world_of()
    created(world, worlds.backfill(3))
    made = zip(world.instances, words, strict=False)
    return [
        replace(one, run=Run(status=Status(word), started_at=NOW + n * 1_000)) for n, (one, word) in enumerate(made)
    ]


def test_a_page_counts_all_and_is_empty_beyond_the_end() -> None:
    assert listing.page(range(5), 2, 2) == listing.Paged(2, 2, 5, (2, 3))
    assert listing.page(range(5), 3, 2).rows == (4,) and listing.page(range(5), 4, 2) == listing.Paged(4, 2, 5, ())


def test_the_order_is_by_id_downwards_unless_another_is_asked_for() -> None:
    made = rows("Success", "Running", "Failure")
    ids = [one.id for one in made]

    def order(sort_by: str | None) -> list[int]:
        return [one.id for one in listing.in_order(made, sort_by, listing.INSTANCE_KEYS)]

    assert order(None) == order("Id Desc") == order("StartedTime Desc") == ids[::-1]
    assert order("Id") == order("Id Asc") == order("StartedTime") == ids
    for wrong in ("Name", "Id desc", "Id Asc Asc"):
        with pytest.raises(ApiError, match="SortBy"):
            order(wrong)


def test_filters_that_are_absent_or_empty_let_all_pass() -> None:
    assert listing.same(None, 5) and listing.same(5, 5) and not listing.same(0, 5)
    assert listing.among(None, 5) and listing.among([], 5) and listing.among([5], 5) and not listing.among([6], 5)
    assert listing.fuzzy(None, "abc") and listing.fuzzy("B", "abc") and not listing.fuzzy("d", "abc")


def test_only_ended_instances_of_a_manual_workflow_are_run_again() -> None:
    world = world_of()
    created(world, manual())
    created(world, worlds.backfill(1))
    one, other = ended = [replace(one, run=Run(status=Status.FAILURE)) for one in world.instances]
    running = replace(one, run=Run(status=Status.RUNNING))

    def targets(**changes: Any) -> list[int]:
        params = {"ProjectId": "1", "WorkflowId": "77", "Type": "ManualWorkflow", "EnvType": "Prod", **changes}
        query = read(RerunWorkflowInstances, params)
        return [found.id for found in listing.rerun_targets([*ended, running], query)]

    assert targets() == [one.id] and other.type == "SupplementData"
    assert targets(Status="Success") == targets(StartTriggerTime=str(NOW + 1)) == targets(EndTriggerTime="1") == []
    assert targets(Name="M", Ids=f"[{one.id}]") == [one.id]
