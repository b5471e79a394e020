"""What is known of how connections begin children, for all workers (`headgate.process.child_release`). Redis adapter.

A tick costs no command for it: what was read of a connection serves all its jobs for a while. Losing it costs a wait.
"""

from __future__ import annotations

import time
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headgate.process.child_release import (
    HOLDS_MS,
    UNKNOWN,
    ChildRelease,
    ReleaseEvidence,
    decode_release,
    encode_release,
)
from headgate.store import keys, reserve
from headgate.store.reserve import PutArguments, PutKeys
from headgate_redis.row_errors import is_damage

FRESH_SECONDS: Final = 30.0
"""For how long a process goes by what it has read, so that all know what one has learnt after that time."""


class ChildReleases:
    """What is known, by connection.

    Args:
        redis: a client that does not decode replies.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._put = redis.register_script(reserve.PUT_SCRIPT)
        self._read: dict[str, tuple[float, ChildRelease]] = {}

    async def of(self, connection: str) -> ChildRelease:
        """What is known of a connection; nothing where that can't be read."""
        found = self._read.get(connection)
        if found is None or time.monotonic() > found[0] + FRESH_SECONDS:
            found = self._read[connection] = time.monotonic(), await self._load(connection)
        return found[1]

    async def _load(self, connection: str) -> ChildRelease:
        try:
            return decode_release(await self._redis.get(keys.child_release(connection)) or b"")
        except ResponseError as error:
            if not is_damage(error):
                raise
            return UNKNOWN

    async def learn(self, connection: str, evidence: ReleaseEvidence) -> ChildRelease:
        """What is known once this was seen too. It is written only when it says something new.

        It is read again for that, since another worker may have learnt meanwhile; of two who write at the same moment,
        one has to learn it again.
        """
        known = await self.of(connection)
        if known.learn(evidence) == known:
            return known
        known = (await self._load(connection)).learn(evidence)
        self._read[connection] = time.monotonic(), known
        arguments = PutArguments(encode_release(known), HOLDS_MS)
        await self._put(keys=PutKeys(keys.child_release(connection)), args=arguments)
        return known
