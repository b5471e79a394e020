"""Admin endpoints of the EnOS side: its rules, its instances, and an end to every token."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter

from headgate_emulator.enos.instances import instance_json
from headgate_emulator.enos.rules import FlowRules
from headgate_emulator.state import EmulatorState

_RULES = TypeAdapter(FlowRules)
_MEMBERS: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class EnosAdmin:
    """The handlers; access is checked where the routes are added."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    def table(self) -> tuple[tuple[str, str, Handler], ...]:
        """Every route: method, path, handler."""
        return (
            ("GET", "/_admin/enos/instances", self.instances),
            ("GET", "/_admin/enos/rules", self.rules),
            ("POST", "/_admin/enos/rules", self.change_rules),
            ("POST", "/_admin/enos/tokens/expire", self.expire_tokens),
        )

    async def instances(self, _: web.Request) -> web.Response:
        """Every flow instance."""
        world = self._state.flows
        world.advance(self._state.clock.now_ms())
        return web.json_response({"instances": [instance_json(one, world.rules) for one in world.instances]})

    async def rules(self, _: web.Request) -> web.Response:
        """The rules in force."""
        return web.json_response({"rules": asdict(self._state.flows.rules)})

    async def change_rules(self, request: web.Request) -> web.Response:
        """Replace the rules that are named; the others stay."""
        named = _MEMBERS.validate_json(await request.read() or b"{}")
        world = self._state.flows
        world.advance(self._state.clock.now_ms())
        world.rules = _RULES.validate_python({**asdict(world.rules), **named})
        return await self.rules(request)

    async def expire_tokens(self, _: web.Request) -> web.Response:
        """End every token now."""
        self._state.tokens.expire()
        return web.json_response({})
