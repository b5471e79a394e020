"""How a quota stands, from the hash that the workers keep. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from headgate import pb
from headgate.quota import limits as quota_limits
from headgate.quota.limits import Limits
from headgate_server.ports.clock import timestamp
from headgate_server.ports.facts import Facts

_DAY_S: Final = 86_400
_SHANGHAI_S: Final = 8 * 3_600
_TOTAL: Final = "total"


def quota_status(connection: str, facts: Facts) -> pb.Quota | None:
    """The quota of a connection; None when no worker has announced it."""
    hash_ = facts.quota
    limits = quota_limits.announced_limits(hash_)
    if limits is None:
        return None
    found = pb.Quota(
        connection=connection, edition=quota_limits.edition_of(limits), throttled=_number(hash_, "throttled")
    )
    found.buckets.extend(_bucket(lane, limits, facts) for lane in _lanes(limits, facts))
    found.announce_time.CopyFrom(timestamp(_number(hash_, quota_limits.ANNOUNCED)))
    return found


def _number(hash_: Mapping[str, str], name: str) -> int:
    return int(float(hash_.get(name, "0")))


@dataclass(frozen=True, slots=True)
class _Lane:
    """Calls that are counted together.

    Args:
        slot_lanes: the lanes whose rates decide when its next call may go out.
        allowances: the daily limits that it counts against, each with what is used of it.
    """

    name: str
    qps: float
    daily: int
    used: int
    slot_lanes: tuple[str, ...]
    allowances: tuple[tuple[int, int], ...]


def _lanes(limits: Limits, facts: Facts) -> Iterator[_Lane]:
    reads, writes = _used(quota_limits.READ, facts), _used(quota_limits.WRITE, facts)
    total = (_TOTAL,) if limits.total_qps else ()
    both = (limits.total_daily, reads + writes)
    for name, qps, daily, used in (
        (quota_limits.READ, limits.read_qps, limits.read_daily, reads),
        (quota_limits.WRITE, limits.write_qps, limits.write_daily, writes),
    ):
        yield _Lane(name, qps, daily, used, (name, *total), ((daily, used), both))
    if limits.total_qps or limits.total_daily:
        yield _Lane(_TOTAL, limits.total_qps, *both, (_TOTAL,), (both,))


def _used(lane: str, facts: Facts) -> int:
    """Calls of today; the hash keeps those of the day of its last call."""
    today = (facts.now_ms // 1_000 + _SHANGHAI_S) // _DAY_S
    return _number(facts.quota, f"used:{lane}") if _number(facts.quota, "day") == today else 0


def _bucket(lane: _Lane, limits: Limits, facts: Facts) -> pb.QuotaBucket:
    bucket = pb.QuotaBucket(metric=lane.name, limit_per_second=lane.qps, daily_limit=lane.daily, daily_used=lane.used)
    bucket.current_per_second = lane.qps * limits.share * _factor(facts)
    if lane.daily:
        bucket.daily_reset_time.CopyFrom(timestamp(_midnight_ms(facts.now_ms)))
    frozen_ms = _number(facts.quota, f"frozen:{lane.name}")
    slot_ms = max(-(-_number(facts.quota, f"tat:{one}") // 1_000) for one in lane.slot_lanes)
    if frozen_ms > facts.now_ms:
        bucket.frozen_until.CopyFrom(timestamp(frozen_ms))
    if slot_ms > facts.now_ms:
        bucket.next_slot_time.CopyFrom(timestamp(slot_ms))
    spent = any(daily and used >= daily - limits.cancel_reserve for daily, used in lane.allowances)
    bucket.available = 0 if spent or max(frozen_ms, slot_ms) > facts.now_ms else 1
    return bucket


def _factor(facts: Facts) -> float:
    """What is left of the rate since upstream has throttled, from 0 to 1."""
    return _number(facts.quota, "factor") / 1_000 if "factor" in facts.quota else 1.0


def _midnight_ms(now_ms: int) -> int:
    day = (now_ms // 1_000 + _SHANGHAI_S) // _DAY_S
    return ((day + 1) * _DAY_S - _SHANGHAI_S) * 1_000
