"""Observations that all share: one read of an instance serves every job, every caller and every worker. Scripts.

A read is claimed before it is sent, for a short lease, and its answer lands with the time of the claim: an answer shows
the instance as it was then or later. Whoever wants to know it as it was at some time, or later, takes an answer that
was claimed no earlier, or waits for the read that is under way, or claims the next. A holder that dies costs its lease.

Scripts that a store without memory must not refuse begin their writes with one that takes something away; see
`headgate.reserve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

TTL_MS: Final = 24 * 3600 * 1000
"""How long an observation is kept: the API's longest max_staleness."""

LEASE_MS: Final = 3_000
"""How long a claim holds others back. A read that takes longer goes on, and somebody else may read too."""

FLIGHT_TTL_MS: Final = 3_600_000
"""How long it is remembered when an observation was claimed; one that is older serves no job any more."""

CLAIM_SCRIPT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local since = ARGV[1] == '' and now or tonumber(ARGV[1])
local flight = redis.call('HMGET', KEYS[1], 'at', 'until')
if flight[1] and tonumber(flight[1]) >= since then
  local seen = redis.call('GET', KEYS[2])
  if seen then return {1, tonumber(flight[1]), seen} end
end
if flight[2] and tonumber(flight[2]) > now then return {2, since, tonumber(flight[2]) - now} end
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'until', string.format('%d', now + ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {3, since, now}
"""
"""KEYS: 1 flight 2 observation. ARGV: 1 claimed no earlier than this ms, empty for now 2 token 3 lease in ms 4 life
of the flight. Answers {1, claimed at, observation}, {2, since, ms until the claim of somebody else ends} or, when it is
claimed now, {3, since, now}."""

LAND_SCRIPT: Final = """
local flight = redis.call('HMGET', KEYS[1], 'at', 'token')
redis.call('HDEL', KEYS[1], '')
if not flight[1] or tonumber(flight[1]) <= tonumber(ARGV[2]) then
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
  redis.call('HSET', KEYS[1], 'at', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
if ARGV[1] ~= '' and flight[2] == ARGV[1] then redis.call('HDEL', KEYS[1], 'token', 'until') end
if ARGV[6] ~= '0' then redis.call('SET', KEYS[3], ARGV[7], 'PX', ARGV[6]) end
return 1
"""
"""Keeps an answer, unless a later one is there, ends the claim that it was read under, and says for how long a job will
make the next read. KEYS: 1 flight 2 observation 3 look. ARGV: 1 token, empty for a read without a claim 2 claimed at ms
3 answer 4 its life in ms 5 life of the flight 6 ms that the next read is left to a job, 0 for none 7 what says so."""

DROP_SCRIPT: Final = """
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('HDEL', KEYS[1], 'token', 'until') end
return 1
"""
"""Ends a claim without an answer. KEYS: 1 flight. ARGV: 1 token."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation that is fresh enough: claimed at `at_ms`."""

    at_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Somebody else is reading, for `for_ms` at most before others may. Ask again with `since_ms`."""

    since_ms: int
    for_ms: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """The caller is to read now, and to land or drop what comes of it."""

    at_ms: int


def parse_claim(raw: Sequence[int | bytes]) -> Seen | Elsewhere | Claimed:
    """What CLAIM_SCRIPT answered."""
    code, first, second = raw
    if code == 1:
        assert isinstance(second, bytes)  # noqa: S101  # the script's contract
        return Seen(int(first), second)
    return Elsewhere(int(first), int(second)) if code == 2 else Claimed(int(second))
