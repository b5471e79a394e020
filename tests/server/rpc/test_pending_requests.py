"""Calls that begin and do not go on, on a real server: headers without a request, or with a part of one."""

import asyncio
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import ClientSession
from bench.load.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, frame, header_blocks
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from headgate import pb
from headgate_server.rpc import health, listener, pending_requests
from headgate_server.rpc.health import FULL
from headgate_server.rpc.slot_table import SlotBounds
from tests.server.callers import known, write
from tests.server.world import World, detail, metadata_of, reason_of, serving, status_of, until

COUNT = "/headgate.v1.JobService/CountJobs"
WATCH = "/headgate.v1.JobService/WatchJob"
SUBMIT = "/headgate.v1.BackfillService/CreateBackfill"


class RawClient:
    """One HTTP/2 connection, whose calls go as far as a test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
        self._reader = reader
        self._writer = writer
        self._first, self._later = header_blocks(path, "x")
        self._next = 1

    def begin(self, count: int = 1, data: bytes = b"") -> list[int]:
        """Send headers of so many calls, and a part of each request; their streams."""
        streams = [self._next + 2 * number for number in range(count)]
        for stream in streams:
            block = self._first if stream == 1 else self._later
            self._writer.write(frame(HEADERS, END_HEADERS, stream, block))
            if data:
                self._writer.write(frame(DATA, 0, stream, data))
        self._next += 2 * count
        return streams

    def send(self, stream: int, data: bytes, *, last: bool = False) -> None:
        self._writer.write(frame(DATA, END_STREAM if last else 0, stream, data))

    async def ended(self, streams: Iterable[int], seconds: float = 10) -> dict[int, bytes]:
        """Wait until these calls have ended; their trailers."""
        wanted, found = set(streams), dict[int, bytes]()
        async with asyncio.timeout(seconds):
            while wanted - set(found):
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                if head[3] == HEADERS and head[4] & END_STREAM:
                    found[int.from_bytes(head[5:], "big")] = payload
        return found


@asynccontextmanager
async def raw_client(world: World, path: str) -> AsyncIterator[RawClient]:
    host, _, port = world.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HIHI", 1, 0, 4, 2**31 - 1)))
    try:
        yield RawClient(reader, writer, path)
    finally:
        writer.close()


@pytest.fixture
async def gated(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(redis_url, callers=write(tmp_path / "callers.toml")) as world:
        yield world


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_requests, "PROMPT_SECONDS", 0.1)
    monkeypatch.setattr(pending_requests, "SWEEP_SECONDS", 0.02)


def prefix(size: int) -> bytes:
    """The beginning of a request of so many bytes."""
    return b"\x00" + size.to_bytes(4, "big")


async def count(world: World, **given: Any) -> pb.CountJobsResponse:
    reply: pb.CountJobsResponse = await world.jobs.CountJobs(pb.CountJobsRequest(), timeout=10, **given)
    return reply


async def metric(world: World, name: str) -> float:
    async with ClientSession() as http, http.get(f"{world.ops}/metrics") as page:
        lines = (await page.text()).splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


@pytest.mark.parametrize("path", [COUNT, WATCH, SUBMIT])
async def test_a_call_without_a_token_is_answered_before_any_of_its_request_is_there(gated: World, path: str) -> None:
    async with raw_client(gated, path) as raw:
        trailers = await raw.ended(raw.begin(100))

    assert all(b"grpc-status\x0216" in each for each in trailers.values())


@pytest.mark.parametrize("size", [10, 60_000, 900_000])
async def test_a_client_that_is_still_sending_gets_the_reason_of_its_denial(gated: World, size: int) -> None:
    """The answer crosses the request, in which a window of 64 KiB makes pauses."""
    request = pb.GetJobRequest(name="x" * size)
    for _ in range(20):
        with pytest.raises(grpc.RpcError) as caught:
            await gated.jobs.GetJob(request, timeout=10)
        assert reason_of(caught.value) == "TOKEN_MISSING"


async def test_what_follows_after_the_answer_is_not_waited_for(gated: World) -> None:
    """A hundred requests that stall: the server keeps none of them."""
    async with raw_client(gated, SUBMIT) as raw:
        trailers = await raw.ended(raw.begin(100, prefix(1_000_000) + b"x" * 500))

        assert len(trailers) == 100
        assert await metric(gated, "headgate_calls_without_request") == 0
    await count(gated, metadata=known("full"))


async def test_a_call_whose_request_never_comes_is_ended(
    world: World, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_requests, "REQUEST_SECONDS", 0.3)
    for path in (COUNT, WATCH):
        async with raw_client(world, path) as raw:
            trailers = await raw.ended([*raw.begin(3), *raw.begin(3, prefix(1_000_000) + b"x" * 10_000)])
        assert all(b"grpc-status\x014" in each for each in trailers.values())
    call: Any = world.channel.stream_unary(COUNT)()
    assert reason_of(await end_of(call)) == "REQUEST_OVERDUE"
    assert await metric(world, "headgate_calls_without_request") == 0


async def test_half_open_calls_take_no_slot_of_others(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SPARE_CALLS", 4)
    async with serving(redis_url, max_watches=1) as world, raw_client(world, COUNT) as raw:
        streams = raw.begin(50)
        await until(lambda: pending_is(world, 50))

        assert await count(world) == pb.CountJobsResponse()
        async with ClientSession() as http, http.get(f"{world.ops}/readyz") as ready:
            assert ready.status == 200
        for stream in streams:
            raw.send(stream, prefix(0), last=True)
        trailers = await raw.ended(streams)
        assert all(b"grpc-status\x010" in each for each in trailers.values()), "late, and within its time"


async def pending_is(world: World, wanted: int) -> bool:
    return await metric(world, "headgate_calls_without_request") == wanted


async def test_slow_requests_beyond_the_slots_of_a_connection_end_the_oldest(
    redis_url: str, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_requests, "SLOW", SlotBounds(8, 3))
    async with serving(redis_url) as world, raw_client(world, COUNT) as raw, raw_client(world, COUNT) as other:
        [theirs] = other.begin()
        await until(lambda: pending_is(world, 1))
        streams = raw.begin(20)
        trailers = await raw.ended(streams[:17])
        assert all(b"grpc-status\x018" in each for each in trailers.values())
        await until(lambda: pending_is(world, 4))

        for client, stream in ((raw, streams[-1]), (other, theirs)):
            client.send(stream, prefix(0), last=True)
            assert b"grpc-status\x010" in (await client.ended([stream]))[stream]


async def test_more_calls_without_a_request_than_there_may_be_end_the_oldest(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_requests, "MAX_PENDING", 20)
    async with serving(redis_url) as world:
        calls: list[Any] = [world.channel.stream_unary(COUNT)() for _ in range(25)]
        ended, _ = await asyncio.wait([asyncio.ensure_future(end_of(call)) for call in calls], timeout=10, **ANY)
        await until(lambda: pending_is(world, 20))
        assert await count(world) == pb.CountJobsResponse()
        error = ended.pop().result()
        for call in calls:
            call.cancel()

    assert (reason_of(error), metadata_of(error)["quota"]) == ("CALLER_LIMIT", "calls_without_request")
    assert detail(status_of(error), error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0


ANY: Any = {"return_when": asyncio.FIRST_COMPLETED}


async def end_of(call: Any) -> grpc.RpcError:
    """How a call ends that sends nothing; waiting for its reply would tell the server that nothing comes."""
    code = await call.code()
    return grpc.aio.AioRpcError(code, await call.initial_metadata(), await call.trailing_metadata())


async def test_a_call_that_brings_no_request_is_told_so(world: World) -> None:
    async with raw_client(world, COUNT) as raw:
        [stream] = raw.begin()
        raw.send(stream, b"", last=True)

        assert b"grpc-status\x013" in (await raw.ended([stream]))[stream]


async def unary(world: World, method: str) -> None:
    call: Any = world.channel.unary_unary(method)
    await call(b"", timeout=10)


async def test_a_method_that_there_is_not_is_told_in_full(gated: World) -> None:
    for method in ("/headgate.v1.JobService/Nothing", "/no.Service/Nothing", "/x"):
        with pytest.raises(grpc.RpcError) as caught:
            await unary(gated, method)

        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert reason_of(caught.value) == "METHOD_UNKNOWN"


async def readiness(world: World) -> tuple[int, str, int]:
    """What /readyz says, and grpc's own health."""
    async with ClientSession() as http, http.get(f"{world.ops}/readyz") as page:
        status, text = page.status, await page.text()
    health = await health_pb2_grpc.HealthStub(world.channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    return status, text.strip(), health.status


async def is_ready(world: World, wanted: bool) -> bool:
    found = await readiness(world)
    return found == ((200, "ok", 1) if wanted else (503, FULL, 2))


async def test_a_full_server_says_so_until_there_is_room_again(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SPARE_CALLS", 0)
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)
    async with serving(redis_url, max_watches=10) as world:
        job_id = await world.submit()
        watches = [world.watch(job_id) for _ in range(10)]
        await asyncio.gather(*(watch.read() for watch in watches))
        assert await is_ready(world, True), "full, and nobody was refused"

        with pytest.raises(grpc.RpcError) as caught:
            await count(world)
        assert (reason_of(caught.value), metadata_of(caught.value)["quota"]) == ("CALLER_LIMIT", "open_calls")
        assert detail(status_of(caught.value), error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0
        await until(lambda: is_ready(world, False))

        watches.pop().cancel()
        await until(lambda: is_ready(world, True))
        assert await count(world)
        for watch in watches:
            watch.cancel()
