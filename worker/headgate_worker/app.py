"""A worker process put together: connect, run the lanes and the reaper, drain, close."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Final

from prometheus_client import generate_latest
from redis.asyncio import Redis

from headgate.process import exposure
from headgate.process.exposure import EXPLAINED, VARIABLE, Exposure
from headgate.process.wait_bounds import WaitBounds
from headgate.store import keys, queue_entries
from headgate_ops import http_endpoint
from headgate_redis.clock import StoreClock
from headgate_worker.core.model.view import Policy
from headgate_worker.notifications import rule_file, samples
from headgate_worker.notifications.notifier import FollowedRules, Notifier, NotifierParts
from headgate_worker.notifications.samples import SampleOutcome
from headgate_worker.notifications.webhook_sender import WebhookSender
from headgate_worker.ports.store import STORE_AWAY
from headgate_worker.process import metrics
from headgate_worker.process.settings import Settings
from headgate_worker.queue.leased_worker import Function, LaneOptions, LeasedWorker
from headgate_worker.reads.reader import Reader
from headgate_worker.store.clients import blocking_client, check_store, close, command_client
from headgate_worker.store.job_checks import SampledJobs
from headgate_worker.store.jobs import Store
from headgate_worker.store.notifications import RedisNotifications
from headgate_worker.store.randomness import SystemJitter
from headgate_worker.ticks.engine import Engine
from headgate_worker.ticks.fault_injection import crash_point
from headgate_worker.ticks.reaper import Reaper
from headgate_worker.ticks.sampled_check import SampledCheck
from headgate_worker.ticks.tick import TickLimits
from headgate_worker.upstream import connection_file
from headgate_worker.upstream.connections import Connections, connect

_log = logging.getLogger(__name__)


WITHDRAW_MS: Final = 250
"""How often it is looked whether the callers of running reads have hung up."""


def policy_of(settings: Settings) -> Policy:
    """The numbers of decisions, as the settings have them."""
    return Policy(
        poll_min_ms=int(settings.poll_min_seconds * 1000),
        poll_max_ms=int(settings.poll_max_seconds * 1000),
        poll_far_ms=int(settings.poll_far_seconds * 1000),
        adopt_grace_ms=int(settings.adopt_grace_seconds * 1000),
        settle_ms=int(settings.settle_seconds * 1000),
        resend_absent=settings.ambiguous_create == "resend",
        stop_watchdog_ms=int(settings.stop_watchdog_seconds * 1000),
        retry_min_ms=int(settings.date_retry_min_seconds * 1000),
        retry_max_ms=int(settings.date_retry_max_seconds * 1000),
        digest_ms=int(settings.failure_digest_seconds * 1000),
        dry_run_ms=int(settings.dry_run_seconds * 1000),
    )


def waits_of(policy: Policy) -> WaitBounds:
    """The numbers of a policy that servers read."""
    return WaitBounds(**{each.name: getattr(policy, each.name) for each in fields(WaitBounds)})


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker is made of, once everything is connected."""

    store: Store
    reaper: Reaper
    ticks: LeasedWorker
    reads: LeasedWorker
    checks: SampledCheck
    notifier: Notifier | None
    worker_id: str


async def run(
    settings: Settings,
    *,
    stop: asyncio.Event,
    ready: Callable[[str], None],
) -> None:
    """Be a worker until `stop` is set, then drain. `ready` is called with the address of the HTTP port.

    Raises:
        UnfitStore: the store may lose jobs, or can't be written.
        redis.exceptions.RedisError: the store can't be reached at the start; later it may come and go.
        ValueError: a setting of the upstream makes no sense.
    """
    async with AsyncExitStack() as stack:
        followed = _followed(settings)
        redis = command_client(settings.redis_url.get_secret_value(), connections=64)
        stack.push_async_callback(close, redis)
        await check_store(redis)
        store = Store(redis, lease_ms=int(settings.lease_seconds * 1000))
        clock = StoreClock(await store.now_ms())
        connections = await connect(settings, redis, clock)
        store.default_connection = connections.default
        stack.push_async_callback(connections.aclose)
        exposures = connections.exposures | (rule_file.exposures(followed.current) if followed else frozenset())
        for one in exposures:
            _log.warning("%s is meant by %s: %s", one.value, VARIABLE, EXPLAINED[one])
        parts = _assemble(settings, redis, store, clock, connections, followed, stack)
        address = await _open_ops_port(settings, parts, exposures, stack)
        await _work(parts, stop, lambda: ready(address))


def _assemble(
    settings: Settings,
    redis: Redis,
    store: Store,
    clock: StoreClock,
    connections: Connections,
    followed: FollowedRules | None,
    stack: AsyncExitStack,
) -> WorkerParts:
    jitter = SystemJitter()
    worker_id = f"{os.getpid()}-{secrets.token_hex(4)}"
    engine = Engine(
        store,
        connections.for_jobs(),
        clock,
        jitter,
        policy=policy_of(settings),
        limits=TickLimits(call_seconds=settings.call_seconds, attempts=settings.tick_attempts),
        checkpoint=crash_point(settings.crash_at),
    )
    reader = Reader(store, connections, clock, policy_of(settings))

    def lane(queue: str, functions: dict[str, Function], slots: int, *, is_shared: bool = False) -> LeasedWorker:
        options = LaneOptions(
            queue,
            slots,
            lease_ms=int(settings.lease_seconds * 1000),
            drain_seconds=settings.drain_seconds,
            withdraw_ms=WITHDRAW_MS if is_shared else 0,
            shared=is_shared,
        )
        blocking = blocking_client(settings.redis_url.get_secret_value(), block_seconds=options.poll_seconds)
        stack.push_async_callback(close, blocking)
        return LeasedWorker(redis, blocking, functions, options, worker_id)

    ticks = lane(keys.TICKS, {queue_entries.TICK: engine.tick}, settings.tick_slots)
    store.on_wake = ticks.expect
    return WorkerParts(
        store,
        _reaper(settings, store, clock, jitter, connections, worker_id),
        ticks,
        lane(keys.READS, {queue_entries.READ: reader.read}, 2 * settings.read_slots, is_shared=True),
        SampledCheck(SampledJobs(redis), jitter, sample=settings.self_check_jobs),
        None if followed is None else _notifier(settings, followed, clock, worker_id, stack),
        worker_id,
    )


async def send_samples(settings: Settings) -> list[SampleOutcome]:
    """Send a sample of each rule of the file of notifications; needs no store.

    Raises:
        ValueError: the file makes no sense.
    """
    followed = _followed(settings)
    return [] if followed is None else await samples.send_samples(followed.current, int(time.time() * 1000))


def _followed(settings: Settings) -> FollowedRules | None:
    if not settings.notifications:
        return None
    read, meant = connection_file.environment(), exposure.parse(settings.allow_insecure)
    return FollowedRules(Path(settings.notifications), lambda path: rule_file.load(path, read, meant))


def _notifier(
    settings: Settings, followed: FollowedRules, clock: StoreClock, worker_id: str, stack: AsyncExitStack
) -> Notifier:
    redis = command_client(settings.redis_url.get_secret_value(), connections=2)
    stack.push_async_callback(close, redis)
    parts = NotifierParts(RedisNotifications(redis), followed, WebhookSender, clock, SystemJitter(), worker_id)
    notifier = Notifier(parts)
    stack.push_async_callback(notifier.aclose)
    return notifier


def _reaper(
    settings: Settings, store: Store, clock: StoreClock, jitter: SystemJitter, connections: Connections, worker_id: str
) -> Reaper:
    announce = partial(connections.announce, waits=waits_of(policy_of(settings)))
    return Reaper(store, clock, jitter, worker_id, period_seconds=settings.reaper_seconds, announce=announce)


async def _open_ops_port(
    settings: Settings, parts: WorkerParts, exposures: frozenset[Exposure], stack: AsyncExitStack
) -> str:
    async def wrong() -> str:
        try:
            await parts.store.heartbeat(parts.worker_id, await parts.store.now_ms(), lifetime_ms=15_000)
        except STORE_AWAY as error:
            return f"the store can't be written ({type(error).__name__})"
        return ""

    told = None if parts.notifier is None else parts.notifier.counts
    registry = metrics.registry(parts.ticks, parts.reads, parts.reaper, parts.checks, exposures, told)
    host, _, port = settings.ops_listen.rpartition(":")
    pages = http_endpoint.pages(wrong, lambda: generate_latest(registry))
    real_port = await stack.enter_async_context(http_endpoint.serving(host or "0.0.0.0", int(port), pages))
    return f"{'127.0.0.1' if host in ('', '0.0.0.0') else host}:{real_port}"


async def _work(parts: WorkerParts, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    async with asyncio.TaskGroup() as group:
        reaper = group.create_task(parts.reaper.run(), name="reaper")
        checks = group.create_task(parts.checks.run(), name="self-checks")
        notifier = None if parts.notifier is None else group.create_task(parts.notifier.run(), name="notifier")
        lanes = [group.create_task(lane.main(), name=lane.queue_name) for lane in (parts.ticks, parts.reads)]
        ready()
        await stop.wait()
        checks.cancel()
        _log.info("draining: taking nothing more")
        parts.ticks.stop()
        parts.reads.stop()
        await asyncio.wait(lanes)
        parts.reaper.stopped = True
        reaper.cancel()
        if notifier is not None:
            notifier.cancel()
    try:
        await parts.store.forget_worker(parts.worker_id)
    except STORE_AWAY:
        _log.info("the store is away; it forgets this worker by itself")
