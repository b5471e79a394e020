"""All of headgate on one machine: Redis, emulator, workers and server, wired to each other on loopback."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from headgate_cli.dev.inheritance import NOTHING, Inheritance
from headgate_cli.dev.redis_server import RedisServer
from headgate_cli.dev.services import NamedLineSink, Service, ServiceFailedError, ServiceLaunch

_ADDRESS = r"[^\s:]+:\d+"
_SERVER_READY = re.compile(rf"headgate server ready grpc=(?P<grpc>{_ADDRESS}) ops=(?P<ops>{_ADDRESS})")
_WORKER_READY = re.compile(rf"headgate worker ready ops=(?P<ops>{_ADDRESS})")
_EMULATOR_READY = re.compile(rf"emulator listening on http://(?P<http>{_ADDRESS})")

_STOP_GRACE = 8.0
_EMULATOR_KEYS = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "testid", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "testsecret"}


@dataclass(frozen=True, slots=True)
class DeploymentOptions:
    """What to start. Port 0 means a free one.

    Args:
        listen: gRPC address of the server.
        ops_listen: HTTP address of the server's health and metrics; workers take a free port.
        emulator_listen: address of the emulator.
        redis_port: port of the embedded Redis.
        redis_url: a Redis to use instead of an embedded one; empty means embedded.
        appendonly: whether the embedded Redis writes to disk, until it is stopped.
        workers: how many workers, from 1.
        region: DataWorks region that the worker speaks to.
        environment: more variables for all processes.
        inherited: variables of the shell by the processes that they belong to; what is set here wins.
    """

    listen: str = "127.0.0.1:0"
    ops_listen: str = "127.0.0.1:0"
    emulator_listen: str = "127.0.0.1:0"
    redis_port: int = 0
    redis_url: str = ""
    appendonly: bool = False
    workers: int = 1
    region: str = "cn-hangzhou"
    environment: Mapping[str, str] = field(default_factory=dict)
    inherited: Inheritance = NOTHING


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where everything listens.

    Args:
        target: gRPC address, for HEADGATE_TARGET.
        ops: HTTP address of the server's health and metrics.
        emulator: HTTP address of the emulator.
        redis: address of Redis.
    """

    target: str
    ops: str
    emulator: str
    redis: str


class Deployment:
    """A whole deployment, as an async context manager; nothing of it is left after the `async with`.

    Entering it raises RedisServerMissingError, RedisServerError or ServiceFailedError.
    """

    def __init__(self, options: DeploymentOptions, on_line: NamedLineSink) -> None:
        self._options = options
        self._on_line = on_line
        self._open = AsyncExitStack()
        self.services: list[Service] = []
        self.redis: RedisServer | None = None
        self.endpoints = Endpoints("", "", "", "")

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def failed(self) -> str:
        """Wait until any process ends by itself; return what to say about it."""
        waits = [asyncio.ensure_future(service.ended()) for service in self.services]
        if self.redis is not None:
            waits.append(asyncio.ensure_future(_redis_ended(self.redis)))
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            for wait in waits:
                wait.cancel()

    async def _start(self) -> None:
        redis_url = await self._start_redis()
        self._open.push_async_callback(self._stop)
        emulator = await self._launch(self._emulator(self._environment(redis_url, self._options.inherited.emulator)))
        shared = self._environment(redis_url, self._options.inherited.processes)
        http = emulator.addresses["http"]
        server, *_ = await self._launch_all([self._server(shared), *self._workers(shared, http)])
        at = server.addresses
        self.endpoints = Endpoints(at["grpc"], at["ops"], f"http://{http}", redis_url)

    async def _launch_all(self, launches: Sequence[ServiceLaunch]) -> list[Service]:
        try:
            async with asyncio.TaskGroup() as starting:
                tasks = [starting.create_task(self._launch(launch)) for launch in launches]
        except* ServiceFailedError as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _stop(self) -> None:
        # Those that use the emulator and Redis first, side by side.
        await asyncio.gather(*(user.stop(grace=_STOP_GRACE) for user in self.services[1:]))
        for emulator in self.services[:1]:
            await emulator.stop(grace=_STOP_GRACE)

    async def _start_redis(self) -> str:
        if self._options.redis_url:
            return self._options.redis_url
        server = RedisServer(port=self._options.redis_port, appendonly=self._options.appendonly)
        self.redis = await self._open.enter_async_context(server)
        return server.url

    async def _launch(self, launch: ServiceLaunch) -> Service:
        service = await Service.start(launch, self._on_line)
        self.services.append(service)
        return service

    def _environment(self, redis_url: str, inherited: Mapping[str, str]) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_")}
        return {
            **others,
            "HEADGATE_DRAIN_SECONDS": "1",
            **inherited,
            **self._options.environment,
            "PYTHONUNBUFFERED": "1",
            "HEADGATE_REDIS_URL": redis_url,
        }

    def _emulator(self, shared: Mapping[str, str]) -> ServiceLaunch:
        listen = {"HEADGATE_EMULATOR_LISTEN": self._options.emulator_listen}
        return ServiceLaunch("emulator", _command("emulator"), {**shared, **listen}, _EMULATOR_READY)

    def _server(self, shared: Mapping[str, str]) -> ServiceLaunch:
        listen = {"HEADGATE_LISTEN": self._options.listen, "HEADGATE_OPS_LISTEN": self._options.ops_listen}
        return ServiceLaunch("server", _command("server"), {**shared, **listen}, _SERVER_READY)

    def _workers(self, shared: Mapping[str, str], emulator: str) -> list[ServiceLaunch]:
        environment = {
            **shared,
            **_EMULATOR_KEYS,
            "HEADGATE_OPS_LISTEN": "127.0.0.1:0",
            "HEADGATE_DATAWORKS_ENDPOINT": f"http://{emulator}",
            "HEADGATE_DATAWORKS_REGION": self._options.region,
        }
        count = self._options.workers
        names = ["worker"] if count == 1 else [f"worker-{number}" for number in range(1, count + 1)]
        return [ServiceLaunch(name, _command("worker"), environment, _WORKER_READY) for name in names]


def _command(process: str) -> tuple[str, ...]:
    # By way of the command line, which says kindly what to install if the process is not there.
    return ("-m", "headgate_cli", process)


async def _redis_ended(redis: RedisServer) -> str:
    return f"redis ended with status {await redis.wait()}"
