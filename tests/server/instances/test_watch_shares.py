"""Shares of watched instances: one caller watches all he can, another one's streams go on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from headgate import pb
from headgate_server.auth.read_shares import ReadShares
from headgate_server.errors.exceptions import Refused
from headgate_server.instances import watch_shares
from headgate_server.instances.watch_shares import WatchShares
from headgate_server.ports.caller import ANONYMOUS, Caller, CallerLimits, Right
from headgate_server.ports.instance_kinds import WORKFLOW, InstanceKey
from tests.server.auth.test_permissions import refused
from tests.server.callers import entry, known, write
from tests.server.instance_rows import SUCCESS, Upstream, answering, rows
from tests.server.instances.conftest import QUICK
from tests.server.world import World, metadata_of, reason_of, serving, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    noisy = entry("noisy", rights=["read"], max_watched_instances=50, upstream_reads_per_minute=60)
    return write(tmp_path / "callers.toml", noisy + entry("quiet", rights=["read"]))


def watch(world: World, who: str, *ids: int) -> Any:
    return world.instances.WatchWorkflowInstances(pb.WatchWorkflowInstancesRequest(ids=ids), metadata=known(who))


async def test_a_caller_watches_so_many_instances_and_another_one_his(redis_url: str, path: Path) -> None:
    async with serving(redis_url, callers=path, **QUICK) as world, answering(world.redis) as upstream:
        for id_ in range(1, 60):
            upstream.set(id_)
        calls = [watch(world, "noisy", *range(1, 26)) for _ in range(3)]
        calls.append(watch(world, "noisy", *range(26, 51)))  # 100 rows in all, and 50 instances
        await asyncio.gather(*(rows(call, 25) for call in calls))

        error = await refused(watch(world, "noisy", 1, 51).read())

        assert (reason_of(error), metadata_of(error)) == ("CALLER_LIMIT", {"quota": "watched_instances", "limit": "50"})
        theirs = watch(world, "quiet", 51, 52)
        assert len(await rows(theirs, 2)) == 2
        calls.pop().cancel()

        async def has_room() -> bool:
            call = watch(world, "noisy", 51)
            try:
                await rows(call, 1)
            except grpc.RpcError:
                return False
            calls.append(call)
            return True

        await until(has_room)
        for call in (*calls, theirs):
            call.cancel()


async def test_what_is_read_for_a_caller_is_bounded_and_anothers_pace_is_not(redis_url: str, path: Path) -> None:
    async with serving(redis_url, callers=path, **QUICK) as world, answering(world.redis) as upstream:
        for id_ in range(1, 60):
            upstream.set(id_)
        noisy = watch(world, "noisy", *range(1, 51))
        await rows(noisy, 50)
        theirs = watch(world, "quiet", 1, 55)
        await rows(theirs, 2)
        before = dict(upstream.reads)

        await until(lambda: has_read(upstream, 55, before[55] + 8))

        read_for_noisy = sum(upstream.reads[id_] for id_ in range(2, 51))
        assert read_for_noisy <= 60 + 20, "a minute's worth, and one a second of this test's"
        assert upstream.reads[1] >= before[1] + 4, "it is read for the other caller who watches it too"
        upstream.set(1, SUCCESS)
        assert (1, SUCCESS) in await rows(theirs, 1)
        for call in (noisy, theirs):
            call.cancel()


async def has_read(upstream: Upstream, id_: int, count: int) -> bool:
    return upstream.reads[id_] >= count


def keys_of(connection: str, *ids: int) -> list[InstanceKey]:
    return [InstanceKey(WORKFLOW, connection, id_) for id_ in ids]


def caller(name: str, **limits: float) -> Caller:
    return Caller(name, frozenset(Right), None, CallerLimits(**limits))  # type: ignore[arg-type]


def test_a_connection_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_shares, "MAX_INSTANCES_OF_CONNECTION", 2)
    shares = WatchShares(ReadShares())
    shares.enter(ANONYMOUS, keys_of("slow", 1, 2))
    shares.enter(caller("etl"), keys_of("slow", 1, 2))
    with pytest.raises(Refused, match="connection:slow"):
        shares.enter(caller("etl"), keys_of("slow", 3))
    shares.enter(ANONYMOUS, keys_of("quick", 3))
    shares.leave(ANONYMOUS, keys_of("slow", 1, 2))
    with pytest.raises(Refused, match="connection:slow"):
        shares.enter(ANONYMOUS, keys_of("slow", 3))
    shares.leave(caller("etl"), keys_of("slow", 1, 2))
    shares.enter(ANONYMOUS, keys_of("slow", 3))


def test_reads_under_way_for_one_caller_leave_some_for_another() -> None:
    shares, half = WatchShares(ReadShares()), watch_shares.SIDE_BY_SIDE // 2
    noisy, quiet = caller("noisy"), caller("quiet")
    shares.enter(noisy, keys_of("", *range(1, 200)))
    shares.enter(quiet, keys_of("", 500))

    found = [shares.reader(instance) for instance in keys_of("", *range(1, 200))]

    assert found[:half] == [noisy] * half
    assert set(found[half:]) == {watch_shares.BUSY_SECONDS}
    assert shares.reader(keys_of("", 500)[0]) == quiet
    shares.has_read(keys_of("", 500)[0], quiet)
    shares.has_read(keys_of("", 1)[0], noisy)
    assert shares.reader(keys_of("", 1)[0]) == noisy


def test_an_instance_that_waits_for_a_read_to_end_is_next_and_one_that_is_left_is_not() -> None:
    shares, half = WatchShares(ReadShares()), watch_shares.SIDE_BY_SIDE // 2
    noisy, instances = caller("noisy"), keys_of("", *range(1, 100))
    shares.enter(noisy, instances)
    for instance in instances:
        shares.reader(instance)
    shares.leave(noisy, instances[half : half + 2])

    found = [shares.has_read(instance, noisy) for instance in instances[:3]]

    assert found == instances[half + 2 : half + 5]


def test_what_a_caller_may_have_read_is_spread_over_what_it_watches() -> None:
    noisy, instances = caller("noisy", upstream_reads_per_minute=60), keys_of("", *range(1, 121))
    shares = WatchShares(ReadShares(lambda: 0.0), lambda: 0.5)
    shares.enter(noisy, instances)

    def read(instance: InstanceKey) -> Caller | float:
        who = shares.reader(instance)
        if isinstance(who, Caller):
            shares.has_read(instance, who)
        return who

    found = [read(instance) for instance in instances]

    assert found == [noisy] * 60 + [120.0] * 60
