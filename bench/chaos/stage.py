"""The stage: a real Redis, the emulator as the oracle, and real server and worker processes, all on loopback."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from bench.chaos.process import Process, ProcessLaunch
from bench.chaos.proxy import Proxy
from bench.chaos.results import Check, none
from bench.chaos.truth import Truth

from headgate_cli.dev.redis_server import RedisServer
from headgate_client import Client, ClientOptions
from headgate_client.rpc.backoff import RetryPolicy
from headgate_emulator.app import RunningEmulator, serve
from headgate_emulator.settings import Settings as EmulatorSettings

_ADDRESS = r"[^\s:]+:\d+"
_SERVER_READY = re.compile(rf"headgate server ready grpc=(?P<grpc>{_ADDRESS}) ops=(?P<ops>{_ADDRESS})")
_WORKER_READY = re.compile(rf"headgate worker ready ops=(?P<ops>{_ADDRESS})")
_EMULATOR_READY = re.compile(rf"(?P<http>http://{_ADDRESS})")
_CROWD_READY = re.compile(r"crowd ready streams=(?P<streams>\d+)")

IMPATIENT = ClientOptions(retry=RetryPolicy(max_attempts=1))
"""A client that shows every single answer."""

PATIENT = ClientOptions(retry=RetryPolicy(max_attempts=30, budget=60.0))
"""A client that outlives the restart of the only server there is."""

SHORT = {
    "HEADGATE_POLL_MIN_SECONDS": "0.5",
    "HEADGATE_POLL_MAX_SECONDS": "1.0",
    "HEADGATE_ADOPT_GRACE_SECONDS": "2",
    "HEADGATE_SETTLE_SECONDS": "3",
}
"""Waits that are long in production, short enough that a job ends within seconds. Leases keep their defaults."""

MANY_CALLS = {"HEADGATE_MAX_CONNECTION_CALLS": "10000"}
"""Experiments put all of their streams on few connections."""

CREATE_SECONDS = 0.2
"""How long a create takes upstream."""

LEDGER_ROWS = 1_000_000
"""How many calls the emulator remembers."""

FEW_SLOTS = {"HEADGATE_TICK_SLOTS": "16"}
"""As many ticks side by side as a part of a core can carry: more would only wait longer, and die with their worker."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What stands on the stage at first.

    Args:
        workers: worker processes.
        servers: server processes.
        fsync: how Redis writes its append-only file.
        proxied: whether our processes reach Redis through a proxy.
        run_seconds: how long a run takes upstream.
        environment: more variables for servers and workers.
        redis: the program of Redis; None for the one that is found.
        emulator_apart: whether the emulator is a process of its own, so that what it does is not measured where an
            experiment measures how long calls take. Then there is no `Stage.emulator`.
    """

    workers: int = 3
    servers: int = 1
    fsync: str = "everysec"
    proxied: bool = False
    run_seconds: float = 0.5
    environment: Mapping[str, str] = field(default_factory=dict)
    redis: Path | None = None
    emulator_apart: bool = False


@dataclass(slots=True)
class Trial:
    """One run of an experiment: its seed, its randomness, and where its progress goes."""

    name: str
    seed: int
    rng: random.Random = field(init=False)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def say(self, what: str) -> None:
        """Show progress at a terminal."""
        if sys.stderr.isatty():
            print(f"[{self.name} {time.monotonic() - self.began:5.1f} s] {what}", file=sys.stderr)


class Stage:
    """Everything an experiment plays on, as an async context manager; nothing of it is left afterwards."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.servers: list[Process] = []
        self.workers: list[Process] = []
        self.redis = RedisServer(appendonly=True, appendfsync=plan.fsync, binary=plan.redis)
        self.emulator: RunningEmulator
        self.upstream_url = ""
        self.truth: Truth
        self.proxy: Proxy
        self._emulator_process: Process | None = None
        self._open = AsyncExitStack()
        self._started: list[Process] = []
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        try:
            await self._set_up()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def _set_up(self) -> None:
        await self._open.enter_async_context(self.redis)
        self.upstream_url = await (self._emulate_apart() if self.plan.emulator_apart else self._emulate())
        self.proxy = await self._open.enter_async_context(Proxy(self.redis.port))
        self.truth = await self._open.enter_async_context(Truth(self.redis.url))
        self._open.push_async_callback(self._clear)
        servers = [self.add_server() for _ in range(self.plan.servers)]
        workers = [self.add_worker() for _ in range(self.plan.workers)]
        await asyncio.gather(*servers, *workers)

    async def _emulate(self) -> str:
        settings = EmulatorSettings(
            listen="127.0.0.1:0",
            run_seconds=self.plan.run_seconds,
            create_seconds=CREATE_SECONDS,
            ledger_rows=LEDGER_ROWS,
        )
        self.emulator = await self._open.enter_async_context(serve(settings))
        return self.emulator.url

    async def _emulate_apart(self) -> str:
        own = {
            "HEADGATE_EMULATOR_LISTEN": "127.0.0.1:0",
            "HEADGATE_EMULATOR_RUN_SECONDS": str(self.plan.run_seconds),
            "HEADGATE_EMULATOR_CREATE_SECONDS": str(CREATE_SECONDS),
            "HEADGATE_EMULATOR_LEDGER_ROWS": str(LEDGER_ROWS),
        }
        self._open.push_async_callback(self._stop_emulator)
        launch = ProcessLaunch("emulator", "headgate_emulator", _EMULATOR_READY, self.environment(**own))
        self._emulator_process = await Process.start(launch)
        return self._emulator_process.addresses["http"]

    async def _stop_emulator(self) -> None:
        if self._emulator_process is not None:
            await self._emulator_process.stop(grace=10.0)

    async def _clear(self) -> None:
        running = [process for process in self._started if process.returncode is None]
        for process in running:
            process.go_on()
        await asyncio.gather(*(process.stop(grace=10.0) for process in running))

    @property
    def target(self) -> str:
        """Every server, as a target of gRPC: the first that answers is taken."""
        return "ipv4:" + ",".join(server.addresses["grpc"] for server in self.servers)

    async def client(self, options: ClientOptions | None = None, *, turn: int = 0) -> Client:
        """A client that is closed with the stage. `turn` says which server it tries first."""
        addresses = [server.addresses["grpc"] for server in self.servers]
        turned = addresses[turn % len(addresses) :] + addresses[: turn % len(addresses)]
        client = Client("ipv4:" + ",".join(turned), options=options or ClientOptions())
        return await self._open.enter_async_context(client)

    async def add_server(self, *, listen: str = "127.0.0.1:0", **environment: str) -> Process:
        """Start one more server."""
        own = {"HEADGATE_LISTEN": listen, "HEADGATE_DRAIN_SECONDS": "5", **environment}
        name = f"server-{next(self._numbers)}"
        server = await self._run(ProcessLaunch(name, "headgate_server", _SERVER_READY, self.environment(**own)))
        self.servers.append(server)
        return server

    async def restart_server(self, dead: Process, **environment: str) -> Process:
        """Start a server where one has ended."""
        self.servers.remove(dead)
        return await self.add_server(listen=dead.addresses["grpc"], **environment)

    async def add_worker(self, launcher: str = "headgate_worker", *arguments: str, **environment: str) -> Process:
        """Start one more worker; by a module of ours that becomes one, where a launcher is named."""
        name = f"worker-{next(self._numbers)}"
        worker = await self._run(
            ProcessLaunch(name, launcher, _WORKER_READY, self.environment(**environment), arguments)
        )
        self.workers.append(worker)
        return worker

    async def kill_worker(self, worker: Process) -> None:
        """SIGKILL a worker."""
        self.workers.remove(worker)
        await worker.kill()

    async def crowd(self, *arguments: str) -> Process:
        """Start a process full of watchers."""
        return await self.beside("crowd", _CROWD_READY, *arguments)

    async def beside(self, module: str, ready: re.Pattern[str], *arguments: str) -> Process:
        """Start a module of this package as a process that plays along."""
        return await self._run(ProcessLaunch(module, f"bench.chaos.{module}", ready, self.environment(), arguments))

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process of ours."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HEADGATE_", "ALIBABA_"))}
        return {
            **inherited,
            **SHORT,
            **MANY_CALLS,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "testid",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "testsecret",
            "HEADGATE_REDIS_URL": self.proxy.url if self.plan.proxied else self.redis.url,
            "HEADGATE_OPS_LISTEN": "127.0.0.1:0",
            "HEADGATE_DATAWORKS_ENDPOINT": self.upstream_url,
            **self.plan.environment,
            **more,
        }

    async def _run(self, launch: ProcessLaunch) -> Process:
        process = await Process.start(launch)
        self._started.append(process)
        return process

    def exits(self) -> Check:
        """No process of ours may have ended by itself."""
        return none("processes that ended by themselves", len(self._gone()))

    def last_words(self) -> str:
        """The last lines of those processes; empty when there are none."""
        return " / ".join(f"{one.name}: {' | '.join(list(one.lines)[-3:])}" for one in self._gone())

    def _gone(self) -> list[Process]:
        return [one for one in self._started if one.returncode is not None and not one.expected_to_end]

    async def open_watches(self, server: Process) -> int:
        """How many streams a server has open, by its metrics; -1 when it does not answer."""
        url = f"http://{server.addresses['ops']}/metrics"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=8)) as session,
                session.get(url) as page,
            ):
                lines = (await page.text()).splitlines()
        except (aiohttp.ClientError, TimeoutError):
            return -1
        return int(float(next(line.split()[1] for line in lines if line.startswith("headgate_open_watches "))))

    async def readiness(self, process: Process) -> int:
        """HTTP status of a process's /readyz; 0 when it does not answer."""
        return await self.probe(process, "readyz", seconds=8.0)

    async def probe(self, process: Process, path: str, *, seconds: float) -> int:
        """HTTP status of a path of a process's ops port; 0 when it does not answer in so many seconds."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as session,
                session.get(f"http://{process.addresses['ops']}/{path}") as answer,
            ):
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0
