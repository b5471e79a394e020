"""The rules in the comment of JobService.WatchJob are right for every end: who knows only them loses nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.store import keys
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from tests.server.plain_watcher import ForAPerson, Watcher
from tests.server.watching import stored
from tests.server.world import World, until

NAME: Final = "jobs/orders-2025"
LAST: Final = 7
CUT_AFTER: Final = 3
QUICK: Final = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200))


def info() -> Any:
    return error_details_pb2.ErrorInfo(reason="SOME_REASON", domain="headgate")


def retry() -> Any:
    found = error_details_pb2.RetryInfo()
    found.retry_delay.FromMilliseconds(1500)
    return found


def status(code: grpc.StatusCode, *details: Message) -> tuple[tuple[str, bytes], ...]:
    told = Status(code=code.value[0])
    for detail in details:
        told.details.add().Pack(detail)
    return (("grpc-status-details-bin", told.SerializeToString()),)


class Scripted:
    """A job of seven events, whose first stream ends after three of them as it is told to."""

    def __init__(self, end: Callable[[Any], Any]) -> None:
        self.asked: list[tuple[int, str, str]] = []
        self._end = end

    async def watch(self, raw: bytes, context: Any) -> AsyncIterator[bytes]:
        request = pb.WatchJobRequest.FromString(raw)
        token = dict(context.invocation_metadata()).get("authorization", "")
        self.asked.append((request.start_revision, request.incarnation, token))
        first = request.start_revision
        if not first:
            yield pb.WatchJobResponse(
                revision=LAST - 1, incarnation="new", snapshot=pb.Job(name=NAME)
            ).SerializeToString()
            first = LAST
        last = CUT_AFTER if len(self.asked) == 1 else LAST
        for revision in range(first, last + 1):
            event = pb.JobEvent(revision=revision)
            yield pb.WatchJobResponse(revision=revision, incarnation=f"i{revision}", event=event).SerializeToString()
        if len(self.asked) == 1:
            message = await self._end(context)
            if message is not None:
                yield message.SerializeToString()
            return
        yield ended(pb.STREAM_END_REASON_JOB_TERMINAL, 0).SerializeToString()


def ended(reason: pb.StreamEndReason.ValueType, resume: int, delay_ms: int = 0) -> pb.WatchJobResponse:
    end = pb.StreamEnd(reason=reason, resume_revision=resume)
    end.reconnect_delay.FromMilliseconds(delay_ms)
    return pb.WatchJobResponse(revision=LAST, end=end)


def aborted(code: grpc.StatusCode, *details: Message) -> Callable[[Any], Any]:
    async def end(context: Any) -> None:
        await context.abort(code, "", status(code, *details))

    return end


def said(message: pb.WatchJobResponse | None) -> Callable[[Any], Any]:
    async def end(context: Any) -> pb.WatchJobResponse | None:
        return message

    return end


@asynccontextmanager
async def scripted(end: Callable[[Any], Any]) -> AsyncIterator[tuple[Scripted, grpc.aio.Channel]]:
    server, service = grpc.aio.server(), Scripted(end)
    methods: dict[str, Any] = {"WatchJob": grpc.unary_stream_rpc_method_handler(service.watch)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("headgate.v1.JobService", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=QUICK) as channel:
            yield service, channel
    finally:
        await server.stop(0)


def watcher(channel: grpc.aio.Channel, pauses: list[float], **given: Any) -> Watcher:
    jobs = JobServiceStub(channel)

    def open_stream(request: pb.WatchJobRequest, token: str) -> Any:
        return jobs.WatchJob(request, metadata=(("authorization", token),) if token else None)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(min(seconds, 0.05))

    return Watcher(given.pop("name", NAME), open_stream, pause, **given)


CODE: Final = grpc.StatusCode
COMES_BACK: Final = {
    "unavailable": (aborted(CODE.UNAVAILABLE, info()), 4, 0.1),
    "unavailable, with a time": (aborted(CODE.UNAVAILABLE, info(), retry()), 4, 1.5),
    "cancelled by the server": (aborted(CODE.CANCELLED), 4, 0.1),
    "reset under way": (aborted(CODE.INTERNAL), 4, 0.1),
    "a limit, with a time": (aborted(CODE.RESOURCE_EXHAUSTED, info(), retry()), 4, 1.5),
    "history compacted": (aborted(CODE.OUT_OF_RANGE, info()), 0, 0.1),
    "OK without a word": (said(None), 4, 0.1),
    "drain": (said(ended(pb.STREAM_END_REASON_SERVER_DRAINING, 4, 700)), 4, 0.7),
    "age": (said(ended(pb.STREAM_END_REASON_MAX_STREAM_AGE, 4)), 4, 0.0),
    "history lost": (said(ended(pb.STREAM_END_REASON_HISTORY_LOST, 0)), 0, 0.0),
    "a reason that is newer than the client": (said(ended(pb.StreamEndReason.ValueType(99), 4)), 4, 0.0),
}


@pytest.mark.parametrize(("end", "start", "delay"), COMES_BACK.values(), ids=COMES_BACK)
async def test_the_watcher_comes_back_where_it_stood(end: Any, start: int, delay: float) -> None:
    pauses: list[float] = []
    async with scripted(end) as (service, channel):
        found = watcher(channel, pauses)
        await found.follow()

    assert service.asked == [(1, "", ""), (start, f"i{start - 1}" if start else "", "")]
    assert [event.revision for event in found.events] == ([LAST] if not start else list(range(1, LAST + 1)))
    assert pauses == [delay]


FOR_A_PERSON: Final = {
    "an error of the server's own": aborted(CODE.INTERNAL, info()),
    "a limit that waiting does not help": aborted(CODE.RESOURCE_EXHAUSTED, info()),
    "no such job": aborted(CODE.NOT_FOUND, info()),
    "no right": aborted(CODE.PERMISSION_DENIED, info()),
    "a wrong request": aborted(CODE.INVALID_ARGUMENT, info()),
    "a damaged job": aborted(CODE.DATA_LOSS, info()),
    "no such method": aborted(CODE.UNIMPLEMENTED, info()),
    "a proxy's own": aborted(CODE.UNKNOWN),
    "no other token": aborted(CODE.UNAUTHENTICATED, info()),
}


@pytest.mark.parametrize("end", FOR_A_PERSON.values(), ids=FOR_A_PERSON)
async def test_the_watcher_gives_up_where_the_same_again_would_not_help(end: Any) -> None:
    async with scripted(end) as (service, channel):
        with pytest.raises(ForAPerson):
            await watcher(channel, []).follow()

    assert len(service.asked) == 1


async def test_the_watcher_comes_back_with_another_token() -> None:
    async with scripted(aborted(CODE.UNAUTHENTICATED, info())) as (service, channel):
        found = watcher(channel, [], token="Bearer old", renew=lambda: "Bearer new")
        await found.follow()

    assert service.asked == [(1, "", "Bearer old"), (4, "i3", "Bearer new")]
    assert [event.revision for event in found.events] == list(range(1, LAST + 1))


def has_more(found: Watcher, seen: int) -> bool:
    return len(found.events) > seen


class Breakable:
    """A TCP proxy whose connections all break at a word."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._ways: set[asyncio.Task[None]] = set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, back}
        self._ways |= {asyncio.create_task(self._copy(reader, back)), asyncio.create_task(self._copy(there, writer))}

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            return  # broken, as it was told to be
        finally:
            writer.close()

    def snap(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        self.snap()
        await asyncio.gather(*self._ways)


@asynccontextmanager
async def breakable(address: str) -> AsyncIterator[tuple[Breakable, str]]:
    proxy = Breakable(int(address.rpartition(":")[2]))
    server = await asyncio.start_server(proxy.connect, "127.0.0.1", 0)
    try:
        yield proxy, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await proxy.close()


async def test_a_real_server_behind_a_connection_that_breaks_twenty_times(world: World) -> None:
    job_id = await world.submit()
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    async with (
        breakable(world.address) as (proxy, address),
        grpc.aio.insecure_channel(address, options=QUICK) as channel,
    ):
        found = watcher(channel, [], name=keys.job_name(job_id))
        following = asyncio.create_task(found.follow())
        for _ in range(20):
            seen = len(found.events)
            await world.worker.say(job_id)
            await until(partial(has_more, found, seen), seconds=20)
            await world.worker.say(job_id)
            proxy.snap()
        await world.worker.finish(job_id)
        await asyncio.wait_for(following, 20)

    assert [event.SerializeToString() for event in found.events] == await stored(world, job_id)
