"""How a stream ends at the edge, without a network: what passes through, and how it is counted."""

import asyncio
import gc
from typing import Any

import grpc
import pytest

from headgate import pb
from headgate_server.ports.call import Call, ReplySink
from headgate_server.rpc import handlers
from headgate_server.rpc.call_slots import CallSlots
from headgate_server.rpc.pending_requests import PendingRequests
from headgate_server.rpc.slot_table import SlotBounds


class Observer:
    def __init__(self) -> None:
        self.codes: list[str] = []

    def rpc_ended(self, method: str, code: str, seconds: float) -> None:
        self.codes.append(code)


class Context:
    """Of a call whose caller takes so many messages and then goes away."""

    def __init__(self, *given: bytes, room: int = 10) -> None:
        self.room = room
        self.given = list(given)
        self.written: list[bytes] = []
        self.status: grpc.StatusCode | None = None

    async def read(self) -> object:
        return self.given.pop(0) if self.given else grpc.aio.EOF

    async def write(self, message: bytes) -> None:
        if len(self.written) == self.room:
            raise grpc.aio.InternalError("the caller is gone")
        self.written.append(message)

    def set_code(self, code: grpc.StatusCode) -> None:
        self.status = code

    def set_details(self, _: str) -> None: ...

    def set_trailing_metadata(self, _: object) -> None: ...

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def time_remaining(self) -> None:
        return None

    def invocation_metadata(self) -> tuple[()]:
        return ()


async def count(request: pb.WatchJobRequest, _: Call, sink: ReplySink) -> None:
    for number in range(request.start_revision):
        await sink.write(str(number).encode())


async def never(*_: Any) -> None:
    await asyncio.Event().wait()


REQUEST = pb.WatchJobRequest(start_revision=3).SerializeToString()


async def serve(context: Context, observer: Observer, answer: handlers.Stream = count) -> None:
    slots = CallSlots(10, PendingRequests(SlotBounds(1, 1), 10))
    try:
        await handlers.stream("watch", pb.WatchJobRequest, answer, observer, slots).stream_stream(None, context)
    finally:
        assert (slots.open.count, len(slots.pending)) == (0, 0)


async def test_messages_go_out_as_they_are_written() -> None:
    context, observer = Context(REQUEST), Observer()

    await serve(context, observer)

    assert (context.written, observer.codes) == ([b"0", b"1", b"2"], ["OK"])


async def test_a_caller_that_goes_away_while_it_is_written_to_is_no_fault() -> None:
    context, observer = Context(REQUEST, room=2), Observer()

    with pytest.raises(grpc.aio.InternalError):
        await serve(context, observer)

    assert (observer.codes, context.status) == (["CANCELLED"], None)


async def test_a_cancellation_passes_through() -> None:
    context, observer = Context(REQUEST), Observer()
    stream = asyncio.create_task(serve(context, observer, never))
    await asyncio.sleep(0)

    stream.cancel()

    with pytest.raises(asyncio.CancelledError):
        await stream
    assert (observer.codes, context.status) == (["CANCELLED"], None)


async def test_a_request_that_cannot_be_parsed_is_refused() -> None:
    context, observer = Context(b"\xff"), Observer()

    await serve(context, observer)

    assert (observer.codes, context.status) == (["INVALID_ARGUMENT"], grpc.StatusCode.INVALID_ARGUMENT)


@pytest.mark.parametrize("given", [(), (REQUEST, REQUEST)])
async def test_a_stream_has_one_request(given: tuple[bytes, ...]) -> None:
    context, observer = Context(*given), Observer()

    await serve(context, observer)

    assert (observer.codes, context.status) == (["INVALID_ARGUMENT"], grpc.StatusCode.INVALID_ARGUMENT)


@pytest.mark.parametrize("given", [(), (b"\xff",)])
async def test_a_refusal_leaves_no_cycle_for_the_collector(given: tuple[bytes, ...]) -> None:
    await serve(Context(*given), Observer())
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            await serve(Context(*given), Observer())
        found = gc.collect()
    finally:
        gc.enable()

    assert found < 20
