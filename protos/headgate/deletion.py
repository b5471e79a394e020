"""The deletion of a finished job: its script, for callers and for what has expired."""

from __future__ import annotations

from typing import Final

from headgate import audit

DELETE_SCRIPT: Final = (
    audit.RECORD
    + """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'rev', 'uid')
local rev = found[1]
if not rev then
  for i = 3, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
  return 0
end
if rev ~= ARGV[2] or (found[2] and found[2] ~= ARGV[5]) then return -1 end
if ARGV[3] == '1' then
  local due = redis.call('ZSCORE', KEYS[6], ARGV[1])
  if not due or tonumber(due) > now then return -1 end
end
redis.call('DEL', KEYS[1], KEYS[2])
for i = 3, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
redis.pcall('XADD', KEYS[7], 'MAXLEN', '~', ARGV[4], '*', 'i', ARGV[1], 'r', '0', 'e', '')
record(KEYS[8], ARGV[6], ARGV[7], ARGV[8], 'jobs/' .. ARGV[1], ARGV[5], ARGV[9], rev)
return 1
"""
)
"""Deletes a finished job with its log, tells watchers, and records who did it. KEYS: 1 job 2 log 3 jobs 4 state 5 due
6 expiring 7 feed 8 audit. ARGV: 1 job id 2 revision 3 "1" only if it has expired 4 feed length 5 uid 6 actor 7 method 8
peer 9 connection. Without an actor nothing is recorded."""
