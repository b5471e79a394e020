"""The deletion of a finished job: its script, for callers and for what has expired."""

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
