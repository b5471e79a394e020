"""The shared quota of one connection: limits, presets by edition, and the script that hands out slots.

DataWorks counts per account and region, all RAM users together, so one hash in Redis serves every worker. A caller does
not poll for a token: the script gives it a slot, the time at which its call may go out, in the order of asking, and the
calls are spread evenly. A cancel goes ahead of the queue, and everything after it moves back by one.

A slot is shown again before it is used, and the script lets the call out. What counts there is when the calls before
it were let out, not when they should have been: a worker that came late to its slot would otherwise send its call close
to the next ones, and upstream, which counts in seconds of its own, would refuse one of them (seen: 1 of 184). So never
more go out in any second than upstream allows in one. When it throttles all the same, the rate is lowered and comes
back slowly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from headgate import shares
from headgate.ranking import URGENT_MS, Rank

PLAIN: Final = Rank()
"""A call of no job, with no priority, that has not waited yet."""

READ: Final = "read"
WRITE: Final = "write"

KEEP_MS: Final = 2 * 24 * 3600 * 1000
"""How long the hash of an unused connection is kept."""

ANNOUNCED: Final = "announced"
"""Field of the hash: when, in ms, a worker last said that it serves the connection."""

ALIAS: Final = "is"
"""Field of the hash of a name that stands for another connection: that one's name. Only the empty name does. It stays
when no worker runs, since jobs are accepted all the same, and are to be kept under one name."""

LOWEST_FACTOR: Final = 100
"""Thousandths of the rate below which throttling does not push it."""

SCRIPT: Final = (
    """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local class, pool = ARGV[1], ARGV[18]
local had = {}
local function fetch(...)
  local values = redis.call('HMGET', KEYS[1], ...)
  for i, name in ipairs({...}) do had[name] = values[i] end
end
local function number(field) return tonumber(had[field] or '0') end
fetch('day', 'epoch', 'factor', 'factor_at', 'frozen:' .. class)
redis.call('HDEL', KEYS[1], '')
local day = math.floor((t[1] + 28800) / 86400)
if number('day') ~= day then
  redis.call('HDEL', KEYS[1], 'used:read', 'used:write')
  redis.call('HSET', KEYS[1], 'day', string.format('%d', day))
end
local midnight = ((day + 1) * 86400 - 28800) * 1000
local frozen = number('frozen:' .. class)
if frozen * 1000 > now then return {2, frozen} end
local epoch = number('epoch')
local factor = had['factor'] and number('factor') or 1000
if factor < 1000 and now - number('factor_at') > 1000000 then
  factor = math.min(1000, factor + 10 * math.floor((now - number('factor_at')) / 1000000))
  redis.call('HSET', KEYS[1], 'factor', string.format('%d', factor), 'factor_at', string.format('%d', now))
end
local lanes = {}
for i, lane in ipairs({class, 'total'}) do
  local rate = tonumber(ARGV[2 + i]) * factor / 1000
  if rate > 0 then
    local room = math.max(1, math.floor(rate + 0.000001))
    lanes[#lanes + 1] = {tat = 'tat:' .. lane, step = 1000000 / (rate * ARGV[14]), sent = KEYS[1 + i],
      room = room, window = 1000000 * room / rate * ARGV[15], most = math.ceil(ARGV[2 + i])}
  end
end
local open = now
for _, lane in ipairs(lanes) do
  local before = redis.call('LINDEX', lane.sent, lane.room - 1)
  if before then open = math.max(open, before + lane.window) end
end
local function let_out()
  for _, lane in ipairs(lanes) do
    redis.call('LPUSH', lane.sent, string.format('%d', now))
    redis.call('LTRIM', lane.sent, 0, lane.most)
    redis.call('PEXPIRE', lane.sent, ARGV[9])
  end
  return {1, math.floor(now / 1000), epoch}
end
if ARGV[13] == string.format('%d', epoch) then
  if open > now then return {4, math.ceil(open / 1000), epoch} end
  return let_out()
end
fetch('used:read', 'used:write', 'tat:' .. class, 'tat:total', 'tat:cancel', 'alone:' .. pool, 'alone_at:' .. pool,
  'several:' .. pool)
local counted = ARGV[13] ~= ''
local reserve = ARGV[2] == '1' and 0 or tonumber(ARGV[7])
local used = number('used:' .. class)
if not counted and tonumber(ARGV[5]) > 0 and used + 1 > tonumber(ARGV[5]) - reserve then return {2, midnight} end
local all = number('used:read') + number('used:write')
if not counted and tonumber(ARGV[6]) > 0 and all + 1 > tonumber(ARGV[6]) - reserve then
  return {2, midnight}
end
local start, news = open, {}
for _, lane in ipairs(lanes) do
  if ARGV[2] ~= '1' then start = math.max(start, number(lane.tat)) end
end
if ARGV[2] == '1' then start = math.max(start, number('tat:cancel')) end
local reach = tonumber(ARGV[8]) * 1000
"""
    + shares.SCRIPT
    + """
if ARGV[2] ~= '1' and not several then
  local urgent = redis.call('HMGET', KEYS[1], 'urgent:1', 'urgent:2', 'urgent:3', 'urgent:4', 'urgent:5', 'urgent:6',
    'urgent:7', 'urgent:8', 'urgent:9')
  for other = ARGV[10] + 1, 9 do
    if urgent[other] and now - urgent[other] < ARGV[12] * 1000 then reach = math.min(reach, ARGV[11] * 1000) end
  end
  if ARGV[10] ~= '0' then redis.call('HSET', KEYS[1], 'urgent:' .. ARGV[10], string.format('%d', now)) end
end
if start - now > reach then return {3, math.ceil(start / 1000)} end
for _, lane in ipairs(lanes) do
  local from = math.max(number(lane.tat), start)
  news[#news + 1] = lane.tat
  news[#news + 1] = string.format('%d', from + lane.step)
  if ARGV[2] == '1' then redis.call('HSET', KEYS[1], 'tat:cancel', string.format('%d', start + lane.step)) end
end
if #news > 0 then redis.call('HSET', KEYS[1], unpack(news)) end
if not counted then redis.call('HINCRBY', KEYS[1], 'used:' .. class, 1) end
redis.call('PEXPIRE', KEYS[1], ARGV[9])
if start > now then return {4, math.ceil(start / 1000), epoch} end
return let_out()
"""
)
"""KEYS: see `script_keys`. ARGV: see `script_arguments`. Answers {1 let out at | 2 frozen until | 3 too far ahead |
4 slot at | 5 ask again at}, ms, and for 1 and 4 the epoch. A slot is shown again before it is used: one of an earlier
epoch was handed out at a rate that has proved too high, or when nobody else asked, and its call gets another one; so
may one whose calls before it came late."""

THROTTLED_SCRIPT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local factor = tonumber(redis.call('HGET', KEYS[1], 'factor') or '1000')
redis.call('HDEL', KEYS[1], '')
if now > tonumber(redis.call('HGET', KEYS[1], 'deaf') or '0') then
  factor = math.max(tonumber(ARGV[1]), math.floor(factor * 0.8))
  redis.call('HSET', KEYS[1], 'factor', string.format('%d', factor), 'factor_at', string.format('%d', now),
    'deaf', string.format('%d', now + 1000000))
  redis.call('HINCRBY', KEYS[1], 'epoch', 1)
  for _, lane in ipairs({'tat:read', 'tat:write', 'tat:total'}) do
    if tonumber(redis.call('HGET', KEYS[1], lane) or '0') > now then
      redis.call('HSET', KEYS[1], lane, string.format('%d', now))
    end
  end
end
redis.call('HINCRBY', KEYS[1], 'throttled', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return factor
"""
"""Upstream throttled: a fifth off the rate, and a new epoch: slots that are still waited for are handed out anew. What
is on its way was let out at the rate before, so that for a second further throttling says nothing about the new one. It
comes back by a hundredth a second. KEYS: 1 quota. ARGV: 1 lowest factor 2 life."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What upstream allows one connection. 0 means no such limit.

    Args:
        read_qps: reads a second.
        write_qps: writes a second.
        total_qps: calls a second, of both classes together.
        read_daily: reads a day; days begin at midnight in Asia/Shanghai.
        write_daily: writes a day.
        total_daily: calls a day, of both classes together.
        share: how much of a rate is used, above 0 and at most 1; the rest covers calls whose way takes longer or
            shorter than that of others.
        cancel_reserve: calls of a day that only a cancel may use.
    """

    read_qps: float = 0.0
    write_qps: float = 0.0
    total_qps: float = 0.0
    read_daily: int = 0
    write_daily: int = 0
    total_daily: int = 0
    share: float = 0.96
    cancel_reserve: int = 5


EDITIONS: Final[Mapping[str, Limits]] = {
    "basic": Limits(total_qps=5, total_daily=100),
    "standard": Limits(total_qps=5),
    "professional": Limits(total_qps=5),
    "enterprise": Limits(read_qps=50, write_qps=20),
    "unlimited": Limits(),
}
"""Presets by DataWorks edition, from the usage page of 2026; they move, so each number can be set by itself."""


@dataclass(frozen=True, slots=True)
class Go:
    """The call goes out now, and counts as made."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The call may go out at `at_ms` and counts as made; the slot is to be shown then.

    Args:
        at_ms: by the store's clock.
        epoch: which rate the slot was handed out at; it counts up whenever the rate is lowered.
    """

    at_ms: int
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Frozen:
    """No call of this class goes out before `until_ms`; nothing was counted."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Crowded:
    """The next slot, at `at_ms`, lies further ahead than the caller would wait; nothing was counted."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Later:
    """The call's creator has its share of the next slots; to be asked again at `at_ms`. Nothing was counted."""

    at_ms: int


Verdict = Go | Slot | Frozen | Crowded | Later

WINDOW_SHARE: Final = 0.8
"""How much of the room that `Limits.share` leaves is kept where calls are let out; the rest is for their way there."""


def key(connection: str) -> str:
    """Hash of a connection's quota."""
    return f"hg:quota:{connection}"


def pool(limits: Limits, klass: str) -> str:
    """Which calls creators share with each other: those of the class where it has a rate of its own, else all."""
    return klass if (limits.write_qps if klass == WRITE else limits.read_qps) else "total"


def script_keys(connection: str, klass: str, limits: Limits) -> list[str]:
    """KEYS of the script.

    The quota; lists of when the last calls of the class, and of both, were let out; then what `headgate.shares` keeps:
    the creators by when they last asked, and what each has had.
    """
    own, shared = key(connection), pool(limits, klass)
    return [own, f"{own}:sent:{klass}", f"{own}:sent:total", f"{own}:creators:{shared}", f"{own}:turns:{shared}"]


def edition_of(limits: Limits) -> str:
    """The edition whose preset the limits are; empty where a number was set by itself."""
    return next((name for name, preset in EDITIONS.items() if preset == limits), "")


def announcement(limits: Limits, now_ms: int) -> dict[str, str]:
    """What a worker writes into the hash of a connection that it serves, to be read by whoever can't ask it."""
    return {"limits": json.dumps(asdict(limits), separators=(",", ":")), ANNOUNCED: str(now_ms)}


def alias(connection: str, now_ms: int) -> dict[str, str]:
    """What a worker writes into the hash of a name that stands for a connection of another name."""
    return {ALIAS: connection, ANNOUNCED: str(now_ms)}


_KINDS: Final[Mapping[str, Any]] = {name: type(value) for name, value in asdict(Limits()).items()}


def announced_limits(found: Mapping[str, str]) -> Limits | None:
    """The limits that a worker has announced; None when none has, or in words that this version does not know."""
    try:
        plain = json.loads(found["limits"])
        return Limits(**{name: kind(plain[name]) for name, kind in _KINDS.items()})
    except (KeyError, ValueError, TypeError):
        return None


def script_arguments(
    limits: Limits, klass: str, *, cancel: bool, patience_ms: int, rank: Rank = PLAIN, held: int | None = None
) -> list[str | int | float]:
    """ARGV of the script: a call of class "read" or "write" whose caller would wait for `patience_ms`.

    `held` is the epoch of the slot that the call has waited for; None for a call that asks for the first time. Rates
    are what upstream allows; the share of them that is used, and the length of a window by it, come later. Last comes
    what `headgate.shares` goes by.
    """
    own_qps, own_daily = (
        (limits.write_qps, limits.write_daily) if klass == WRITE else (limits.read_qps, limits.read_daily)
    )
    return [
        klass,
        int(cancel),
        own_qps,
        limits.total_qps,
        own_daily,
        limits.total_daily,
        limits.cancel_reserve,
        patience_ms,
        KEEP_MS,
        rank.priority,
        rank.reach_ms,
        URGENT_MS,
        "" if held is None else held,
        limits.share,
        1 + WINDOW_SHARE * (1 / limits.share - 1),
        rank.creator,
        rank.waited_ms,
        pool(limits, klass),
    ]


def parse_verdict(raw: Sequence[int]) -> Verdict:
    """What the script answered."""
    code, at_ms = int(raw[0]), int(raw[1])
    if code == 1:
        return Go()
    if code == 4:
        return Slot(at_ms, int(raw[2]))
    if code == 5:
        return Later(at_ms)
    return Frozen(at_ms) if code == 2 else Crowded(at_ms)
