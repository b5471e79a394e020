"""How a stream ends at the edge, without a network: what passes through, and how it is counted."""

import asyncio
from typing import Any

import grpc
import pytest

from headgate import pb
from headgate_server import rpc


class Observer:
    def __init__(self) -> None:
        self.codes: list[str] = []

    def rpc_ended(self, method: str, code: str, seconds: float) -> None:
        self.codes.append(code)


class Context:
    """Of a call whose caller takes so many messages and then goes away."""

    def __init__(self, room: int = 10) -> None:
        self.room = room
        self.written: list[bytes] = []
        self.status: grpc.StatusCode | None = None

    async def write(self, message: bytes) -> None:
        if len(self.written) == self.room:
            raise grpc.aio.InternalError("the caller is gone")
        self.written.append(message)

    async def abort(self, code: grpc.StatusCode, *_: Any) -> None:
        self.status = code
        raise grpc.aio.AbortError

    def time_remaining(self) -> None:
        return None

    def invocation_metadata(self) -> tuple[()]:
        return ()


async def count(request: pb.WatchJobRequest, _: rpc.Call, sink: rpc.Sink) -> None:
    for number in range(request.start_revision):
        await sink.write(str(number).encode())


async def never(*_: Any) -> None:
    await asyncio.Event().wait()


async def serve(context: Context, observer: Observer, answer: rpc.Stream = count, raw: bytes | None = None) -> None:
    handler = rpc.stream("watch", pb.WatchJobRequest, answer, observer)
    given = pb.WatchJobRequest(start_revision=3).SerializeToString() if raw is None else raw
    await handler.unary_stream(given, context)


async def test_messages_go_out_as_they_are_written() -> None:
    context, observer = Context(), Observer()

    await serve(context, observer)

    assert (context.written, observer.codes) == ([b"0", b"1", b"2"], ["OK"])


async def test_a_caller_that_goes_away_while_it_is_written_to_is_no_fault() -> None:
    context, observer = Context(room=2), Observer()

    with pytest.raises(grpc.aio.InternalError):
        await serve(context, observer)

    assert (observer.codes, context.status) == (["CANCELLED"], None)


async def test_a_cancellation_passes_through() -> None:
    context, observer = Context(), Observer()
    stream = asyncio.create_task(serve(context, observer, never))
    await asyncio.sleep(0)

    stream.cancel()

    with pytest.raises(asyncio.CancelledError):
        await stream
    assert (observer.codes, context.status) == (["CANCELLED"], None)


async def test_a_request_that_cannot_be_parsed_is_refused() -> None:
    context, observer = Context(), Observer()

    with pytest.raises(grpc.aio.AbortError):
        await serve(context, observer, raw=b"\xff")

    assert (observer.codes, context.status) == (["INVALID_ARGUMENT"], grpc.StatusCode.INVALID_ARGUMENT)
