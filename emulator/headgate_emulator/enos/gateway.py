"""Serve EnOS: the token service and both generations of the batch API, behind the checks of the API gateway.

Order: operation, token and signature, user, parameters, effect. Faults take effect where a real failure would; every
request leaves one row in the ledger, under names such as `flowInstances.get`, `flows.trigger` and `token.get`.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

from headgate_emulator.enos import errors
from headgate_emulator.enos.errors import EnosError, bad_request
from headgate_emulator.enos.instances import reply_text
from headgate_emulator.enos.operations import OPERATIONS, Asked, Operation, body_of, check_user
from headgate_emulator.enos.tokens import Signed
from headgate_emulator.faults import CallFault, ErrorReply, Latency, LostReply, LostRequest, MalformedReply
from headgate_emulator.ledger import LedgerRow
from headgate_emulator.spoil import JSON_TYPE, send_spoilt, spoil
from headgate_emulator.state import EmulatorState

C = TypeVar("C", bound=CallFault)

TOKEN_SERVICE = "/apim-token-service/v2.0/token/"  # noqa: S105  # a path
GENERATIONS = {"/dataflow-batch-service/v2.0/": "v2.0", "/batch-processing-service/v2.1/": "v2.1"}
PREFIXES = (TOKEN_SERVICE, *GENERATIONS)
"""Beginnings of the paths that are EnOS'."""


@dataclass(slots=True)
class Exchange:
    """What is known of one call so far; at the end it becomes a ledger row."""

    service: str
    resource: str
    action: str
    method: str
    query: dict[str, str]
    headers: dict[str, str]
    text: str
    body: dict[str, Any] = field(default_factory=dict)
    app_key: str = ""
    status: int = 200
    code: str = ""
    applied: bool = False
    fault: str | None = None

    @property
    def name(self) -> str:
        """The call's name in ledger and faults."""
        return f"{self.resource}.{self.action}"

    @property
    def params(self) -> dict[str, str]:
        """Query and body members as text; proofs of secrets are left out."""
        try:
            members = {name: str(value) for name, value in body_of(self.text).items() if name != "encryption"}
        except EnosError:
            members = {}
        return {**{name: value for name, value in self.query.items() if name != "action"}, **members}


class EnosGateway:
    """The handler of every EnOS call."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        exchange = await _exchange(request)
        latency = self._strike(Latency, exchange)
        if latency is not None:
            await asyncio.sleep(latency.millis / 1000)
        if self._strike(LostRequest, exchange):
            return self._close(request, exchange)
        self._answer(exchange)
        if self._strike(LostReply, exchange):
            return self._close(request, exchange)
        spoilt = self._strike(MalformedReply, exchange)
        if spoilt is not None:
            exchange.status = 302 if spoilt.shape == "redirect" else spoilt.status
            self._record(exchange)
            return await send_spoilt(request, spoil(exchange.body, spoilt), exchange.status)
        self._record(exchange)
        text = reply_text(exchange.body, self._state.flows.rules.graph)
        return web.Response(body=text.encode(), status=exchange.status, headers={"Content-Type": JSON_TYPE})

    def _answer(self, exchange: Exchange) -> None:
        try:
            exchange.body = self._success(exchange, self._perform(exchange))
        except EnosError as error:
            exchange.code, exchange.status = str(error.code), error.status
            exchange.body = self._refusal(exchange, error)

    def _perform(self, exchange: Exchange) -> Any:
        operation = None if exchange.service == TOKEN_SERVICE else self._operation(exchange)
        if operation is not None:
            exchange.app_key = self._authenticate(exchange)
            check_user(self._state.flows, exchange.query)
        error = self._strike(ErrorReply, exchange)
        data = None
        if error is None or error.applied:
            data = self._token(exchange) if operation is None else self._run(operation, exchange)
            exchange.applied = True
        if error is not None:
            code = int(error.code) if error.code.isdecimal() else errors.INTERNAL
            raise EnosError(code, error.message, status=error.status)
        return data

    def _operation(self, exchange: Exchange) -> Operation:
        found = OPERATIONS.get((exchange.resource, exchange.action))
        newer = GENERATIONS[exchange.service] == "v2.1"
        if found is None or found.method != exchange.method or (found.newer and not newer):
            raise bad_request(f"action {exchange.action} is not supported")
        return found

    def _authenticate(self, exchange: Exchange) -> str:
        state, headers = self._state, exchange.headers
        call = Signed(
            headers.get("apim-accesstoken", ""),
            headers.get("apim-timestamp", ""),
            headers.get("apim-signature", ""),
            exchange.query,
            exchange.text,
        )
        clock = state.clock
        stale_as_apim = state.flows.rules.stale_as_apim
        return state.tokens.check(call, now_ms=clock.now_ms(), wall_ms=clock.wall_ms(), stale_as_apim=stale_as_apim)

    def _run(self, operation: Operation, exchange: Exchange) -> Any:
        return operation.call(
            self._state.flows, Asked(exchange.query, body_of(exchange.text)), self._state.clock.now_ms()
        )

    def _token(self, exchange: Exchange) -> Any:
        calls = {"get": self._state.tokens.get, "refresh": self._state.tokens.refresh}
        if exchange.action not in calls or exchange.method != "POST":
            raise EnosError(errors.BAD_PARAMETER, "no such call of the token service")
        body, clock = body_of(exchange.text), self._state.clock
        exchange.app_key = str(body.get("appKey", ""))
        seconds = self._state.flows.rules.token_seconds
        return calls[exchange.action](body, now_ms=clock.now_ms(), wall_ms=clock.wall_ms(), seconds=seconds)

    def _success(self, exchange: Exchange, data: Any) -> dict[str, Any]:
        if GENERATIONS.get(exchange.service) == "v2.1":
            return {"code": 0, "msg": "OK", "data": data}
        head = {"status": 0, "msg": " Success"}  # the blank stands in seed 004
        if exchange.service == TOKEN_SERVICE:
            return {"status": 0, "msg": "success", "business": "apim-token-service", "data": data}
        return {**head, "data": data}

    def _refusal(self, exchange: Exchange, error: EnosError) -> dict[str, Any]:
        if error.apim:
            return {"apim_status": error.code, "apim_message": error.message}
        member = "code" if GENERATIONS.get(exchange.service) == "v2.1" else "status"
        return {member: error.code, "msg": error.message, "data": None}

    def _strike(self, kind: type[C], exchange: Exchange) -> C | None:
        fault = self._state.faults.take(kind, lambda one: one.matches(exchange.name))
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
        self._state.ledger.write(
            LedgerRow(
                at_ms=self._state.clock.now_ms(),
                action=exchange.name,
                params=exchange.params,
                access_key=exchange.app_key,
                protocol="APIM",
                status=exchange.status,
                code=exchange.code,
                request_id="",
                applied=exchange.applied,
                fault=exchange.fault,
            )
        )


async def _exchange(request: web.Request) -> Exchange:
    service = next(prefix for prefix in PREFIXES if request.path.startswith(prefix))
    rest = request.path.removeprefix(service)
    query = dict(request.query)
    is_token = service == TOKEN_SERVICE
    return Exchange(
        service=service,
        resource="token" if is_token else rest,
        action=rest if is_token else query.get("action", ""),
        method=request.method,
        query=query,
        headers={name.lower(): value for name, value in request.headers.items()},
        text=(await request.read()).decode("utf-8", "replace"),
    )
