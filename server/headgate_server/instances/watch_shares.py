"""Shares of watched instances: how many a caller and a connection watch, and who has the next read of one.

An instance counts once for a caller, however many of its streams watch it. A caller whose reads of upstream are used up
has its instances read less often, at most as far apart as its share lasts for all of them; one that another caller
watches too is read for that one. Without named callers, all of a connection count as one caller.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from headgate_server.auth.read_shares import MINUTE, ReadShares
from headgate_server.errors.share_exceeded import PROCESS, exceeded, of_caller, of_connection
from headgate_server.ports.caller import ANONYMOUS, Caller
from headgate_server.ports.instance_kinds import InstanceKey

MAX_INSTANCES: Final = 12_500
"""Most instances that one process watches."""

MAX_INSTANCES_OF_CONNECTION: Final = 10_000
"""Most instances of one connection that one process watches."""

SIDE_BY_SIDE: Final = 32
"""Most reads of one process that are under way for watchers; one caller has half of them, two have a third each. At
300 ms a read 16 are 53 a second, more than any edition's quota of reads; and another caller's read waits in the worker
behind those that are under way."""

RETRY_SECONDS: Final = 5.0
"""When a stream that found no room may come back."""

BUSY_SECONDS: Final = 1.0
"""When an instance is looked at again whose caller has as many reads under way as it may have, if none ends before."""


class WatchShares:
    """What callers and connections watch in this process.

    Args:
        reads: says whether a caller may have upstream read.
        jitter: a number from 0 to 1, another one each time.
    """

    def __init__(self, reads: ReadShares, jitter: Callable[[], float] = random.random) -> None:
        self._reads = reads
        self._jitter = jitter
        self._watched: dict[str, Counter[InstanceKey]] = {}
        self._connections: Counter[str] = Counter()
        self._callers: dict[InstanceKey, dict[str, Caller]] = {}
        self._reading: Counter[str] = Counter()
        self._waiting: dict[str, dict[InstanceKey, None]] = {}

    def enter(self, caller: Caller, instances: Sequence[InstanceKey]) -> None:
        """Count the instances of a stream in.

        Raises:
            Refused: CALLER_LIMIT, there are too many of the caller, of the connection or in all; none is counted.
        """
        self._check(caller, instances)
        own = self._watched.setdefault(caller.name, Counter())
        for instance in instances:
            own[instance] += 1
            callers = self._callers.setdefault(instance, {})
            if not callers:
                self._connections[instance.connection] += 1
            callers[caller.name] = caller

    def leave(self, caller: Caller, instances: Iterable[InstanceKey]) -> None:
        """Count the instances of a stream out."""
        own = self._watched[caller.name]
        for instance in instances:
            self._waiting.get(_counted(caller, instance), {}).pop(instance, None)
            own[instance] -= 1
            if not own[instance]:
                del own[instance], self._callers[instance][caller.name]
            if not self._callers[instance]:
                del self._callers[instance]
                self._connections[instance.connection] -= 1
        if not own:
            del self._watched[caller.name]

    def reader(self, instance: InstanceKey) -> Caller | float:
        """For whom an instance is read now, which counts until `has_read`; or in how many seconds to ask again."""
        waits = [BUSY_SECONDS]
        for caller in self._callers.get(instance, {}).values():
            who = _counted(caller, instance)
            if self._reading[who] >= SIDE_BY_SIDE - self._reading.total():
                self._waiting.setdefault(who, {})[instance] = None
                continue
            if not self._reads.draw(caller, 1):
                self._reading[who] += 1
                self._waiting.get(who, {}).pop(instance, None)
                return caller
            waits.append(self._apart_seconds(caller))
        return max(waits)

    def has_read(self, instance: InstanceKey, caller: Caller) -> InstanceKey | None:
        """The read of an instance for a caller is over; which one was told longest ago to wait for that."""
        who = _counted(caller, instance)
        self._reading[who] -= 1
        waiting = self._waiting.get(who)
        if not waiting:
            self._waiting.pop(who, None)
            return None
        found = next(iter(waiting))
        del waiting[found]
        return found

    def _apart_seconds(self, caller: Caller) -> float:
        """How far apart the reads of an instance are when all that a caller watches share what it may have read."""
        per_second = caller.limits.upstream_reads_per_minute / MINUTE
        return len(self._watched[caller.name]) / per_second * (0.5 + self._jitter())

    def _check(self, caller: Caller, instances: Sequence[InstanceKey]) -> None:
        own: Collection[InstanceKey] = self._watched.get(caller.name, ())
        limit = caller.limits.max_watched_instances
        if limit and len(own) + sum(instance not in own for instance in instances) > limit:
            raise exceeded("watched_instances", limit, of_caller(caller.name), RETRY_SECONDS)
        fresh = [instance.connection for instance in instances if instance not in self._callers]
        for connection, count in Counter(fresh).items():
            if self._connections[connection] + count > MAX_INSTANCES_OF_CONNECTION:
                instance = of_connection(connection)
                raise exceeded("watched_instances", MAX_INSTANCES_OF_CONNECTION, instance, RETRY_SECONDS)
        if len(self._callers) + len(fresh) > MAX_INSTANCES:
            raise exceeded("watched_instances", MAX_INSTANCES, PROCESS, RETRY_SECONDS)


def _counted(caller: Caller, instance: InstanceKey) -> str:
    return f"@{instance.connection}" if caller.name == ANONYMOUS.name else caller.name
