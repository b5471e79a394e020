"""Every RPC on its way in and out: access, slot, parsing, deadline, errors as statuses, metrics, log without payloads.

A call is judged on its headers, before its request is read (ADR 0021). Handlers get a parsed request and a `Call`, and
return a message or its bytes, or write bytes to a `ReplySink`; they know nothing of grpc. This is one of the three
edges where any exception is caught: its text never reaches a caller.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from headgate.reasons import Reason
from headgate.store.audit import Origin
from headgate_server.auth import denials
from headgate_server.auth.access_control import Metadata, MethodGuard, StreamPermit
from headgate_server.auth.denials import Denial
from headgate_server.auth.held_denials import HeldDenials
from headgate_server.errors import status
from headgate_server.errors.exceptions import Refused, ServerError
from headgate_server.logs.audit_log import UNAUDITED, Audited
from headgate_server.logs.failed_calls import FailedCalls
from headgate_server.ports.call import UNMETERED, Call, Observer, ReplySink
from headgate_server.ports.caller import ANONYMOUS, Caller, Right
from headgate_server.rpc import payload_view
from headgate_server.rpc.call_slots import CallSlots
from headgate_server.rpc.payload_view import PayloadView

_log = logging.getLogger(__name__)
_access = logging.getLogger("headgate_server.access")

UNARY_SECONDS: Final = 10.0
"""How long a unary call may take whose caller gave no deadline."""

SLOW_SECONDS: Final = 1.0
"""Calls that take longer are logged even if they succeed."""


FAILED_CALLS: Final = FailedCalls(_access)
"""Which failures the process's log has lines for; its `run` logs the counts of the others."""


Resolve = Callable[[Any], None]
"""Changes a request in place."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What stands between a method's callers and its handler.

    Args:
        guard: its access control; None admits every call.
        writes: whether the method changes something, and is audited.
        resolve: is given each parsed request; None for methods whose requests stay as they are.
        shown: type of the answer, or of a stream's messages, where it can hold payloads; None for others.
    """

    guard: MethodGuard | None = None
    writes: bool = False
    resolve: Resolve | None = None
    shown: type[Message] | None = None


OPEN: Final = Edge()
"""For a method that all callers may call and that only reads."""

Answer = Callable[[Any, Call], Awaitable[Message | bytes]]
Stream = Callable[[Any, Call, ReplySink], Awaitable[None]]


def unary(
    method: str,
    request: type[Message],
    answer: Answer,
    observer: Observer,
    slots: CallSlots,
    edge: Edge = OPEN,
    *,
    seconds: float = UNARY_SECONDS,
) -> Any:
    """A grpc handler for a unary call, which takes the request as bytes: of a denied call none is read.

    Args:
        method: full name, for logs and metrics.
        request: type of the request.
        answer: the handler.
        observer: counts the calls that ended.
        slots: how many calls there may be.
        edge: what stands before the handler.
        seconds: how long it may take when the caller gave no deadline.
    """
    guard, writes = edge.guard, edge.writes
    parse, narrow = _parser(request, edge.resolve), _narrowed(answer, edge)

    async def handle(_requests: Any, context: Any) -> bytes:
        ending, caller = _Ending(method, observer, slots), ANONYMOUS
        try:
            metadata = context.invocation_metadata() or ()
            if guard is not None:
                admitted = guard.admit(metadata, context)
                if isinstance(admitted, Denial):
                    await guard.hold(admitted.seconds, context)
                    return ending.deny(context, admitted)
                caller = ending.caller = admitted.caller
            audit = ending.audit(context) if writes else UNAUDITED
            if (full := slots.why_not()) is not None:
                return ending.deny(context, full)
            raw = ending.serve(await slots.pending.receive(context))
            if guard is not None:
                guard.weigh(caller, raw)
            ask = answer if caller.sees_all else narrow
            call = _call(context, metadata, caller, audit, guard)
            if call.deadline is not None:
                return _weighed(await ask(parse(raw, call), call), caller, guard)
            async with asyncio.timeout(seconds):
                return _weighed(await ask(parse(raw, call), call), caller, guard)
        except BaseException as error:
            return await ending.refuse(context, error, guard)
        finally:
            ending.tell()

    return grpc.stream_unary_rpc_method_handler(handle)


def stream(
    method: str,
    request: type[Message],
    answer: Stream,
    observer: Observer,
    slots: CallSlots,
    edge: Edge = OPEN,
) -> Any:
    """A grpc handler for a server stream; headers go out with its first message.

    It writes, and takes the request as bytes: grpc keeps what a generator yielded last, and the request, for as long as
    the stream lives. Arguments as of `unary`.
    """
    guard, writes = edge.guard, edge.writes
    parse, narrow = _parser(request, edge.resolve), _narrowed(answer, edge)

    async def handle(_requests: Any, context: Any) -> None:
        ending, permit = _Ending(method, observer, slots, math.inf), None
        sink: ReplySink = context
        try:
            metadata = context.invocation_metadata() or ()
            if guard is not None:
                permit = guard.permit(metadata, context)
                if isinstance(permit, Denial):
                    await guard.hold(permit.seconds, context)
                    ending.deny(context, permit)
                    return
                ending.caller, sink = permit.caller, permit
            audit = ending.audit(context) if writes else UNAUDITED
            if (full := slots.why_not()) is not None:
                ending.deny(context, full)
                return
            ask = answer if ending.caller.sees_all else narrow
            raw = ending.serve(await slots.pending.receive(context, whole=True))
            if guard is not None:
                guard.weigh(ending.caller, raw)
            call = _call(context, metadata, ending.caller, audit, guard, context.peer())
            streaming = _asked(ask, parse, raw, call, sink)
            del raw  # so that it does not stay as long as the stream
            await streaming
        except BaseException as error:
            await ending.refuse(context, error, guard)
        finally:
            ending.tell()
            if isinstance(permit, StreamPermit):
                permit.leave()

    return grpc.stream_stream_rpc_method_handler(handle)


def _asked(
    ask: Stream, parse: Callable[[bytes, Call], Any], raw: bytes, call: Call, sink: ReplySink
) -> Awaitable[None]:
    return ask(parse(raw, call), call, sink)


def exchange(method: str, answer: Callable[[bytes], bytes], observer: Observer, slots: CallSlots) -> Any:
    """A grpc handler for a stream of requests that are answered one by one, as bytes.

    It is pending as a whole, since it waits for a request most of the time. Arguments as of `unary`.
    """

    async def handle(_requests: Any, context: Any) -> None:
        ending = _Ending(method, observer, slots, math.inf)
        try:
            if (full := slots.why_not()) is not None:
                ending.deny(context, full)
                return
            slots.pending.enter(context)
            ending.serve(b"")
            while (raw := await context.read()) is not grpc.aio.EOF:
                await context.write(answer(raw))
        except BaseException as error:
            await ending.refuse(context, error)
        finally:
            slots.pending.leave(context)
            ending.tell()

    return grpc.stream_stream_rpc_method_handler(handle)


def unknown(observer: Observer, slots: CallSlots, held: HeldDenials | None = None) -> Any:
    """A grpc handler for methods that there are not: it answers on their headers, without a message.

    Args:
        observer: counts the calls that ended.
        slots: how many calls there may be.
        held: holds the answers of a connection back that has many; None holds none back.
    """

    async def handle(_requests: Any, context: Any) -> None:
        ending = _Ending("unknown", observer, slots)
        if held is not None:
            await held.hold(held.seconds(context.peer()), context.time_remaining())
        ending.deny(context, denials.no_method())
        ending.tell()

    return grpc.stream_stream_rpc_method_handler(handle)


def _narrowed(answer: Any, edge: Edge) -> Any:
    """The handler for callers who are not shown everything.

    It asks first whether the request is about a connection of theirs, and takes payloads out of what is answered.
    """
    guard, shown = edge.guard, edge.shown
    with_events = shown is not None and payload_view.has_events(shown.DESCRIPTOR)

    async def narrow(request: Any, call: Call, *sink: ReplySink) -> Any:
        uid, own = await guard.check(request, call.caller) if guard is not None else "", False
        hides = shown is not None and Right.PAYLOADS not in call.caller.rights
        if guard is not None and hides and with_events:
            own, uid = await guard.own(request, call.caller, uid)
        call = replace(call, uid=uid) if uid else call
        if shown is None or not hides:
            return await answer(request, call, *sink)
        view = PayloadView(shown, call.caller.name, own=own, one_job=guard is not None and guard.is_about_one_job)
        found = await answer(request, call, *map(view.sink, sink))
        return found if sink else view.of(found)

    return narrow


class _Ending:
    """How one call ended."""

    def __init__(self, method: str, observer: Observer, slots: CallSlots, slow_seconds: float = SLOW_SECONDS) -> None:
        self._method = method
        self._open = slots.open
        self._is_served = False
        self._observer = observer
        self._slow_seconds = slow_seconds
        self._started = time.perf_counter()
        self._logged = False
        self._reason = "slow"
        self._audited: Audited = UNAUDITED
        self._why = ""
        self.code = "OK"
        self.caller = ANONYMOUS

    def audit(self, context: Any) -> Audited:
        """Have the call audited."""
        self._audited = Audited(Origin(self.caller.name, self._method, context.peer()))
        return self._audited

    def serve(self, raw: bytes) -> bytes:
        """Count the call among those that are served; its request."""
        self._open.enter()
        self._is_served = True
        return raw

    async def refuse(self, context: Any, error: BaseException, guard: MethodGuard | None = None) -> bytes:
        """Answer the call with what went wrong; the answer's body, of which nothing is sent.

        The status is set instead of raised by `context.abort`, which costs grpc a quarter of a millisecond and leaves
        cycles of some 40 objects: the collector stops all calls for tens of milliseconds to find those of a thousand.

        Args:
            context: the call.
            error: what went wrong.
            guard: what let the call in.

        Raises:
            BaseException: the call has ended already, or its caller is gone.
        """
        if not isinstance(error, Exception) or isinstance(error, grpc.aio.BaseError):
            self.code = context.code().name if isinstance(error, grpc.aio.AbortError) else "CANCELLED"
            raise error
        found = _status(error, self._method)
        self._why = status.reason_of(found)
        code = status.CODES[found.code]
        self.code = code.name
        self._reason = error.reason.name if isinstance(error, Refused) else code.name
        if guard is not None and self._why == Reason.CALLER_LIMIT.name:
            await guard.hold_limited(self.caller, context)
        _answer(context, code, found.message, ((status.DETAILS_KEY, found.SerializeToString()),))
        return b""

    def deny(self, context: Any, denial: Denial) -> bytes:
        """End a call that may not be made, without the cost of an exception; access control logs it."""
        self.code, self._why = denial.code.name, denial.reason.name
        self._logged = True
        _answer(context, denial.code, denial.message, denial.details)
        return b""

    def tell(self) -> None:
        """Count the call, and log it if it failed or was slow; it holds no slot any more."""
        if self._is_served:
            self._open.leave()
        seconds = time.perf_counter() - self._started
        self._observer.rpc_ended(self._method, self.code, seconds)
        self._audited.tell(self.code, self._why)
        notable = self.code not in ("OK", "CANCELLED") or seconds > self._slow_seconds
        told = notable and not self._logged
        if told and not FAILED_CALLS.has_line(self._reason, self.caller.name, self._method, time.monotonic()):
            return
        level = logging.INFO if told else logging.DEBUG
        if _access.isEnabledFor(level):
            _access.log(level, "%s %s %s %.1f ms", self._method, self.code, self.caller.name, seconds * 1000)


def _answer(context: Any, code: grpc.StatusCode, message: str, details: tuple[tuple[str, bytes], ...]) -> None:
    """Set what a call is answered with, which goes out when its handler returns."""
    context.set_code(code)
    context.set_details(message)
    context.set_trailing_metadata(details)


def _status(error: Exception, method: str) -> Status:
    if isinstance(error, TimeoutError):
        error = Refused(Reason.DEADLINE_TOO_SHORT, "no answer within the call's deadline")
    if isinstance(error, ServerError) and (known := status.translate(error)) is not None:
        return known
    error_id = secrets.token_hex(8)
    _log.error("%s broke, error id %s", method, error_id, exc_info=error)
    return status.internal(error_id)


def _parser(request: type[Message], resolve: Resolve | None) -> Callable[[bytes, Call], Any]:
    def parse(raw: bytes, call: Call) -> Message:
        try:
            parsed = request.FromString(raw)
        except (DecodeError, ValueError):  # Python's own words are not for callers
            message = "the request can't be parsed: it is no such message, or nested too deeply"
            raise Refused(Reason.MESSAGE_MALFORMED, message) from None
        parsed.DiscardUnknownFields()  # no rule bounds them, and what is recorded of a request would carry them on
        call.audit.asks(parsed)
        if resolve is not None:
            resolve(parsed)
        return parsed

    return parse


def _serialize(message: Message | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


def _weighed(answer: Message | bytes, caller: Caller, guard: MethodGuard | None) -> bytes:
    """An answer as bytes, which count against the caller's share."""
    raw = _serialize(answer)
    if guard is not None:
        guard.weigh_read(caller, len(raw))
    return raw


def _call(
    context: Any, metadata: Metadata, caller: Caller, audit: Audited, guard: MethodGuard | None, peer: str = ""
) -> Call:
    remaining = context.time_remaining()
    deadline = None if remaining is None else asyncio.get_running_loop().time() + remaining
    meter = UNMETERED if guard is None else guard
    return Call(deadline, _trace_parent(metadata), caller, audit=audit, peer=peer, meter=meter)


def _trace_parent(metadata: Metadata) -> str:
    for key, value in metadata:
        if key == "traceparent" and len(value) == 55 and value.isascii():
            return str(value)
    return ""
