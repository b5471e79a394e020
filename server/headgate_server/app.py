"""Put a server process together, serve, drain, take it apart."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc

from headgate.process.exposure import EXPLAINED, VARIABLE
from headgate_ops import http_endpoint
from headgate_redis.clock import StoreClock
from headgate_redis.pipeline import Pipeline
from headgate_server.auth import access_control
from headgate_server.auth.access_control import AccessControl
from headgate_server.auth.stream_shares import StreamShares
from headgate_server.instances.instance_stream import InstanceWatch
from headgate_server.instances.poller import InstancePoller
from headgate_server.instances.upstream_reads import Reads
from headgate_server.instances.watch_shares import WatchShares
from headgate_server.jobs.change import JobChanger
from headgate_server.jobs.plan import BackfillPlanner
from headgate_server.jobs.submit import Submitter
from headgate_server.logs import audit_log
from headgate_server.logs.damaged_rows import Damage
from headgate_server.planning.plan_stream import PlanStreams
from headgate_server.ports.address import parse_address
from headgate_server.ports.instance_kinds import PollPace
from headgate_server.process.metrics import Metrics
from headgate_server.process.settings import Settings
from headgate_server.reports.job_checks import JobChecker
from headgate_server.reports.report_stream import JobReports
from headgate_server.rpc import handlers as rpc_handlers
from headgate_server.rpc import health_service, listener, pending_requests, reflection_service, registry
from headgate_server.rpc.call_slots import CallSlots
from headgate_server.rpc.health import Health
from headgate_server.rpc.health_service import HealthService
from headgate_server.rpc.pending_requests import PendingRequests
from headgate_server.services.admin import AdminService
from headgate_server.services.backfills import BackfillService
from headgate_server.services.flow_instances import FlowInstanceService
from headgate_server.services.jobs import JobService
from headgate_server.services.operations import OperationsService
from headgate_server.services.task_instances import TaskInstanceService
from headgate_server.services.workflow_instances import WorkflowInstanceService
from headgate_server.store import startup_check
from headgate_server.store.connection_facts import RedisFacts
from headgate_server.store.connections import RedisLink
from headgate_server.store.feed import RedisFeed
from headgate_server.store.feed_history import RedisHistory
from headgate_server.store.job_checks import RedisJobChecks
from headgate_server.store.jobs import RedisStore
from headgate_server.store.memory import StoreMemory
from headgate_server.store.observations import RedisObservations
from headgate_server.store.read_queue import RedisReadQueue
from headgate_server.watch.hub import Hub
from headgate_server.watch.job_stream import JobStreams

_log = logging.getLogger(__name__)

GATHER_SECONDS: Final = 0.004
"""How long calls for the store wait for others while the process has no CPU to spare (docs/performance.md)."""


def _pace(settings: Settings) -> PollPace:
    return PollPace(min_ms=int(settings.watch_poll_min * 1000), max_ms=int(settings.watch_poll_max * 1000))


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that serves.

    Args:
        grpc_port: its gRPC port.
        ops_port: its HTTP port.
    """

    grpc_port: int
    ops_port: int


class ServerParts:
    """Everything of a process that lives as long as it does."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.clock = StoreClock()
        self.link = RedisLink(settings.redis_url, timeout=settings.redis_timeout)
        timeout, link = settings.redis_timeout, self.link
        self.writes = Pipeline(
            link.connection, timeout=timeout, gather=GATHER_SECONDS, on_group=self.metrics.commits_grouped
        )
        self.reads = Pipeline(link.connection, timeout=timeout, gather=GATHER_SECONDS)
        self.damage = Damage()
        self.store = RedisStore(writes=self.writes, reads=self.reads, clock=self.clock, damage=self.damage)
        self.memory = StoreMemory(self.reads, settings.store_high_water)
        self.feed = RedisFeed(link.connection(), timeout=timeout)
        self.hub = Hub(self.feed, self.store, self.clock, self.damage)
        self.lane = RedisReadQueue(self.reads, link.connection(), secrets.token_hex(8), timeout=timeout)
        self.reading = Reads(self.lane, self.store, self.clock, timeout=settings.read_timeout)
        self.poller = InstancePoller(
            self.reading,
            RedisObservations(self.reads),
            self.clock,
            _pace(settings),
            WatchShares(self.reading.shares),
            read_seconds=settings.read_timeout,
        )
        pending = PendingRequests(pending_requests.SLOW, pending_requests.MAX_PENDING)
        self.slots = CallSlots(settings.max_watches + listener.SPARE_CALLS, pending)
        self.health_slots = health_service.slots()
        self.reflection_slots = reflection_service.slots()
        self.health = self._health()
        self.streams = StreamShares(settings.max_watches, lambda: self.hub.watchers)
        self.access = self._access()
        if self.access is not None:
            self.store.default.on_change.append(self.access.rename)
        self.tls = listener.tls_files(settings)
        self._show()

    def _access(self) -> AccessControl | None:
        settings = self.settings
        if settings.callers is None:
            return None
        mutual = settings.tls_client_ca is not None
        read = access_control.reader(mutual=mutual, usual=settings.caller_limits())
        return AccessControl(settings.callers, read, self.store, self.clock.now_ms, self.streams, mutual=mutual)

    def _health(self) -> Health:
        return Health(self.store.probe, lambda: self.hub.following, lambda: self.slots.open.is_full, registry.SERVICES)

    async def why_not(self) -> str:
        """Why calls can't be served now; empty when they can."""
        return self.health.why_not()

    def _show(self) -> None:
        exposures = self.settings.exposures()
        self.metrics.exposed(exposures)
        for one in exposures:
            _log.warning("%s is meant by %s: %s", one.value, VARIABLE, EXPLAINED[one])
        hub, watch = self.hub, self.metrics.watch
        watch("headgate_open_watches", "Streams that are open.", lambda: hub.watchers + self.poller.watchers)
        watch("headgate_watched_instances", "Instances that streams watch.", lambda: self.poller.instances)
        watch("headgate_hub_lag_seconds", "How old the last event was when it was read.", lambda: hub.lag_seconds)
        watch("headgate_open_calls", "Calls that are served.", lambda: self.slots.open.count)
        watch("headgate_calls_without_request", "Calls whose request has not arrived.", lambda: len(self.slots.pending))
        memory = self.memory
        watch("headgate_store_used_bytes", "Memory that counts against Redis' maxmemory.", lambda: memory.used)
        watch("headgate_store_limit_bytes", "Redis' maxmemory; 0 where it has none.", lambda: memory.limit)
        watch("headgate_store_nearly_full", "Whether no new work is taken.", lambda: memory.is_nearly_full)
        said = "Rows of the store that could not be read, each time that one was met."
        watch("headgate_damaged_rows", said, lambda: self.damage.count)
        watch("headgate_ready", "Whether calls can be served.", lambda: not self.health.why_not())

    def implementations(self) -> dict[str, object]:
        """What serves each service."""
        settings = self.settings
        watching = JobStreams(
            self.hub,
            self.store,
            self.clock,
            max_age_seconds=settings.max_stream_age,
            max_delay_seconds=settings.reconnect_spread,
        )
        new_work = self.memory.of_new_work
        changer, facts = JobChanger(self.store, self.clock, new_work=new_work), RedisFacts(self.reads, self.clock)
        instances = self._instance_watch()
        default = self.store.default
        planner = BackfillPlanner(self.reading, self.store, facts, self.clock, default)
        submitter = Submitter(
            self.store,
            self.clock,
            planner,
            ttl_seconds=settings.job_ttl,
            connection_shares=settings.connection_shares(),
            new_work=new_work,
            default=default,
        )
        limits = {"max_watches_per_process": settings.max_watches}
        checker = JobChecker(RedisJobChecks(self.reads), self.store)
        return {
            "headgate.v1.JobService": JobService(
                self.store,
                submitter,
                changer,
                watching,
                RedisHistory(self.reads),
                facts,
                JobReports(self.store, self.reading, self.clock),
                streams=self.streams,
                clock=self.clock,
            ),
            "headgate.v1.BackfillService": BackfillService(
                submitter, planner, PlanStreams(planner, self.reading, facts, self.clock)
            ),
            "headgate.v1.WorkflowInstanceService": WorkflowInstanceService(submitter, self.reading, instances),
            "headgate.v1.FlowInstanceService": FlowInstanceService(submitter, self.reading, instances),
            "google.longrunning.Operations": OperationsService(self.store, self.hub, changer, self.streams),
            "headgate.v1.TaskInstanceService": TaskInstanceService(submitter, self.reading),
            "headgate.v1.AdminService": AdminService(limits, facts, checker),
        }

    def _instance_watch(self) -> InstanceWatch:
        settings = self.settings
        return InstanceWatch(
            self.poller,
            self.clock,
            max_age_seconds=settings.max_stream_age,
            max_delay_seconds=settings.reconnect_spread,
            max_streams=settings.max_watches,
        )

    def tasks(self) -> list[Coroutine[None, None, None]]:
        """What runs as long as the process."""
        parts = (self.writes, self.reads, self.hub, self.reading, self.poller, self.health, self.memory)
        found = [part.run() for part in parts]
        found += [each.pending.run() for each in (self.slots, self.health_slots, self.reflection_slots)]
        found.append(self.store.default.run())
        followed = [part.run() for part in (self.access, self.tls) if part is not None]
        return [*found, self.hub.audit(), rpc_handlers.FAILED_CALLS.run(), audit_log.REFUSED.run(), *followed]

    async def close(self) -> None:
        """Let every connection go."""
        await self.feed.close()
        await self.lane.close()
        await self.link.close()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Serving]:
    """Serve until the block ends, then drain.

    Raises:
        StoreUnfit: this Redis would lose jobs.
        StoreUnavailable: Redis can't be reached.
        OSError: a port is taken.
    """
    parts = ServerParts(settings)
    try:
        parts.clock.learn(await startup_check.check(parts.link.client))
        host, port = parse_address(settings.ops_listen)
        pages = http_endpoint.pages(parts.why_not, parts.metrics.page)
        async with http_endpoint.serving(host, port, pages) as ops_port, _tasks(parts):
            await parts.store.default.look()
            server = _grpc_server(parts)
            grpc_port = listener.bind(server, settings, parts.tls)
            await server.start()
            try:
                await parts.hub.began.wait()
                await parts.health.check()
                yield Serving(grpc_port, ops_port)
            finally:
                await _drain(parts, server)
    finally:
        await parts.close()


@asynccontextmanager
async def _tasks(parts: ServerParts) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(task) for task in parts.tasks()]
        try:
            yield
        finally:
            await _end(tasks)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    # Asked again until they end: Python 3.11's wait_for, which redis-py uses, drops a cancellation that arrives
    # together with its result.
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.5)


def _grpc_server(parts: ServerParts) -> grpc.aio.Server:
    server = grpc.aio.server(options=listener.server_options(parts.settings))
    metrics, settings = parts.metrics, parts.settings
    resolve = parts.store.default.resolve
    handlers = registry.handlers(parts.implementations(), metrics, parts.slots, parts.access, resolve)
    about_health = HealthService(parts.health, max_seconds=settings.max_stream_age)
    handlers |= about_health.handlers(metrics, parts.health_slots)
    if settings.reflection:
        services = (*registry.SERVICES, health_service.NAME)
        handlers |= reflection_service.handlers(services, metrics, parts.reflection_slots)
    held = parts.access.held if parts.access is not None else None
    registry.add_to(server, handlers, rpc_handlers.unknown(metrics, parts.slots, held))
    return server


async def _drain(parts: ServerParts, server: grpc.aio.Server) -> None:
    await parts.health.drain()
    await asyncio.sleep(parts.settings.drain_delay)
    parts.hub.drain()
    parts.poller.drain()
    await server.stop(parts.settings.drain_seconds)
