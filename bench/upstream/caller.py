"""`python -m bench.upstream.caller WHO ENDPOINT CA_FILE SECONDS`: calls GetWorkflowInstance; prints a line of JSON.

WHO is `headgate`, the worker's adapter; `sdk`, the official SDK's async client as its documentation uses it; or
`aiohttp`, one pooled session and nothing else. Each keeps 64 calls in flight and verifies the server.
"""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

IN_FLIGHT = 64

Ask = Callable[[int], Awaitable[None]]


async def _headgate(stack: AsyncExitStack, endpoint: str, ca_file: Path) -> Ask:
    from headgate_worker.core.model.calls import GetInstance, Reply
    from headgate_worker.upstream.dataworks.client import DataWorks
    from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings

    settings = DataWorksSettings(endpoint=endpoint, credentials=Credentials("id", "secret"), ca_file=ca_file)
    client = await stack.enter_async_context(DataWorks(settings))

    async def ask(number: int) -> None:
        outcome = await client.call(GetInstance(number), timeout_seconds=30)
        if not isinstance(outcome, Reply):
            raise RuntimeError(f"no reply: {outcome}")

    return ask


async def _sdk(_stack: AsyncExitStack, endpoint: str, ca_file: Path) -> Ask:
    from alibabacloud_dataworks_public20240518.client import Client
    from alibabacloud_dataworks_public20240518.models import GetWorkflowInstanceRequest
    from alibabacloud_tea_openapi.utils_models import Config
    from darabonba.runtime import RuntimeOptions

    host = endpoint.partition("://")[2]
    client = Client(Config(access_key_id="id", access_key_secret="secret", endpoint=host, protocol="HTTPS"))
    runtime = RuntimeOptions(ca=str(ca_file), read_timeout=60_000, connect_timeout=60_000)

    async def ask(number: int) -> None:
        request = GetWorkflowInstanceRequest(id=number)
        reply = await client.get_workflow_instance_with_options_async(request, runtime)
        if reply.body.workflow_instance.id != number:
            raise RuntimeError("the SDK read another instance")

    return ask


async def _aiohttp(stack: AsyncExitStack, endpoint: str, ca_file: Path) -> Ask:
    import aiohttp

    context = ssl.create_default_context(cafile=str(ca_file))
    connector = aiohttp.TCPConnector(ssl=context, limit=IN_FLIGHT)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

    async def ask(number: int) -> None:
        async with session.get(f"{endpoint}/?Id={number}") as response:
            await response.read()
            if response.status != 200:
                raise RuntimeError(f"status {response.status}")

    return ask


WHO = {"headgate": _headgate, "sdk": _sdk, "aiohttp": _aiohttp}


async def main(who: str, endpoint: str, ca_file: Path, seconds: float) -> dict[str, float]:
    """Call until the time is over, after a warm-up; calls per second of CPU and of the clock."""
    async with AsyncExitStack() as stack:
        ask = await WHO[who](stack, endpoint, ca_file)
        await asyncio.gather(*(ask(number + 1) for number in range(min(IN_FLIGHT, 4 if who == "sdk" else IN_FLIGHT))))
        calls, cpu, began = 0, _cpu(), time.perf_counter()
        until = began + seconds

        async def lane(number: int) -> None:
            nonlocal calls
            while time.perf_counter() < until:
                await ask(number)
                calls += 1

        await asyncio.gather(*(lane(number + 1) for number in range(IN_FLIGHT)))
        spent, took = _cpu() - cpu, time.perf_counter() - began
    return {"calls": calls, "per_cpu_second": calls / spent, "per_second": calls / took}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), float(sys.argv[4])))
    print(json.dumps(found))
