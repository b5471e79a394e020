"""The governor: one quota for all workers. It says when a call may go out, and learns from what upstream answers."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from headgate.process import wait_bounds
from headgate.process.wait_bounds import WaitBounds
from headgate.quota import admission
from headgate.quota import limits as quota_limits
from headgate.quota.admission import PLAIN, QuotaVerdict, ThrottledArguments, ThrottledKeys
from headgate.quota.limits import Limits
from headgate.quota.priority import Rank
from headgate.store import keys, reserve
from headgate.store.reserve import PutFieldsArguments, PutFieldsKeys
from headgate_worker.core.facts.poll_schedule import next_day_ms
from headgate_worker.core.model.calls import Call, Failure, FailureKind, Outcome
from headgate_worker.ports.upstreams import class_of


class Governor:
    """The quota of one connection, shared through Redis.

    Args:
        limits: what upstream allows; the same for every worker of a connection.
    """

    def __init__(self, redis: Redis, connection: str, limits: Limits) -> None:
        self.connection = connection
        self._key = keys.quota(connection)
        self._keys = {
            klass: admission.script_keys(connection, klass, limits) for klass in (quota_limits.READ, quota_limits.WRITE)
        }
        self._limits = limits
        self._ask = redis.register_script(admission.SCRIPT)
        self._throttled = redis.register_script(admission.THROTTLED_SCRIPT)
        self._redis: Any = redis
        self._put_fields: Any = redis.register_script(reserve.PUT_FIELDS_SCRIPT)

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        """Whether the call may go out, or when. A `Go` or a `Slot` counts as made, whatever becomes of it.

        Args:
            call: what is to be asked of upstream.
            patience_ms: how far ahead a slot may lie; with 0 only a call that goes out now.
            cancel: goes ahead of the queue, and may use the day's reserve.
            rank: whose call it is and where it stands among others that wait; see `headgate.quota.priority`.
            held: epoch of the slot that the call has waited for, and that is shown now.
        """
        klass = class_of(call)
        arguments = admission.script_arguments(
            self._limits, klass, cancel=cancel, patience_ms=patience_ms, rank=rank, held=held
        )
        return admission.parse_verdict(await self._ask(keys=self._keys[klass], args=arguments))

    async def learn(self, call: Call, outcome: Outcome, now_ms: int) -> None:
        """Take over what an answer says about the quota: slow down, or stop until the day is over."""
        if not isinstance(outcome, Failure):
            return
        if outcome.kind is FailureKind.THROTTLED:
            await self._throttled(
                keys=ThrottledKeys(self._key), args=ThrottledArguments(admission.LOWEST_FACTOR, quota_limits.KEEP_MS)
            )
        if outcome.kind is FailureKind.FROZEN:
            await self.freeze(class_of(call), next_day_ms(now_ms))

    async def announce(self, name: str, now_ms: int, waits: WaitBounds) -> None:
        """Write for servers that this worker serves the connection under a name, and by which numbers."""
        key, is_own = keys.quota(name), name == self.connection
        own = {**quota_limits.announcement(self._limits, now_ms), **wait_bounds.announcement(waits)}
        said = own if is_own else quota_limits.alias(self.connection, now_ms)
        words = [word for field in said.items() for word in field]
        await self._put_fields(keys=PutFieldsKeys(key), args=[*PutFieldsArguments(quota_limits.KEEP_MS), *words])
        # Neither needs memory: what the name stood for before goes; what it stands for stays when no worker runs.
        await (self._redis.hdel(key, quota_limits.ALIAS) if is_own else self._redis.persist(key))

    async def freeze(self, klass: str, until_ms: int) -> None:
        """Let no call of a class out before a time."""
        arguments = [*PutFieldsArguments(quota_limits.KEEP_MS), f"frozen:{klass}", until_ms]
        await self._put_fields(keys=PutFieldsKeys(self._key), args=arguments)
