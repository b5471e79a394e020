"""What was last seen of instances, and the claims on their next reads, on a real Redis."""

from typing import Any

from headgate.store import keys
from headgate_redis.pipeline import Pipeline
from headgate_server.ports.instance_kinds import FLOW, WORKFLOW, InstanceKey
from headgate_server.ports.observations import Observation
from headgate_server.store.observations import RedisObservations

SEVEN, FLOW_A = InstanceKey(WORKFLOW, "orders", 7), InstanceKey(FLOW, "orders", "a")


async def test_rows_and_holders_come_in_the_order_asked_for(pipeline: Pipeline, redis: Any) -> None:
    await redis.set(keys.observation("orders", 7), b"row")
    await redis.set(keys.look("orders", "a"), keys.LOOK_JOB)
    store = RedisObservations(pipeline)

    assert await store.seen([FLOW_A, SEVEN]) == [Observation(None, keys.LOOK_JOB), Observation(b"row", b"")]


async def test_one_of_many_has_the_claim_until_it_ends(pipeline: Pipeline, redis: Any) -> None:
    store, other = RedisObservations(pipeline), RedisObservations(pipeline)

    assert await store.claim(SEVEN, 60_000) and not await other.claim(SEVEN, 60_000)
    assert await other.claim(FLOW_A, 60_000), "another instance"
    assert await store.seen([SEVEN]) == [Observation(None, keys.LOOK_WATCHERS)]
    await store.keep(SEVEN, 0)
    assert await other.claim(SEVEN, 60_000)


async def test_a_claim_is_held_longer_but_none_is_made_by_that(pipeline: Pipeline, redis: Any) -> None:
    store = RedisObservations(pipeline)
    await store.claim(SEVEN, 1_000)

    await store.keep(SEVEN, 60_000)
    await store.keep(FLOW_A, 60_000)

    assert await redis.pttl(keys.look("orders", 7)) > 50_000
    assert not await redis.exists(keys.look("orders", "a"))
