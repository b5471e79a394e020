"""An HTTP man in the middle: passes calls on to the emulator, and changes as many answers as it is asked to."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from aiohttp import web
from bench.chaos.waiting import until_true

MEGABYTE: Final = 1 << 20

Body = dict[str, Any]
Lie = Callable[[web.Request, Body], Awaitable[web.StreamResponse]]
"""Answers a call whose true answer is known."""


Guard = Callable[[web.Request], web.Response | None]
"""Answers a call itself, or lets it pass with None."""


@dataclass(slots=True)
class PendingLie:
    """A lie that waits for its calls: which action it strikes and how often yet."""

    lie: Lie
    action: str
    left: int


class Middleman:
    """Listens on a free loopback port, as an async context manager. A guard may answer in upstream's place.

    Attributes:
        told: how many wrong answers each action had.
        longest: seconds that the longest call was open, by who was lied to.
    """

    def __init__(self, target: str, guard: Guard | None = None) -> None:
        self._target = target
        self._guard = guard or (lambda _: None)
        self._waiting: list[PendingLie] = []
        self._runner: web.AppRunner
        self._session: aiohttp.ClientSession
        self.told: Counter[str] = Counter()
        self.longest = 0.0

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    def lie(self, lie: Lie, action: str, times: int = 1) -> None:
        """Answer the next calls of an action with a lie."""
        self._waiting.append(PendingLie(lie, action, times))

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if (refusal := self._guard(request)) is not None:
            return refusal
        url = f"{self._target}{request.path_qs}"
        async with self._session.request(request.method, url, headers=request.headers, data=raw) as answer:
            status, body = answer.status, await answer.read()
        action = request.headers.get("x-acs-action", "")
        lie = self._lie_for(action) if status == 200 else None
        if lie is None:
            return web.Response(status=status, body=body, content_type="application/json")
        self.told[action] += 1
        began = time.monotonic()
        try:
            return await lie(request, json.loads(body))
        except ConnectionError:  # the caller has hung up
            return web.Response()
        finally:
            self.longest = max(self.longest, time.monotonic() - began)

    def _lie_for(self, action: str) -> Lie | None:
        for told in self._waiting:
            if told.action == action and told.left:
                told.left -= 1
                return told.lie
        return None


def _json(body: object) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), content_type="application/json")


def _changed(body: Body, change: Callable[[Body], None]) -> web.Response:
    """The true answer with every instance in it changed."""
    paging = body.get("PagingInfo", {})
    for row in [body["WorkflowInstance"]] if "WorkflowInstance" in body else paging.get("WorkflowInstances", []):
        change(row)
    return _json(body)


async def unknown_status(_: web.Request, body: Body) -> web.StreamResponse:
    """A status that does not exist."""
    return _changed(body, lambda row: row.update(Status="Levitating"))


async def status_goes_back(_: web.Request, body: Body) -> web.StreamResponse:
    """An instance that has begun is shown as NotRun."""
    return _changed(body, lambda row: row.update(Status="NotRun", StartedTime=0, FinishedTime=0))


async def other_id(_: web.Request, body: Body) -> web.StreamResponse:
    """The answer is about another instance."""
    return _changed(body, lambda row: row.update(Id=row["Id"] + 1))


async def doubled_ids(_: web.Request, body: Body) -> web.StreamResponse:
    """Each row of a list twice, the second time with another status."""
    rows = body.get("PagingInfo", {}).get("WorkflowInstances", [])
    rows += [{**row, "Status": "Failure"} for row in rows]
    return _json(body)


async def deep(_: web.Request, body: Body) -> web.StreamResponse:
    """Brackets within brackets, far deeper than any parser likes."""
    return web.Response(body=b'{"RequestId":"x","WorkflowInstance":' + b"[" * 200_000, content_type="application/json")


async def endless_lists(_: web.Request, body: Body) -> web.StreamResponse:
    """Lists of a million items where anything else belongs."""
    return _json({name: [0] * 1_000_000 for name in body})


async def huge(request: web.Request, body: Body) -> web.StreamResponse:
    """100 MB."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    await answer.write(json.dumps(body).encode()[:-1] + b',"Padding":"')
    for _ in range(100):
        if _gone(request):
            break
        await answer.write(b"x" * MEGABYTE)
    return answer


async def bomb(_: web.Request, body: Body) -> web.StreamResponse:
    """100 MB that are 100 kB while they are on their way."""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(body=_bomb(), headers=headers)


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b'{"RequestId":"' + b" " * (100 * MEGABYTE) + b'"}', 1)


async def slow_loris(request: web.Request, body: Body) -> web.StreamResponse:
    """The true answer, a byte a second."""
    raw = json.dumps(body).encode()
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    answer.content_length = len(raw)
    await answer.prepare(request)
    for at in range(len(raw)):
        if _gone(request):
            break
        await answer.write(raw[at : at + 1])
        await asyncio.sleep(1.0)
    return answer


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def silence(request: web.Request, body: Body) -> web.StreamResponse:
    """No answer at all, for a minute or until the caller hangs up."""
    await until_true(lambda: _gone(request), 60.0)
    return _json(body)


async def carousel(request: web.Request, body: Body) -> web.StreamResponse:
    """A redirect to itself."""
    return web.Response(status=307, headers={"Location": str(request.rel_url)})


async def page(request: web.Request, body: Body) -> web.StreamResponse:
    """A page of a proxy, with status 200."""
    return web.Response(text="<html><body><h1>Please sign in</h1></body></html>", content_type="text/html")


async def half(request: web.Request, body: Body) -> web.StreamResponse:
    """Half of the JSON."""
    raw = json.dumps(body).encode()
    return web.Response(body=raw[: len(raw) // 2], content_type="application/json")


async def bare(request: web.Request, body: Body) -> web.StreamResponse:
    """RequestId alone."""
    return _json({"RequestId": body.get("RequestId", "")})


async def swapped(request: web.Request, body: Body) -> web.StreamResponse:
    """Numbers where words belong, words where lists belong."""
    return _json({name: 4711 if isinstance(value, str) else "many" for name, value in body.items()})


REPLY_LIES: Final[Mapping[str, Lie]] = {
    "half of the JSON": half,
    "a page with status 200": page,
    "wrong types": swapped,
    "missing members": bare,
    "deep nesting": deep,
    "lists of a million items": endless_lists,
    "100 MB": huge,
    "a bomb": bomb,
    "a byte a second": slow_loris,
    "silence": silence,
    "endless redirects": carousel,
}
"""Lies that any answer may be, by what they are."""

ROW_LIES: Final[tuple[tuple[str, Lie, str], ...]] = (
    ("an unknown status", unknown_status, "GetWorkflowInstance"),
    ("an unknown status", unknown_status, "ListWorkflowInstances"),
    ("a status that goes back", status_goes_back, "GetWorkflowInstance"),
    ("a status that goes back", status_goes_back, "ListWorkflowInstances"),
    ("another instance", other_id, "GetWorkflowInstance"),
    ("ids twice", doubled_ids, "ListWorkflowInstances"),
)
"""Lies about instances, with the action that shows those."""
