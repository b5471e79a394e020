"""One read for all: whoever wants to know an instance takes what another has just read, or waits for it, or reads it.

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
    CLAIM_SCRIPT,
    DROP_SCRIPT,
    FLIGHT_TTL_MS,
    LAND_SCRIPT,
    LEASE_MS,
    TTL_MS,
    ClaimArguments,
    Claimed,
    ClaimKeys,
    DropArguments,
    DropKeys,
    Elsewhere,
    LandArguments,
    LandKeys,
    Seen,
    parse_claim,
)
from headgate_redis.row_errors import is_damage
from headgate_worker.ports.store import Flight

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1)
"""Pauses between two looks whether another's read has landed; the last one again and again."""


class Sharing:
    """Reads of instances that all workers share.

    Args:
        redis: a client that does not decode replies.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._claim: Any = redis.register_script(CLAIM_SCRIPT)
        self._land: Any = redis.register_script(LAND_SCRIPT)
        self._drop: Any = redis.register_script(DROP_SCRIPT)

    async def ask(self, connection: str, instance_id: int, since_ms: int | None = None) -> Seen | Flight:
        """An observation that was claimed at `since_ms` or later, waited for if need be; or the claim to read it.

        Waits a lease at most for each holder; a caller with a deadline cancels. None for `since_ms` means now. What is
        kept and can't be read counts as not there: it is thrown away and read anew.
        """
        token, looks = secrets.token_hex(8), 0
        while True:
            found = await self._look(connection, instance_id, since_ms, token)
            if found is None or (isinstance(found, Seen) and not _is_row(found.body, instance_id)):
                _log.warning("what is kept of instance %s can't be read: it is read anew", instance_id)
                await self._redis.delete(*_names(connection, instance_id))
                continue
            if isinstance(found, Seen):
                return found
            if isinstance(found, Claimed):
                return Flight(connection, token, found.at_ms, instance_id)
            since_ms = found.since_ms
            pause = LOOK_SECONDS[min(looks, len(LOOK_SECONDS) - 1)]
            looks += 1
            await asyncio.sleep(min(pause, found.for_ms / 1000))

    async def _look(
        self, connection: str, instance_id: int, since_ms: int | None, token: str
    ) -> Seen | Elsewhere | Claimed | None:
        since, names = "" if since_ms is None else since_ms, _names(connection, instance_id)
        try:
            return parse_claim(
                await self._claim(keys=names, args=ClaimArguments(since, token, LEASE_MS, FLIGHT_TTL_MS))
            )
        except ResponseError as error:
            if not is_damage(error):
                raise
            return None

    async def land(self, flight: Flight, seen: pb.WorkflowInstance, *, follow_ms: int = 0) -> None:
        """Keep what a read has brought, for all, and end its claim.

        Args:
            flight: the read.
            seen: what it has brought.
            follow_ms: for how long from now on the next read is left to the job that made this one; 0 without a job.
        """
        where, id_ = flight.connection, seen.id
        names = LandKeys(keys.flight(where, id_), keys.observation(where, id_), keys.look(where, id_))
        body, life = seen.SerializeToString(), (TTL_MS, FLIGHT_TTL_MS)
        arguments = LandArguments(flight.token, flight.at_ms, body, *life, follow_ms, keys.LOOK_JOB)
        await self._land(keys=names, args=arguments)

    async def drop(self, flight: Flight) -> None:
        """Let somebody else read: this one brought nothing, or was not sent."""
        await self._drop(
            keys=DropKeys(keys.flight(flight.connection, flight.instance_id)), args=DropArguments(flight.token)
        )


def _names(connection: str, instance_id: int) -> ClaimKeys:
    return ClaimKeys(keys.flight(connection, instance_id), keys.observation(connection, instance_id))


def _is_row(body: bytes, instance_id: int) -> bool:
    """Whether an observation is one of the instance."""
    try:
        return bool(pb.WorkflowInstance.FromString(body).id == instance_id)
    except DecodeError:
        return False
