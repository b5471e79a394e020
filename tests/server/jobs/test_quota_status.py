"""GetQuota: what the workers keep in the store of a connection's quota, as a caller sees it."""

from __future__ import annotations

import grpc
import pytest

from headgate import pb
from headgate.quota import admission
from headgate.quota import limits as quota_limits
from headgate.quota.limits import EDITIONS, Limits
from headgate.store import keys
from headgate_server.jobs.quota_status import quota_status
from headgate_server.ports.facts import Facts
from tests.server.world import World, reason_of

NOW_MS = 1_739_019_600_000  # 21:00 in Shanghai
MIDNIGHT_MS = NOW_MS + 3 * 3_600_000
TODAY = (NOW_MS // 1_000 + 28_800) // 86_400


def stands(limits: Limits, **fields: object) -> pb.Quota:
    hash_ = {name.replace("_", ":"): str(value) for name, value in fields.items()}
    found = quota_status("eu", Facts(NOW_MS, quota={**quota_limits.announcement(limits, NOW_MS - 5_000), **hash_}))
    assert found is not None
    return found


def buckets(found: pb.Quota) -> dict[str, pb.QuotaBucket]:
    return {bucket.metric: bucket for bucket in found.buckets}


async def announce(world: World, connection: str, limits: Limits) -> None:
    await world.redis.hset(keys.quota(connection), mapping=dict(quota_limits.announcement(limits, NOW_MS)))  # type: ignore[misc]


async def test_a_connection_that_no_worker_serves_is_unknown(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.admin.GetQuota(pb.GetQuotaRequest(connection="nowhere"))

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert reason_of(caught.value) == "CONNECTION_UNKNOWN"


async def test_what_was_let_out_is_told(world: World) -> None:
    await announce(world, "eu", EDITIONS["basic"])
    script = world.redis.register_script(admission.SCRIPT)
    for klass in (quota_limits.READ, quota_limits.READ, quota_limits.WRITE):
        arguments = admission.script_arguments(EDITIONS["basic"], klass, cancel=False, patience_ms=60_000)
        await script(keys=admission.script_keys("eu", klass, EDITIONS["basic"]), args=arguments)

    found = await world.admin.GetQuota(pb.GetQuotaRequest(connection="eu"))

    shown = buckets(found)
    assert (found.connection, found.edition) == ("eu", "basic")
    assert [shown[name].daily_used for name in ("read", "write", "total")] == [2, 1, 3]
    assert shown["total"].limit_per_second == 5
    assert shown["total"].daily_limit == 100
    assert shown["total"].HasField("next_slot_time")
    assert shown["total"].available == 0
    assert shown["read"].available == 0  # it queues for the rate that both share


async def test_a_name_that_stands_for_another_connection_shows_that_ones_quota(world: World) -> None:
    await announce(world, "eu", EDITIONS["enterprise"])
    await world.redis.hset(keys.quota(""), mapping=dict(quota_limits.alias("eu", NOW_MS)))  # type: ignore[misc]

    found = await world.admin.GetQuota(pb.GetQuotaRequest())

    assert found.edition == "enterprise"
    assert {name: bucket.limit_per_second for name, bucket in buckets(found).items()} == {"read": 50, "write": 20}


def test_a_fresh_quota_is_all_there() -> None:
    found = stands(EDITIONS["enterprise"])

    assert found.announce_time.ToMilliseconds() == NOW_MS - 5_000
    assert [bucket.available for bucket in found.buckets] == [1, 1]
    assert not any(bucket.HasField("next_slot_time") for bucket in found.buckets)
    assert buckets(found)["read"].current_per_second == pytest.approx(48)


def test_calls_of_another_day_do_not_count() -> None:
    assert buckets(stands(EDITIONS["basic"], used_read=40, day=TODAY - 1))["total"].daily_used == 0
    assert buckets(stands(EDITIONS["basic"], used_read=40, day=TODAY))["total"].daily_used == 40


def test_a_daily_count_starts_again_at_midnight_in_shanghai() -> None:
    total = buckets(stands(EDITIONS["basic"]))["total"]

    assert total.daily_reset_time.ToMilliseconds() == MIDNIGHT_MS
    assert not buckets(stands(EDITIONS["basic"]))["read"].HasField("daily_reset_time")


def test_what_is_kept_for_cancels_is_not_available() -> None:
    spent = buckets(stands(EDITIONS["basic"], used_read=95, day=TODAY))

    assert [spent[name].available for name in ("read", "write", "total")] == [0, 0, 0]


def test_a_freeze_is_told_while_it_lasts() -> None:
    frozen = buckets(stands(EDITIONS["basic"], frozen_read=MIDNIGHT_MS))

    assert frozen["read"].frozen_until.ToMilliseconds() == MIDNIGHT_MS
    assert (frozen["read"].available, frozen["write"].available) == (0, 1)
    assert not buckets(stands(EDITIONS["basic"], frozen_read=NOW_MS - 1))["read"].HasField("frozen_until")


def test_a_rate_that_was_lowered_is_told() -> None:
    found = stands(EDITIONS["enterprise"], factor=700, throttled=3)

    assert buckets(found)["write"].current_per_second == pytest.approx(20 * 0.96 * 0.7)
    assert found.throttled == 3


def test_limits_that_were_set_one_by_one_have_no_edition() -> None:
    assert stands(Limits(read_qps=7)).edition == ""


@pytest.mark.parametrize("limits", ["", "{}", "[]", '{"read_qps": "many"}'])
def test_an_announcement_that_makes_no_sense_is_none(limits: str) -> None:
    assert quota_status("eu", Facts(NOW_MS, quota={"limits": limits})) is None
