"""Where lanes of a backfill stood idle: from an end upstream to the read that told it, and from there to a begin. Pure.

Times are ms of the emulator's clock. A lane that becomes free takes the date that begins next; the lane that has been
free for longest comes first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RunTimes:
    """One date: when it began and ended upstream, and when its instance was read."""

    began_ms: int
    ended_ms: int
    read_ms: Sequence[int]


@dataclass(frozen=True, slots=True)
class IdleTime:
    """For how long lanes stood idle, in ms, all of them together.

    Args:
        unseen: an end that no read had told yet.
        waiting: an end that was read, and the lane's next date had not begun.
        last: no date was left to begin.
    """

    unseen: int
    waiting: int
    last: int


def span_ms(dates: Sequence[RunTimes]) -> int:
    """From the first begin to the last end."""
    return max(one.ended_ms for one in dates) - min(one.began_ms for one in dates)


def idle_time(dates: Sequence[RunTimes]) -> IdleTime:
    """The idle time of all lanes; begins at which no lane was free open a new one."""
    unseen, waiting, free = 0, 0, list[tuple[int, int]]()
    ended = sorted((one.ended_ms, _seen_ms(one)) for one in dates)
    for began_ms in sorted(one.began_ms for one in dates):
        while ended and ended[0][0] <= began_ms:
            heapq.heappush(free, ended.pop(0))
        if free:
            ended_ms, seen_ms = heapq.heappop(free)
            unseen += min(seen_ms, began_ms) - ended_ms
            waiting += max(0, began_ms - seen_ms)
    end_ms = max(one.ended_ms for one in dates)
    return IdleTime(unseen, waiting, sum(end_ms - ended_ms for ended_ms, _ in (*free, *ended)))


def _seen_ms(one: RunTimes) -> int:
    return min((at for at in one.read_ms if at >= one.ended_ms), default=one.ended_ms)


def of_emulator(
    ids: Iterable[int], instances: Sequence[Mapping[str, Any]], ledger: Sequence[Mapping[str, Any]]
) -> list[RunTimes]:
    """The dates of some instances, by what the emulator's admin calls tell of instances and of calls."""
    reads = dict[int, list[int]]()
    for row in ledger:
        if row["action"] == "GetWorkflowInstance":
            reads.setdefault(int(row["params"]["Id"]), []).append(row["at_ms"])
    wanted = set(ids)
    found = [one for one in instances if one["Id"] in wanted]
    return [RunTimes(one["started_at_ms"], one["finished_at_ms"], reads.get(one["Id"], ())) for one in found]
