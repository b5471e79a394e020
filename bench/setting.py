"""Where a row is measured: a real Redis, real processes on cores of their own, all on loopback, and nothing left over.

What is measured runs on the first core; Redis, load generators and everything else on the second.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.chaos.process import Process, ProcessLaunch
from bench.costs import cpu_seconds
from bench.figures import CannotMeasure
from bench.load.streams import Streams
from bench.load.unary import Loop, LoopResult
from redis.asyncio import Redis

from headgate_cli.dev.redis_server import RedisServer

MEASURED, OTHER = 0, 1
"""Cores: of what is measured, and of all else."""

ANY = -1
"""No core of its own."""

MANY_CALLS = {"HEADGATE_MAX_CONNECTION_CALLS": "10000"}
"""Rows put all of their streams on few connections."""

_SERVER = re.compile(r"headgate server ready grpc=[^\s:]+:(?P<port>\d+) ops=(?P<ops>[^\s]+)")
_WORKER = re.compile(r"headgate worker ready ops=(?P<ops>[^\s]+)")
_EMULATOR = re.compile(r"(?P<url>http://127\.0\.0\.1:\d+)")
_STREAMS = re.compile(r"streams ready")
_PORT = re.compile(r"ready port=(?P<port>\d+)")

CREATE = "/headgate.v1.BackfillService/CreateBackfill"
GET_JOB = "/headgate.v1.JobService/GetJob"
LIST_JOBS = "/headgate.v1.JobService/ListJobs"
WATCH_JOB = "/headgate.v1.JobService/WatchJob"
GET_INSTANCE = "/headgate.v1.WorkflowInstanceService/GetWorkflowInstance"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done.

    Args:
        runs: interleaved repetitions of each side.
        seconds: length of each.
        quick: whether rows take their smaller form.
    """

    runs: int
    seconds: float
    quick: bool


FULL = Size(runs=5, seconds=2.0, quick=False)
QUICK = Size(runs=2, seconds=0.6, quick=True)
TINY = Size(runs=1, seconds=0.2, quick=True)


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came of one load.

    Args:
        rate: calls ended well per second.
        p50_ms: median of their times.
        own_cpu: share of a core that the generator took.
        cpu_us: CPU of the server per call, in microseconds.
    """

    rate: float
    p50_ms: float
    own_cpu: float
    cpu_us: float


class Setting:
    """Processes of one row, as an async context manager; `binary` is a Redis server of another kind."""

    def __init__(self, *, redis: bool = True, binary: Path | None = None) -> None:
        self._with_redis = redis
        self.redis = RedisServer(appendonly=True, binary=binary)
        self._open = AsyncExitStack()
        self._processes: list[Process] = []

    async def __aenter__(self) -> Self:
        if self._with_redis:
            await self._open.enter_async_context(self.redis)
            pin(self.redis.pid, OTHER)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running = [process for process in self._processes if process.returncode is None]
        await asyncio.gather(*(process.stop(grace=10.0) for process in running))
        await self._open.aclose()

    async def client(self) -> Redis:
        """A client of Redis that is closed with the setting."""
        client: Redis = Redis.from_url(self.redis.url)
        self._open.push_async_callback(client.aclose)
        return client

    def closes(self, close: Callable[[], Awaitable[Any]]) -> None:
        """Have something closed with the setting."""
        self._open.push_async_callback(close)

    async def server(self, *, core: int = MEASURED, **environment: str) -> Process:
        """A server process; `addresses` has its port."""
        own = {"HEADGATE_LISTEN": "127.0.0.1:0", "HEADGATE_DRAIN_SECONDS": "0", **MANY_CALLS, **environment}
        return await self.start("headgate_server", _SERVER, core=core, **own)

    async def worker(self, emulator: str, *, core: int = MEASURED, **environment: str) -> Process:
        """A worker process that calls the emulator at a URL."""
        own = {"HEADGATE_DATAWORKS_ENDPOINT": emulator, **environment}
        return await self.start("headgate_worker", _WORKER, core=core, **own)

    async def emulator(self, *, core: int = OTHER, **environment: str) -> str:
        """The URL of an emulator of DataWorks in a process of its own."""
        own = {"HEADGATE_EMULATOR_LISTEN": "127.0.0.1:0", **environment}
        process = await self.start("headgate_emulator", _EMULATOR, core=core, **own)
        return process.addresses["url"]

    async def floor(self, module: str, *arguments: str, core: int = MEASURED) -> Process:
        """A comparator that says `ready port=N`."""
        return await self.start(module, _PORT, *arguments, core=core)

    async def naive(self, endpoint: str) -> Process:
        """The version of one day: a worker that calls the cloud at "host:port", and its server."""
        port = str(self.redis.port)
        await self.start("bench.naive.worker", _PORT, port, endpoint, core=OTHER)
        return await self.start("bench.naive.server", _PORT, port, core=MEASURED)

    async def start(
        self, module: str, ready: re.Pattern[str], *arguments: str, core: int, program: str = "-", **environment: str
    ) -> Process:
        """Any process that says when it is ready; `program` is an interpreter other than ours."""
        command = (str(core if has_cores() else ANY), program, module, *arguments)
        launch = ProcessLaunch(module, "bench.pinned", ready, self.environment(**environment), command)
        process = await Process.start(launch)
        self._processes.append(process)
        return process

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process here: nothing of ours or of the cloud's is inherited."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HEADGATE_", "ALIBABA_"))}
        keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "testid", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "testsecret"}
        redis = {"HEADGATE_REDIS_URL": self.redis.url} if self._with_redis else {}
        return {**inherited, **keys, **redis, "HEADGATE_OPS_LISTEN": "127.0.0.1:0", **more}

    async def load(self, server: Process, path: str, kind: str, **more: Any) -> LoadResult:
        """What a closed loop of unary calls sees, from a process of its own, and what the server needed for it."""
        loop = Loop(int(server.addresses["port"]), path, kind, run=secrets.token_hex(4), **more)
        before = cpu_seconds(server.pid)
        seen = LoopResult(**await self.answer("bench.load.unary", json.dumps(asdict(loop))))
        return LoadResult(seen.rate, seen.p50_ms, seen.own_cpu, (cpu_seconds(server.pid) - before) / seen.calls * 1e6)

    async def streams(
        self, server: Process, path: str, count: int, *, jobs: Sequence[str] = (), **more: Any
    ) -> Process:
        """A process with open streams that says in its lines when messages come; see `bench.load.streams`."""
        wanted = Streams(int(server.addresses["port"]), path, count, tuple(jobs), **more)
        return await self.start("bench.load.streams", _STREAMS, json.dumps(asdict(wanted)), core=OTHER)

    async def peer(self, program: Path, module: str, *arguments: str, **environment: str) -> Process:
        """The worker of a peer."""
        return await self.start(module, _PORT, *arguments, core=MEASURED, program=str(program), **environment)

    async def answer(
        self, module: str, *arguments: str, core: int = OTHER, program: str = "-", **environment: str
    ) -> dict[str, Any]:
        """The line of JSON that a process ends with.

        Raises:
            CannotMeasure: it ended otherwise.
        """
        found = re.compile(r"^(?P<line>\{.*\})$")
        process = await self.start(module, found, *arguments, core=core, program=program, **environment)
        await process.wait()
        answer: dict[str, Any] = json.loads(process.addresses["line"])
        return answer


def has_cores() -> bool:
    """Whether processes can be kept apart."""
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) >= 2


def pin(pid: int, core: int) -> None:
    """Keep a process on a core, where that can be done."""
    if core != ANY and has_cores():
        os.sched_setaffinity(pid, {core})


def need_cores(count: int, why: str) -> None:
    """Refuse a row that needs more cores than there are.

    Raises:
        CannotMeasure: there are fewer.
    """
    cores = os.cpu_count() or 1
    if cores < count:
        raise CannotMeasure(f"{why}: needs {count} cores, this machine has {cores}")
