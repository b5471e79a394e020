"""Several server processes on one gRPC port, for machines with several cores.

The parent serves nothing. It keeps the port, starts the processes, says when all of them serve, passes signals on, and
ends all of them when one of them ends; a restart is left to the service manager.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from headgate_server.errors.exceptions import ServerError
from headgate_server.ports.address import parse_address
from headgate_server.process.settings import PREFIX, Settings

_log = logging.getLogger(__name__)

READY: Final = re.compile(r"headgate server ready grpc=\S+:(\d+) ops=\S+:(\d+)\s*")
"""The line of a process that serves."""

START_SECONDS: Final = 60.0
"""How long the processes may take until they serve."""

CHILD: Final = "HEADGATE_PROCESS_OF"
"""Variable that marks a process as one of several that share a port."""


class ProcessEnded(ServerError):
    """One of the server processes has ended by itself."""


def is_one_of_several() -> bool:
    """Whether this process was started by a parent that shares a port among several."""
    return CHILD in os.environ


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run the processes until `stop` is set.

    Raises:
        ProcessEnded: one of them has ended.
        OSError: the port is taken.
    """
    host, port = parse_address(settings.listen)
    with _kept(host, port) as shared:
        address = f"{host}:{shared.getsockname()[1]}"
        async with _children(settings, address) as children:
            ports = await asyncio.wait_for(_all_ready(children), START_SECONDS)
            print(f"headgate server ready grpc=127.0.0.1:{ports[0]} ops=127.0.0.1:{ports[1]}", flush=True)  # noqa: T201
            await _first(stop, children)


def _kept(host: str, port: int) -> socket.socket:
    kept = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((host, port))
    except OSError:
        kept.close()
        raise
    return kept


@asynccontextmanager
async def _children(settings: Settings, address: str) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    children: list[asyncio.subprocess.Process] = []
    try:
        for index in range(settings.processes):
            children.append(await _spawn(settings, address, index))  # noqa: PERF401 - each must be ended if a later one fails
        yield children
    finally:
        for child in children:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
        await asyncio.gather(*(_end(child, settings) for child in children))


async def _spawn(settings: Settings, address: str, index: int) -> asyncio.subprocess.Process:
    host, port = parse_address(settings.ops_listen)
    ops = f"{host}:{port + index if port else 0}"
    own = {f"{PREFIX}LISTEN": address, f"{PREFIX}OPS_LISTEN": ops, CHILD: str(os.getpid())}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate_server"),
        stdin=asyncio.subprocess.PIPE,  # its end shows the child that the parent has ended, even after kill -9
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **own},
        start_new_session=True,  # Ctrl-C reaches only the parent, which then stops its children in order
    )


async def _all_ready(children: list[asyncio.subprocess.Process]) -> tuple[str, str]:
    ports = await asyncio.gather(*(_ready(child) for child in children))
    return ports[0]


async def _ready(child: asyncio.subprocess.Process) -> tuple[str, str]:
    line = await child.stdout.readline() if child.stdout else b""
    match = READY.fullmatch(line.decode())
    if match is None:
        raise ProcessEnded("a server process did not start")
    return match[1], match[2]


async def _first(stop: asyncio.Event, children: list[asyncio.subprocess.Process]) -> None:
    stopped = asyncio.ensure_future(stop.wait())
    ends = [asyncio.ensure_future(child.wait()) for child in children]
    try:
        await asyncio.wait((stopped, *ends), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (stopped, *ends):
            task.cancel()
    if not stop.is_set():
        raise ProcessEnded("a server process has ended; ending the others")


async def _end(child: asyncio.subprocess.Process, settings: Settings) -> None:
    patience = settings.drain_delay + settings.drain_seconds + 5
    try:
        async with asyncio.timeout(patience):
            await child.wait()
    except TimeoutError:
        _log.warning("a server process did not end in time")
        child.kill()
        await child.wait()
