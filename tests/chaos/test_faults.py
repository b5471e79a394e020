"""What experiments do to a deployment does what it says: clocks, lies, keys, certificates, lines that are cut."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import grpc
import pytest
from aiohttp import web
from bench.chaos import certificates, intruders
from bench.chaos.key_desk import KeyDesk
from bench.chaos.middleman import REPLY_LIES, ROW_LIES, Lie, Middleman, half
from bench.chaos.proxy import Proxy
from bench.chaos.wall_clocks import COMPILERS, WallClocks

needs_a_compiler = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no C compiler for wrong clocks")

TELL = "import time, sys\nfor _ in sys.stdin: print(time.time(), time.time_ns() / 1e9, time.monotonic(), flush=True)"

TRUTH = '{"RequestId": "r", "WorkflowInstance": {"Id": 7, "Status": "Running", "StartedTime": 5}}'


@needs_a_compiler
async def test_a_wrong_clock_is_wrong_at_once_and_steady_ones_stay_right() -> None:
    async with WallClocks() as clocks:
        clocks.set("late", -3_600.0)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", TELL), env=clocks.environment("late"), stdin=-1, stdout=-1
        )
        assert process.stdin is not None and process.stdout is not None
        for seconds in (-3_600.0, 600.0):
            clocks.set("late", seconds)
            process.stdin.write(b"\n")
            wall, nanos, steady = map(float, (await process.stdout.readline()).split())

            assert abs(wall - time.time() - seconds) < 2
            assert abs(nanos - time.time() - seconds) < 2
            assert abs(steady - time.monotonic()) < 2
        process.stdin.close()
        assert await process.wait() == 0


@pytest.fixture
async def target() -> AsyncIterator[str]:
    """An upstream that always says the same."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=TRUTH, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def heard(url: str, action: str, **headers: str) -> str:
    """What a caller hears, or how the call fails."""
    bound = aiohttp.ClientTimeout(total=1.0)
    try:
        async with aiohttp.ClientSession(timeout=bound) as session:
            sent = {"x-acs-action": action, **headers}
            async with session.post(url, headers=sent, max_redirects=3) as reply:
                return await reply.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        return type(error).__name__


async def test_a_lie_is_told_once_and_about_its_action_only(target: str) -> None:
    async with Middleman(target) as middleman:
        middleman.lie(half, "GetWorkflowInstance")

        told = [await heard(middleman.url, action) for action in ("Other", *["GetWorkflowInstance"] * 2)]

    assert told == [TRUTH, TRUTH[: len(TRUTH) // 2], TRUTH]
    assert middleman.told == {"GetWorkflowInstance": 1}


@pytest.mark.parametrize(
    "lie", [*REPLY_LIES.values(), *(lie for _, lie, action in ROW_LIES if action == "GetWorkflowInstance")]
)
async def test_every_lie_is_one(target: str, lie: Lie) -> None:
    async with Middleman(target) as middleman:
        middleman.lie(lie, "GetWorkflowInstance", times=5)

        assert await heard(middleman.url, "GetWorkflowInstance") != TRUTH


async def test_keys_of_the_past_are_refused(target: str) -> None:
    def signed(pair: str) -> dict[str, str]:
        return {"Authorization": f"ACS3-HMAC-SHA256 Credential={pair},", "x-acs-security-token": "token0"}

    async with KeyDesk() as desk, Middleman(target, desk.guard) as gate:
        first = await heard(gate.url, "Get", **signed("key0"))
        desk.expire_token()
        ended = await heard(gate.url, "Get", **signed("key0"))
        desk.replace_pair()
        replaced = await heard(gate.url, "Get", **signed("key0"))
        handed_out = await heard(desk.url.replace("/keys", "/nothing"), "Get")

    assert first == TRUTH
    assert "InvalidSecurityToken.Expired" in ended
    assert "InvalidAccessKeyId.NotFound" in replaced
    assert "404" in handed_out
    assert desk.refused == 2


async def test_a_line_that_is_gone_refuses_and_comes_back_on_its_port(target: str) -> None:
    async with Proxy(int(target.rsplit(":", 1)[1])) as line:
        url = f"http://127.0.0.1:{line.port}"
        before = await heard(url, "Get")
        await line.leave()
        away = await heard(url, "Get")
        await line.come_back()

        assert (before, away, await heard(url, "Get")) == (TRUTH, "ClientConnectorError", TRUTH)


async def test_what_a_mute_target_says_comes_later(target: str) -> None:
    async with Proxy(int(target.rsplit(":", 1)[1])) as line:
        line.mute = True
        asking = asyncio.create_task(heard(f"http://127.0.0.1:{line.port}", "Get"))
        done, _ = await asyncio.wait([asking], timeout=0.3)
        line.mute = False

        assert not done
        assert await asking == TRUTH


async def test_the_known_client_gets_in_and_no_stranger_does(tmp_path: Path) -> None:
    certificates.make(tmp_path)
    authority, chain, key = ((tmp_path / name).read_bytes() for name in ("authority.pem", "server.pem", "server.key"))
    server = grpc.aio.server()
    port = server.add_secure_port(
        "127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)], authority, require_client_auth=True)
    )
    await server.start()
    told = {kind: await intruders.knock(f"127.0.0.1:{port}", tmp_path, kind) for kind in ("client", *intruders.KINDS)}
    await server.stop(None)

    assert told.pop("client") == "UNIMPLEMENTED"  # it got in: this server has no methods
    assert set(told.values()) == {"UNAVAILABLE"}
