"""The admin endpoints: read and change the emulator while it runs. JSON, unsigned, this machine only."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from aiohttp import web
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from headgate_emulator.dataworks.errors import ApiError
from headgate_emulator.dataworks.instances import Instance, Scheduled
from headgate_emulator.dataworks.quota import EDITIONS, Edition, Limits
from headgate_emulator.dataworks.replies import instance_json
from headgate_emulator.dataworks.rules import Rules
from headgate_emulator.dataworks.statuses import IllegalMove, Status
from headgate_emulator.enos.admin import EnosAdmin
from headgate_emulator.fault_book import TooManyFaults
from headgate_emulator.faults import CallFault, Fault, RunFault
from headgate_emulator.scenario import BadScenario, Scenario, complaints, load, scenario_from, shipped
from headgate_emulator.state import EmulatorState

FOREIGN_USER = "200527038829990001"

_STRICT = ConfigDict(extra="forbid")
_RULES = TypeAdapter(Rules)
_LIMITS = TypeAdapter(Limits)
_EDITION: TypeAdapter[Edition] = TypeAdapter(Edition)

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """An admin call cannot be done; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """Jump forward, or change the pace."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    advance_seconds: Annotated[float, Field(ge=0, le=1_000_000_000)] = 0.0
    time_scale: Annotated[float, Field(ge=0, le=1_000_000)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultChange:
    """Faults to switch on, after those already on."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdChange:
    """Ids to hand out next, before any others; and where to count on from."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    instance_ids: tuple[int, ...] = ()
    operation_ids: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()
    next_instance_id: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    stride: Annotated[int, Field(ge=1, le=1_000_000)] = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignChange:
    """A change made at the console, which the client does not know of.

    shows_user: whether ModifyUser becomes `user`; no source says for which acts it does.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    action: Literal["start", "stop", "rerun", "succeed", "fail"]
    ids: tuple[int, ...]
    user: str = FOREIGN_USER
    shows_user: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOrder:
    """Instances that upstream makes by itself."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    scheduled: tuple[Scheduled, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetOrder:
    """Begin again: with the same scenario, a shipped one by name, or one spelt out."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str | None = None
    scenario: dict[str, Any] | None = None


class Admin:
    """The handlers. Every reply is a JSON object; a refusal is `{"error": "..."}` with 4xx."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        """Every route, the admin ones guarded."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/_admin/ledger", self.ledger),
            ("GET", "/_admin/instances", self.instances),
            ("POST", "/_admin/instances", self.schedule),
            ("GET", "/_admin/operations", self.operations),
            ("GET", "/_admin/faults", self.faults),
            ("POST", "/_admin/faults", self.add_faults),
            ("DELETE", "/_admin/faults", self.clear_faults),
            ("GET", "/_admin/rules", self.rules),
            ("POST", "/_admin/rules", self.change_rules),
            ("POST", "/_admin/quota", self.change_quota),
            ("GET", "/_admin/clock", self.clock),
            ("POST", "/_admin/clock", self.change_clock),
            ("POST", "/_admin/ids", self.change_ids),
            ("POST", "/_admin/foreign", self.foreign),
            ("POST", "/_admin/reset", self.reset),
            *EnosAdmin(self._state).table(),
        )
        guarded = [web.route(method, path, self._guarded(handler)) for method, path, handler in table]
        return [*guarded, web.get("/healthz", self.health)]

    async def health(self, _: web.Request) -> web.Response:
        """The emulator answers."""
        return web.json_response({"status": "ok", "now_ms": self._state.clock.now_ms()})

    async def ledger(self, request: web.Request) -> web.Response:
        """The ledger's rows; `?action=` and `?after=SEQ` narrow them."""
        after = request.query.get("after", "0")
        if not after.isdecimal():
            raise Refused("after: a row number is expected")
        ledger = self._state.ledger
        rows = ledger.rows(action=request.query.get("action"), after=int(after))
        dropped = ledger.total - len(ledger)
        return _json({"total": ledger.total, "dropped": dropped, "rows": [asdict(row) for row in rows]})

    async def instances(self, _: web.Request) -> web.Response:
        """Every instance, hidden ones too, with what only the emulator knows."""
        self._catch_up()
        return _json({"instances": [_instance_row(one) for one in self._state.world.instances]})

    async def schedule(self, request: web.Request) -> web.Response:
        """Make instances as upstream's scheduler does."""
        orders = (await _body(request, TypeAdapter(ScheduleOrder))).scheduled
        now = self._catch_up()
        made = [self._state.world.schedule(order, now) for order in orders]
        return _json({"instances": [_instance_row(self._state.world.instance(one, now)) for one in made]})

    async def operations(self, _: web.Request) -> web.Response:
        """Every create operation and what became of it."""
        self._catch_up()
        found = self._state.world.creations
        return _json({"operations": [{"id": key, **asdict(value)} for key, value in found.items()]})

    async def faults(self, _: web.Request) -> web.Response:
        """What is switched on, and how often it may still strike."""
        return _json({"faults": [_fault_row(one.fault, one.left) for one in self._state.faults.rows()]})

    async def add_faults(self, request: web.Request) -> web.Response:
        """Switch faults on."""
        change = await _body(request, TypeAdapter(FaultChange))
        self._state.faults.add(change.faults)
        return await self.faults(request)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Switch every fault off."""
        self._state.faults.clear()
        return await self.faults(request)

    async def rules(self, _: web.Request) -> web.Response:
        """The rules in force."""
        return _json({"rules": asdict(self._state.world.rules)})

    async def change_rules(self, request: web.Request) -> web.Response:
        """Replace the rules that are named; the others stay."""
        named = await _body(request, TypeAdapter(dict[str, Any]))
        self._catch_up()
        self._state.world.rules = _RULES.validate_python({**asdict(self._state.world.rules), **named})
        return await self.rules(request)

    async def change_quota(self, request: web.Request) -> web.Response:
        """Replace the limits: `{"edition": ...}` or the limits themselves; `{}` lifts them all."""
        named = await _body(request, TypeAdapter(dict[str, Any]))
        preset = EDITIONS[_EDITION.validate_python(named.pop("edition", "unlimited"))]
        limits = _LIMITS.validate_python({**asdict(preset), **named})
        self._state.quota.limits = limits
        return _json({"quota": asdict(limits)})

    async def clock(self, _: web.Request) -> web.Response:
        """Virtual time and its pace."""
        clock = self._state.clock
        return _json({"now_ms": clock.now_ms(), "time_scale": clock.scale})

    async def change_clock(self, request: web.Request) -> web.Response:
        """Jump forward, or change the pace."""
        change = await _body(request, TypeAdapter(ClockChange))
        if change.time_scale is not None:
            self._state.clock.rescale(change.time_scale)
        self._state.advance(change.advance_seconds)
        return await self.clock(request)

    async def change_ids(self, request: web.Request) -> web.Response:
        """Decide which ids come next."""
        change = await _body(request, TypeAdapter(IdChange))
        if change.next_instance_id is not None:
            self._state.ids.restart(change.next_instance_id, change.stride)
        self._state.ids.preset(
            instance_ids=change.instance_ids,
            operation_ids=change.operation_ids,
            request_ids=change.request_ids,
        )
        return _json({})

    async def foreign(self, request: web.Request) -> web.Response:
        """Change instances behind the client's back; ModifyUser becomes the other user, unless it is not to."""
        change = await _body(request, TypeAdapter(ForeignChange))
        now = self._catch_up()
        for identity in change.ids:
            self._meddle(change.action, identity, now)
            if change.shows_user:
                self._state.world.touch(identity, change.user, now)
        return _json({"instances": [_instance_row(self._state.world.instance(one, now)) for one in change.ids]})

    async def reset(self, request: web.Request) -> web.Response:
        """Forget everything and begin again."""
        order = await _body(request, TypeAdapter(ResetOrder))
        chosen = None if order.name is None else await asyncio.to_thread(_load_shipped, order.name)
        self._state.reset(scenario_from(order.scenario) if order.scenario is not None else chosen)
        return _json({"title": self._state.scenario.title})

    def _meddle(self, action: str, identity: int, now: int) -> None:
        world = self._state.world
        match action:
            case "start":
                world.start([identity], now)
            case "stop":
                world.stop([identity], now)
            case "rerun":
                world.rerun_one(identity, now)
            case _:
                world.finish_one(identity, Status.SUCCESS if action == "succeed" else Status.FAILURE, now)

    def _catch_up(self) -> int:
        now = self._state.clock.now_ms()
        self._state.world.advance(now)
        return now

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not (self._state.settings.admin_remote or _is_local(request.remote)):
                return _json({"error": "admin calls are answered on this machine only"}, 403)
            try:
                return await handler(request)
            except ValidationError as error:
                return _json({"error": complaints(error)}, 400)
            except (Refused, BadScenario, TooManyFaults) as error:
                return _json({"error": str(error)}, 400)
            except (ApiError, IllegalMove) as error:
                return _json({"error": str(error)}, 409)

        return guarded


def _load_shipped(name: str) -> Scenario:
    if name not in shipped():
        raise Refused(f"name: one of {', '.join(shipped())} is expected")
    return load(name)


async def _body(request: web.Request, adapter: TypeAdapter[T]) -> T:
    return adapter.validate_json(await request.read() or b"{}")


def _is_local(address: str | None) -> bool:
    return address is not None and ip_address(address.partition("%")[0]).is_loopback


def _instance_row(one: Instance) -> dict[str, Any]:
    known = {"parents": list(one.parents), "named": one.named, "stop_asked": one.run.stop_asked}
    times = {"started_at_ms": one.run.started_at, "finished_at_ms": one.run.finished_at}
    return instance_json(one, modern=True) | {
        "run": one.run.number,
        "visible_at_ms": one.visible_at,
        **times,
        **known,
    }


def _fault_row(fault: RunFault | CallFault, left: int) -> dict[str, Any]:
    return {**asdict(fault), "left": left}


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(body, status=status, dumps=_dumps)


def _dumps(body: object) -> str:
    return json.dumps(body, ensure_ascii=False, default=str)
