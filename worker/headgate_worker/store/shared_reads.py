"""One read for all: a job or caller takes another's recent read of an instance, waits for it, or reads itself.

Adapter to the scripts of `headgate.store.observations`. Losing anything here costs a read, never correctness.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Any, Final

from google.protobuf.message import DecodeError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headgate import pb
from headgate.store import keys
from headgate.store.observations import (
    ABANDON_SCRIPT,
    CLAIM_SCRIPT,
    CLAIM_TTL_MS,
    LEASE_MS,
    PUBLISH_SCRIPT,
    TTL_MS,
    AbandonArguments,
    AbandonKeys,
    ClaimReadArguments,
    ClaimReadKeys,
    KeptObservation,
    PublishArguments,
    PublishKeys,
    ReadClaimed,
    ReadElsewhere,
    parse_claim,
)
from headgate_redis.row_errors import is_damage
from headgate_worker.ports.store import ReadClaim

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1)
"""Pauses between two looks whether another's read is published; the last one again and again."""


class SharedReads:
    """Reads of instances that all workers share.

    Args:
        redis: a client that does not decode replies.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._claim: Any = redis.register_script(CLAIM_SCRIPT)
        self._publish: Any = redis.register_script(PUBLISH_SCRIPT)
        self._abandon: Any = redis.register_script(ABANDON_SCRIPT)

    async def ask(self, connection: str, instance_id: int, since_ms: int | None = None) -> KeptObservation | ReadClaim:
        """An observation that was claimed at `since_ms` or later, waited for if need be; or the claim to read it.

        Waits a lease at most for each holder; a caller with a deadline cancels. None for `since_ms` means now. What is
        kept and can't be read counts as not there: it is thrown away and read anew.
        """
        token, looks = secrets.token_hex(8), 0
        while True:
            found = await self._look(connection, instance_id, since_ms, token)
            if found is None or (isinstance(found, KeptObservation) and not _is_row(found.body, instance_id)):
                _log.warning("what is kept of instance %s can't be read: it is read anew", instance_id)
                await self._redis.delete(*_names(connection, instance_id))
                continue
            if isinstance(found, KeptObservation):
                return found
            if isinstance(found, ReadClaimed):
                return ReadClaim(connection, token, found.at_ms, instance_id)
            since_ms = found.since_ms
            pause = LOOK_SECONDS[min(looks, len(LOOK_SECONDS) - 1)]
            looks += 1
            await asyncio.sleep(min(pause, found.for_ms / 1000))

    async def _look(
        self, connection: str, instance_id: int, since_ms: int | None, token: str
    ) -> KeptObservation | ReadElsewhere | ReadClaimed | None:
        since, names = "" if since_ms is None else since_ms, _names(connection, instance_id)
        try:
            return parse_claim(
                await self._claim(keys=names, args=ClaimReadArguments(since, token, LEASE_MS, CLAIM_TTL_MS))
            )
        except ResponseError as error:
            if not is_damage(error):
                raise
            return None

    async def publish(self, claim: ReadClaim, seen: pb.WorkflowInstance, *, follow_ms: int = 0) -> None:
        """Keep what a read has brought, for all, and end its claim.

        Args:
            claim: the read.
            seen: what it has brought.
            follow_ms: for how long from now on the next read is left to the job that made this one; 0 without a job.
        """
        where, id_ = claim.connection, seen.id
        names = PublishKeys(keys.claim(where, id_), keys.observation(where, id_), keys.look(where, id_))
        body, life = seen.SerializeToString(), (TTL_MS, CLAIM_TTL_MS)
        arguments = PublishArguments(claim.token, claim.at_ms, body, *life, follow_ms, keys.LOOK_JOB)
        await self._publish(keys=names, args=arguments)

    async def abandon(self, claim: ReadClaim) -> None:
        """Let another read go out: this one brought nothing, or was not sent."""
        await self._abandon(
            keys=AbandonKeys(keys.claim(claim.connection, claim.instance_id)), args=AbandonArguments(claim.token)
        )


def _names(connection: str, instance_id: int) -> ClaimReadKeys:
    return ClaimReadKeys(keys.claim(connection, instance_id), keys.observation(connection, instance_id))


def _is_row(body: bytes, instance_id: int) -> bool:
    """Whether an observation is one of the instance."""
    try:
        return bool(pb.WorkflowInstance.FromString(body).id == instance_id)
    except DecodeError:
        return False
