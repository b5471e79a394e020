"""A scripted HTTP server on loopback: it answers with whatever bytes a test wants, or with none."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

REQUEST_ID = "0B9EB7F6-F1EE-5B52-AC16-11C025F718E7"
INSTANCE = {"Id": 5, "Status": "Running", "Type": "SupplementData", "BizDate": 1738684800000}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived; `connection` counts from 1."""

    connection: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: str

    @property
    def action(self) -> str:
        """The operation that was asked for."""
        return self.headers["x-acs-action"]

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the target."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The parameters of the body."""
        return dict(parse_qsl(self.body, keep_blank_values=True))


Behave = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


def http(
    body: bytes | str | Mapping[str, Any],
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    media: str = "application/json",
) -> bytes:
    """A whole HTTP response."""
    data = json.dumps(body) if isinstance(body, Mapping) else body
    payload = data.encode() if isinstance(data, str) else data
    fields = {"Content-Type": media, "Content-Length": str(len(payload)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + payload


def answer(**members: Any) -> bytes:
    """A successful reply with a RequestId."""
    return http({"RequestId": REQUEST_ID, **members})


def refusal(code: str, status: int, message: str = "No.", **headers: str) -> bytes:
    """An error reply."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return http({"Code": code, "Message": message, "RequestId": REQUEST_ID}, status, headers=named)


def always(response: bytes) -> Behave:
    """Give the same response each time."""

    async def behave(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(response)
        await writer.drain()

    return behave


PROPER: Mapping[str, Mapping[str, Any]] = {
    "CreateWorkflowInstances": {"OperationId": "op"},
    "RerunWorkflowInstances": {"OperationId": "op"},
    "ExecuteAdhocWorkflowInstance": {"WorkflowInstanceId": 5},
    "StartWorkflowInstances": {"SuccessInfo": {"5": {"Success": True}}},
    "StopWorkflowInstances": {"SuccessInfo": {"5": {"Success": True}}},
    "GetWorkflowInstance": {"WorkflowInstance": INSTANCE},
}


async def properly(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Answer as upstream does."""
    await always(answer(**PROPER[seen.action]))(seen, writer)


@dataclass(slots=True)
class Server:
    """What the server has seen, and what it does with the next request."""

    behave: Behave = properly
    scheme: str = "http"
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    open: set[asyncio.Task[Any]] = field(default_factory=set)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once any request has arrived."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever the last open connection has ended."""

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side closes it."""
        self.connections += 1
        number = self.connections
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        self.gone.clear()
        try:
            while not writer.is_closing() and (seen := await _request(reader, number)) is not None:
                self.seen.append(seen)
                self.arrived.set()
                await self.behave(seen, writer)
        except ConnectionError:
            return  # the client gave up, as some tests have it
        finally:
            writer.close()
            self.open.discard(task)
            if not self.open:
                self.gone.set()


async def _request(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, target, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(connection, method, target, headers, body.decode())


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on a free port of 127.0.0.1."""
    server = Server(scheme="https" if tls else "http")
    listener = await asyncio.start_server(server.converse, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(server.open):
            task.cancel()
        if server.open:
            await asyncio.wait(server.open, timeout=5)
        await listener.wait_closed()
