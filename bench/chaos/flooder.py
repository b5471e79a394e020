"""`python -m bench.chaos.flooder TARGET KIND SECONDS [TOKEN]`: one caller on one connection that asks for far too much.

KIND is `submits`, `streams`, `resets` or `pings`. Says `flooder ready` before it begins, `flooder done` with how often
each thing came of its calls as JSON at the end, and ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import grpc
from bench.chaos.submits import adhoc
from bench.load.http2 import GOAWAY, PING, PREFACE, SETTINGS, frame

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate.v1.workflow_instance_service_pb2_grpc import WorkflowInstanceServiceStub

AT_A_TIME: Final = {"submits": 1_000, "streams": 12_000, "resets": 200, "pings": 20}
"""Calls that are under way at once. More streams than a connection of the server may have."""

PINGS: Final = 200
"""Pings that are sent on one connection without a pause."""


class FloodCall(NamedTuple):
    """Where a call goes to, its number, by the steady clock when the flood ends, and what says who calls."""

    channel: grpc.aio.Channel
    target: str
    number: int
    until: float
    who: tuple[tuple[str, str], ...]


One = Callable[[FloodCall], Awaitable[str]]
"""One call; what came of it."""


async def main(target: str, kind: str, seconds: float, token: str = "") -> None:
    """Flood for so long, then say what came of it."""
    print("flooder ready", flush=True)
    who = (("authorization", f"Bearer {token}"),) if token else ()
    until, numbers, seen = time.monotonic() + seconds, iter(range(10_000_000)), Counter[str]()
    async with grpc.aio.insecure_channel(target, options=(("grpc.http2.bdp_probe", 0),)) as channel:

        async def again() -> None:
            while time.monotonic() < until:
                seen[await _KINDS[kind](FloodCall(channel, target, next(numbers), until, who))] += 1

        await asyncio.gather(*(again() for _ in range(AT_A_TIME[kind])))
    print(f"flooder done {json.dumps(seen)}", flush=True)


async def _submit(flood: FloodCall) -> str:
    stub: Any = WorkflowInstanceServiceStub(flood.channel)
    try:
        await stub.ExecuteAdhocWorkflowInstance(adhoc(f"f{flood.number}"), timeout=20.0, metadata=flood.who)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def _stream(flood: FloodCall) -> str:
    """Open a stream, and hold it until the flood ends."""
    call: Any = JobServiceStub(flood.channel).WatchJob(pb.WatchJobRequest(name="jobs/quiet"), metadata=flood.who)
    first = asyncio.ensure_future(call.read())
    await asyncio.wait([first], timeout=max(0.0, flood.until - time.monotonic()))
    if not first.done():
        call.cancel()
        await asyncio.wait([first])
        return "never began"
    if first.exception() is not None:
        await asyncio.sleep(0.1)
        return str((await call.code()).name)
    await asyncio.sleep(max(0.0, flood.until - time.monotonic()))
    call.cancel()
    return "OK"


async def _reset(flood: FloodCall) -> str:
    """Open a stream and reset it at once."""
    call: Any = JobServiceStub(flood.channel).WatchJob(pb.WatchJobRequest(name="jobs/quiet"), metadata=flood.who)
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.sleep(0)
    return "reset"


async def _pings(flood: FloodCall) -> str:
    """Connect and ping without a pause; whether the server answered all of it, or hung up."""
    host, _, port = flood.target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    pings = b"".join(frame(PING, 0, 0, number.to_bytes(8, "big")) for number in range(PINGS))
    writer.write(PREFACE + frame(SETTINGS, 0, 0, b"") + pings)
    try:
        async with asyncio.timeout(5.0):
            return await _answered(reader)
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        return "hung up"
    finally:
        writer.close()


async def _answered(reader: asyncio.StreamReader) -> str:
    answers = 0
    while answers < PINGS:
        head = await reader.readexactly(9)
        await reader.readexactly(int.from_bytes(head[:3], "big"))
        if head[3] == GOAWAY:
            return "told to calm down"
        answers += head[3] == PING
    return "OK"


_KINDS: Final[dict[str, One]] = {"submits": _submit, "streams": _stream, "resets": _reset, "pings": _pings}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), *sys.argv[4:]))
