"""Serve the DataWorks protocol: one HTTP request in, one reply, refusal or broken connection out.

Order, as the gateway has it: signature, operation, quota, parameters, effect. Faults take effect at the place
where a real failure would. Every request that can be read leaves exactly one
row in the ledger.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web

from headgate_emulator.dataworks.errors import ApiError, Refusal
from headgate_emulator.dataworks.operations import OPERATIONS, Operation
from headgate_emulator.dataworks.plans import millis
from headgate_emulator.dataworks.replies import error_json
from headgate_emulator.dataworks.signing import WireRequest, verify
from headgate_emulator.faults import AppliedLate, CallFault, ErrorReply, Latency, LostReply, LostRequest, MalformedReply
from headgate_emulator.ledger import LedgerRow
from headgate_emulator.spoil import JSON_TYPE, json_bytes, send_spoilt, spoil
from headgate_emulator.state import EmulatorState

C = TypeVar("C", bound=CallFault)

VERSION = "2024-05-18"
MAX_FIELDS = 1000
_FORM = "application/x-www-form-urlencoded"
_SYSTEM = frozenset(
    {
        "AccessKeyId", "Action", "Format", "RegionId", "Signature", "SignatureMethod", "SignatureNonce",
        "SignatureType", "SignatureVersion", "Timestamp", "Version", "SecurityToken",
    }
)  # fmt: skip


@dataclass(slots=True)
class Exchange:
    """What is known of one call so far; at the end it becomes a ledger row."""

    request: WireRequest
    request_id: str
    body: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    refusal: Refusal | None = None
    applied: bool = False
    fault: str | None = None

    @property
    def params(self) -> dict[str, str]:
        """The operation's own parameters, from query and form together; a form value wins."""
        merged = {**self.request.query, **self.request.form}
        return {name: value for name, value in merged.items() if name not in _SYSTEM}


class Gateway:
    """The handler of every DataWorks call."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        exchange = Exchange(await wire_request(request), self._state.ids.request_id())
        action = exchange.request.action
        await self._delay(action, exchange)
        if self._strike(LostRequest, action, exchange):
            return self._close(request, exchange)
        late = self._strike(AppliedLate, action, exchange)
        if late is not None:
            return self._apply_late(request, exchange, millis(late.seconds))
        self._answer(exchange)
        if self._strike(LostReply, action, exchange):
            return self._close(request, exchange)
        spoilt = self._strike(MalformedReply, action, exchange)
        if spoilt is not None:
            exchange.status = 302 if spoilt.shape == "redirect" else spoilt.status
            self._record(exchange)
            return await send_spoilt(request, spoil(exchange.body, spoilt), exchange.status)
        self._record(exchange)
        return _response(exchange)

    def _answer(self, exchange: Exchange) -> None:
        try:
            self._perform(exchange)
        except ApiError as error:
            exchange.refusal = error.refusal
            exchange.status = error.refusal.status
            host = exchange.request.headers.get("host", "")
            exchange.body = error_json(error.refusal, exchange.request_id, host)

    def _apply_late(self, request: web.Request, exchange: Exchange, delay_ms: int) -> web.Response:
        """Close the connection, and let the call take effect later, if the gateway would let it through."""
        response = self._close(request, exchange)
        state, seq = self._state, self._state.ledger.total
        try:
            operation, now = self._admitted(exchange)
        except ApiError:
            return response

        def effect(at: int) -> None:
            operation.call(state.world, exchange.params, at)
            state.ledger.mark_applied(seq)

        state.world.later(now + delay_ms, effect)
        return response

    def _admitted(self, exchange: Exchange) -> tuple[Operation, int]:
        """The operation, once the call has passed signature and quota, and when. Raises ApiError."""
        state = self._state
        self._authenticate(exchange.request)
        operation = find_operation(exchange.request)
        now = state.clock.now_ms()
        state.quota.admit(writes=operation.writes, paced_ms=state.clock.paced_ms(), now_ms=now)
        return operation, now

    def _perform(self, exchange: Exchange) -> None:
        state, action = self._state, exchange.request.action
        operation, now = self._admitted(exchange)
        error = self._strike(ErrorReply, action, exchange)
        if error is None or error.applied:
            body = operation.call(state.world, exchange.params, now)
            exchange.body = {"RequestId": exchange.request_id, **body}
            exchange.applied = True
        if error is not None:
            raise ApiError(error.code, error.status, error.message, retry_after_ms=error.retry_after_ms)

    def _authenticate(self, request: WireRequest) -> None:
        state, wall = self._state, self._state.clock.wall_ms()
        signed = verify(request, state.settings.secrets(), now_ms=wall, nonce_used=state.nonces.used)
        state.nonces.use(signed.nonce, wall)

    async def _delay(self, action: str, exchange: Exchange) -> None:
        latency = self._strike(Latency, action, exchange)
        if latency is not None:
            await asyncio.sleep(latency.millis / 1000)

    def _strike(self, kind: type[C], action: str, exchange: Exchange) -> C | None:
        fault = self._state.faults.take(kind, lambda one: one.matches(action))
        if fault is not None:
            exchange.fault = fault.kind
        return fault

    def _close(self, request: web.Request, exchange: Exchange) -> web.Response:
        exchange.status = 0
        self._record(exchange)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _record(self, exchange: Exchange) -> None:
        request = exchange.request
        self._state.ledger.write(
            LedgerRow(
                at_ms=self._state.clock.now_ms(),
                action=request.action,
                params=exchange.params,
                access_key=request.claimed_key,
                protocol=request.protocol or "",
                status=exchange.status,
                code=exchange.refusal.code if exchange.refusal else "",
                request_id=exchange.request_id,
                applied=exchange.applied,
                fault=exchange.fault,
            )
        )


def find_operation(request: WireRequest) -> Operation:
    """The operation that a request names. Raises ApiError for a wrong method, path, version or name."""
    if request.method not in ("GET", "POST"):
        raise ApiError("UnsupportedHTTPMethod", 400, "Only GET and POST are supported.")
    if request.version != VERSION:
        raise ApiError("InvalidVersion", 400, f"Specified parameter Version is not {VERSION}.")
    if request.path != "/" or request.action not in OPERATIONS:
        raise ApiError("InvalidApi.NotFound", 404, "Specified api is not found, check the url and method.")
    return OPERATIONS[request.action]


async def wire_request(request: web.Request) -> WireRequest:
    """Read an HTTP request. The form is read only if the body says that it is one."""
    body = await request.read()
    is_form = request.headers.get("Content-Type", "").partition(";")[0].strip().lower() == _FORM
    return WireRequest(
        method=request.method,
        path=request.path,
        query=_pairs(request.path_qs.partition("?")[2]),
        form=_pairs(body.decode("utf-8", "replace")) if is_form else {},
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )


def _pairs(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise web.HTTPBadRequest(text="too many parameters") from None


def _response(exchange: Exchange) -> web.Response:
    response = web.Response(
        body=json_bytes(exchange.body), status=exchange.status, headers=_headers(exchange.request_id)
    )
    if exchange.refusal is not None and exchange.refusal.retry_after_ms is not None:
        response.headers["x-acs-retry-after"] = str(exchange.refusal.retry_after_ms)
    return response


def _headers(request_id: str) -> Mapping[str, str]:
    return {"Content-Type": JSON_TYPE, "x-acs-request-id": request_id}
