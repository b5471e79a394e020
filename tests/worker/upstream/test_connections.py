"""The upstreams of a deployment by name: their limits, what is open, what is closed once, and what is announced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from headgate.process.exposure import Exposure
from headgate.process.wait_bounds import WaitBounds
from headgate.quota.admission import Frozen, Go
from headgate.quota.limits import EDITIONS, Limits
from headgate.store import keys
from headgate_redis.clock import StoreClock
from headgate_worker.core.model.calls import Failure, FailureKind, GetInstance, Outcome, Reply
from headgate_worker.process.settings import Settings
from headgate_worker.upstream.connection_file import ConnectionFile
from headgate_worker.upstream.connections import (
    ANNOUNCE_MS,
    Connection,
    Connections,
    connect,
    exposures_of,
    limits_of,
)
from headgate_worker.upstream.governor import Governor

LOCAL, ELSEWHERE = "http://127.0.0.1:1", "http://10.1.2.3"
GET = GetInstance(1)


class Cloud:
    """Answers every call as told, and counts."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.closed = 0

    async def call(self, call: Any, *, timeout_seconds: float) -> Any:
        return self.outcome

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        return None

    async def aclose(self) -> None:
        self.closed += 1


def connection(
    redis: Redis, cloud: Cloud, limits: Limits = EDITIONS["unlimited"], *, now_ms: int = 1_000
) -> Connection:
    return Connection(cloud, Governor(redis, "a", limits), limits, StoreClock(now_ms))


@pytest.mark.parametrize(
    ("settings", "limits"),
    [
        ({}, EDITIONS["standard"]),
        ({"dataworks_endpoint": "https://dataworks.example"}, EDITIONS["standard"]),
        ({"dataworks_endpoint": LOCAL}, EDITIONS["unlimited"]),
        ({"dataworks_endpoint": LOCAL, "dataworks_edition": "basic"}, EDITIONS["basic"]),
    ],
)
def test_the_edition_is_the_limit_and_an_emulator_has_none(settings: dict[str, Any], limits: Limits) -> None:
    assert limits_of(Settings(**settings)) == limits


def test_a_number_that_is_set_wins_over_the_edition() -> None:
    found = limits_of(Settings(dataworks_edition="basic", dataworks_write_qps=2))

    assert found.write_qps == 2 and found.total_daily == EDITIONS["basic"].total_daily


def test_every_upstream_that_is_called_in_the_open_counts() -> None:
    file = ConnectionFile.model_validate(
        {
            "connections": {
                "here": {"kind": "dataworks", "endpoint": LOCAL},
                "far": {"kind": "dataworks", "endpoint": ELSEWHERE},
            }
        }
    )
    only_local = ConnectionFile.model_validate({"connections": {"here": {"kind": "dataworks", "endpoint": LOCAL}}})
    named = ConnectionFile.model_validate({**only_local.model_dump(), "default": "here"})
    open_default = Settings(dataworks_endpoint=ELSEWHERE)

    assert exposures_of(Settings(), file) == {Exposure.PLAINTEXT_UPSTREAM}
    assert exposures_of(Settings(), only_local) == frozenset()
    assert exposures_of(open_default, only_local) == {Exposure.PLAINTEXT_UPSTREAM}
    assert exposures_of(open_default, named) == frozenset()  # the settings' own is not the default


async def test_an_upstream_in_the_open_is_connected_only_where_that_is_meant(redis: Redis, credentials: None) -> None:
    with pytest.raises(ValueError, match="plaintext-upstream"):
        await connect(Settings(dataworks_endpoint=ELSEWHERE), redis, StoreClock(1_000))

    found = await connect(
        Settings(dataworks_endpoint=ELSEWHERE, allow_insecure="plaintext-upstream"), redis, StoreClock(1_000)
    )
    assert found.exposures == {Exposure.PLAINTEXT_UPSTREAM} and found.default == ""
    await found.aclose()


async def test_the_default_of_a_file_has_two_names(redis: Redis, credentials: None, tmp_path: Path) -> None:
    file = tmp_path / "connections.toml"
    file.write_text(f'default = "main"\n[connections.main]\nkind = "dataworks"\nendpoint = "{LOCAL}"\n')
    found = await connect(Settings(connections=str(file)), redis, StoreClock(1_000))

    assert found.default == "main" and found.get("") is found.get("main")
    await found.aclose()
    file.write_text(file.read_text() + 'access_key_id_env = "NOT_SET"\naccess_key_secret_env = "NOT_SET"\n')
    with pytest.raises(ValueError, match="HEADGATE_CONNECTIONS: main: "):
        await connect(Settings(connections=str(file)), redis, StoreClock(1_000))


async def test_an_upstream_of_two_names_is_closed_once(redis: Redis) -> None:
    cloud, other = Cloud(Reply("x", "", 0.0)), Cloud(Reply("x", "", 0.0))
    one = connection(redis, cloud)

    await Connections({"": one, "main": one, "other": connection(redis, other)}, "main").aclose()

    assert (cloud.closed, other.closed) == (1, 1)


async def test_a_job_of_a_connection_that_is_not_here_is_refused_by_name(redis: Redis) -> None:
    found = Connections({"": connection(redis, Cloud(Reply("x", "", 0.0)))})
    absent = found.for_jobs().get("mars")

    outcome = await absent.call(GET, timeout_seconds=1)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.code) == (FailureKind.DENIED, "connection_unknown") and "'mars'" in outcome.message
    assert await absent.admit(GET, patience_ms=0) == Go() and await absent.reach(timeout_seconds=1) is None
    assert found.for_jobs().get("") is found.get("")
    with pytest.raises(KeyError):
        found.get("mars")


async def test_the_quota_learns_from_a_refusal_and_is_not_asked_where_there_is_no_limit(redis: Redis) -> None:
    refused = Failure(FailureKind.FROZEN, "Throttling.Api.Risk", "enough for today")
    free = connection(redis, Cloud(refused))
    bound = connection(redis, Cloud(refused), Limits(read_qps=1), now_ms=int((await redis.time())[0]) * 1_000)

    assert await free.call(GET, timeout_seconds=1) == refused
    assert await free.admit(GET, patience_ms=0) == Go() and not await redis.exists(keys.quota("a"))
    assert await bound.call(GET, timeout_seconds=1) == refused
    assert isinstance(await bound.admit(GET, patience_ms=0), Frozen)


async def test_connections_are_announced_again_after_a_while(redis: Redis) -> None:
    found = Connections({"": connection(redis, Cloud(Reply("x", "", 0.0)))})
    await found.announce(ANNOUNCE_MS, WaitBounds())
    await redis.flushall()

    await found.announce(2 * ANNOUNCE_MS - 1, WaitBounds())
    assert not await redis.exists(keys.quota("a"))
    await found.announce(2 * ANNOUNCE_MS, WaitBounds())
    assert await redis.exists(keys.quota("a")) or await redis.exists(keys.quota(""))
