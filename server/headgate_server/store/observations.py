"""What is known of watched instances, and who is reading them, in Redis: the way servers share one read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headgate.store import keys
from headgate_redis.pipeline import Command, Pipeline
from headgate_server.ports.instance_kinds import InstanceKey
from headgate_server.ports.observations import Observation
from headgate_server.store.errors import translated
from headgate_server.store.retry import retry_lost_reply


class RedisObservations:
    """Observations, and the claims on the next read of an instance."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def seen(self, instances: Sequence[InstanceKey]) -> list[Observation]:
        """What was last seen of instances, in the order asked for, and who holds the next read of each.

        Raises:
            StoreUnavailable: it can't be read.
        """
        names = [keys.observation(instance.connection, instance.id) for instance in instances]
        names += [keys.look(instance.connection, instance.id) for instance in instances]
        command: Command = ("MGET", *names)
        found, _ = await retry_lost_reply(lambda: self._pipeline.call(command))
        count = len(instances)
        return [Observation(found[at], found[count + at] or b"") for at in range(count)]

    async def claim(self, instance: InstanceKey, ms: int) -> bool:
        """Take the next read of an instance for so long; False when another process has it.

        Raises:
            StoreUnavailable: it may or may not have been taken.
        """
        key = keys.look(instance.connection, instance.id)
        return bool(await self._call("SET", key, keys.LOOK_WATCHERS, "NX", "PX", ms))

    async def keep(self, instance: InstanceKey, ms: int) -> None:
        """Hold a claim for so long from now on.

        Raises:
            StoreUnavailable: it may end sooner or later.
        """
        await self._call("PEXPIRE", keys.look(instance.connection, instance.id), ms)

    async def _call(self, *command: str | bytes | int) -> Any:
        with translated():
            return await self._pipeline.call(command)
