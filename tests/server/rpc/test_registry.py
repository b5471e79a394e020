"""Which calls wait for which others before they are taken, on a real server."""

import asyncio
import socket
import time
from concurrent.futures import Future
from contextlib import closing

import grpc
import pytest
from bench.load.http2 import END_HEADERS, HEADERS, PREFACE, SETTINGS, frame, header_blocks

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate_server.rpc import health_service, registry
from headgate_server.rpc.pending_requests import PendingRequests
from tests.server.world import serving

BURST = 400
"""Calls of a burst, fewer than a connection may have."""

WATCH = f"/{health_service.NAME}/Watch"


def burst(address: str, path: str) -> socket.socket:
    """A connection on which so many calls of a method have begun, and do not go on."""
    host, _, port = address.rpartition(":")
    client = socket.create_connection((host, int(port)))
    first, later = header_blocks(path, "x")
    calls = [frame(HEADERS, END_HEADERS, 2 * n + 1, later if n else first) for n in range(BURST)]
    client.sendall(PREFACE + frame(SETTINGS, 0, 0) + b"".join(calls))
    return client


async def taken_before_another(address: str, taken: PendingRequests) -> int:
    """How many calls of a burst are taken before one that has come after them."""
    found: Future[int] = Future()
    with grpc.insecure_channel(address) as channel:
        await asyncio.to_thread(grpc.channel_ready_future(channel).result, 10)
        with closing(burst(address, WATCH)):
            # The server runs in this loop, and finds all of them when it goes on.
            time.sleep(0.3)  # noqa: ASYNC251
            call = JobServiceStub(channel).CountJobs.future(pb.CountJobsRequest(), timeout=20)
            time.sleep(0.1)  # noqa: ASYNC251
            call.add_done_callback(lambda _: found.set_result(len(taken)))
            return await asyncio.wrap_future(found)


async def test_a_burst_of_a_method_that_is_apart_holds_up_no_call_of_others(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = health_service.slots()
    monkeypatch.setattr(health_service, "slots", lambda: slots)
    async with serving(redis_url) as world:
        found = [await taken_before_another(world.address, slots.pending) for _ in range(3)]

    assert min(found) < BURST // 10, "on a busy machine some attempts find the burst before the other call"


def test_every_method_that_is_apart_is_one_of_the_servers() -> None:
    own = {f"/{method.containing_service.full_name}/{method.name}" for method in registry.methods()}

    assert {path for path in registry.APART if path not in own} == {WATCH}
