"""The deletion of a finished job, for callers and for what has expired, and of one that can't be read: the scripts."""

from __future__ import annotations

from typing import Final

from headgate import audit, charges, commit, keys, pb
from headgate.audit import NOBODY, Origin

DELETE_SCRIPT: Final = (
    audit.RECORD
    + charges.CHANGE
    + """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local had = redis.call('HMGET', KEYS[1], 'rev', 'uid', 'seq', 'by', 'conn', 'owed')
local rev = had[1]
if not rev then
  for i = 3, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
  return 0
end
if rev ~= ARGV[2] or (had[2] and had[2] ~= ARGV[5]) then return -1 end
if ARGV[3] == '1' then
  local due = redis.call('ZSCORE', KEYS[6], ARGV[1])
  if not due or tonumber(due) > now then return -1 end
end
redis.call('DEL', KEYS[1], KEYS[2])
for i = 3, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
redis.pcall('XADD', KEYS[7], 'MAXLEN', '~', ARGV[4], '*', 'i', ARGV[1], 'r', '0', 'e', '')
if had[4] and had[6] then change_charge(KEYS[9], KEYS[10], had[4], had[5] or '', -1, -had[6], had[3] or '0') end
record(KEYS[8], ARGV[6], ARGV[7], ARGV[8], 'jobs/' .. ARGV[1], ARGV[5], ARGV[9], rev)
return 1
"""
)
"""Deletes a finished job with its log, gives its charge back, tells watchers, and records who did it. Its first write
needs no memory, so that a full store can be cleared. KEYS: see `script_keys`. ARGV: see `script_arguments`. Answers 1
when it is done, 0 when there is no such job, -1 when it has moved on or another has its id."""


def script_keys(job_id: str, state: int) -> list[str]:
    """KEYS: 1 job 2 log 3 jobs 4 state 5 due 6 expiring 7 feed 8 audit 9 stored 10 recount."""
    indexes = [keys.JOBS, keys.state(pb.JobState.ValueType(state)), keys.DUE, keys.EXPIRING]
    return [keys.job(job_id), keys.log(job_id), *indexes, keys.FEED, keys.AUDIT, charges.STORED, charges.RECOUNT]


def script_arguments(
    job_id: str, revision: int, uid: str, *, connection: str = "", origin: Origin = NOBODY, only_expired: bool = False
) -> list[str | int]:
    """ARGV: 1 job id 2 revision 3 "1" only if it has expired 4 feed length 5 uid 6 actor 7 method 8 peer 9 connection.

    The uid is empty where none is known. Without an actor nothing is recorded.
    """
    who = (origin.actor, origin.method, origin.peer, connection)
    return [job_id, revision, int(only_expired), commit.FEED_LENGTH, uid, *who]


FORGET_SCRIPT: Final = (
    audit.RECORD
    + charges.CHANGE
    + """
local function field(name)
  local value = redis.pcall('HGET', KEYS[1], name)
  return type(value) == 'string' and value or ''
end
if field('rev') ~= ARGV[3] or field('uid') ~= ARGV[4] then return 0 end
local wake, by, owed = field('wake'), field('by'), tonumber(field('owed'))
local on, seq = field('conn'), tonumber(field('seq')) or 0
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[4], wake)
redis.call('DEL', 'arq:job:' .. (wake ~= '' and wake or 'none'))
for i = 8, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2], '*', 'i', ARGV[1], 'r', '0', 'e', '')
if by ~= '' and owed then change_charge(KEYS[6], KEYS[7], by, on, -1, -owed, seq) end
record(KEYS[5], ARGV[5], ARGV[6], ARGV[7], 'jobs/' .. ARGV[1], ARGV[4], on, ARGV[3])
return 1
"""
)
"""Deletes a job that can't be read, in whatever state it is, of whatever type its keys are, and gives back what its
row says that it was charged. KEYS: see `forget_keys`. ARGV: see `forget_arguments`. Answers 0 where another row
stands there by now."""

CLEAN_SCRIPT: Final = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'zset' then return redis.call('ZREM', KEYS[1], ARGV[1]) end
if kind ~= 'hash' then return 0 end
local found, gone = redis.call('HGETALL', KEYS[1]), redis.call('HDEL', KEYS[1], ARGV[1])
for i = 1, #found, 2 do
  if found[i + 1] == ARGV[1] then gone = gone + redis.call('HDEL', KEYS[1], found[i]) end
end
return gone
"""
"""Takes a job off what is kept of the dates of one target, since nobody can tell which dates it had. KEYS: 1 its
holders, its line, or what those in line want. ARGV: 1 job id. Answers how much was taken away."""


def forget_keys(job_id: str) -> list[str]:
    """KEYS: 1 job 2 log 3 feed 4 queue 5 audit 6 stored 7 recount 8.. every set that may have the job."""
    sets = (keys.JOBS, keys.DUE, keys.EXPIRING, keys.DAMAGED, *map(keys.state, pb.JobState.values()))
    others = (keys.FEED, keys.TICKS, keys.AUDIT, charges.STORED, charges.RECOUNT)
    return [keys.job(job_id), keys.log(job_id), *others, *sets]


def forget_arguments(job_id: str, seen: tuple[bytes, bytes], origin: Origin = NOBODY) -> list[str | int | bytes]:
    """ARGV: 1 job id 2 feed length 3 revision and 4 uid of the row that is meant 5 actor 6 method 7 peer.

    Revision and uid are each empty where the row has none.
    """
    return [job_id, commit.FEED_LENGTH, *seen, origin.actor, origin.method, origin.peer]
