"""Late ticks: the scripts by which a reaper finds jobs whose next look is overdue, and rings for those that need it."""

from __future__ import annotations

from typing import Final

REAP_SCRIPT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local late = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local head = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local first = head[2] and math.min(tonumber(head[2]), now) or now
local lost = {}
if #late > 0 then redis.call('ZREM', KEYS[1], '') end
for i = 1, #late, 2 do
  local id, due = late[i], tonumber(late[i + 1])
  redis.call('ZADD', KEYS[1], now + ARGV[2], id)
  local job = redis.pcall('HMGET', ARGV[3] .. id, 'wake', 'lease')
  local queued = job[1] and redis.call('ZSCORE', KEYS[2], job[1])
  local lease = tonumber(job[2] or '0') or 0
  if job.err or (not job[1] and redis.call('EXISTS', ARGV[3] .. id) == 0) then
    redis.call('ZREM', KEYS[1], id)
    if job.err then redis.call('ZADD', KEYS[3], now, id) end
  elseif not queued then
    lost[#lost + 1] = id
  elseif tonumber(queued) <= now and lease <= now and (lease > 0 or tonumber(queued) > due - ARGV[2]) then
    redis.call('ZADD', KEYS[2], first, job[1])
  end
end
return {now, lost, #late / 2, first}
"""
"""Finds jobs whose tick is late and grants each a new grace. One whose entry still stands in the queue comes in its
turn, so that a backlog is not made longer by ringing for all of it. One whose tick died comes before all others: its
lease has ended, or its entry was claimed, which moved its score, and the claim has ended before the tick began. One
that is gone is late no more, nor is one whose key is no job's: that one is marked as damaged. KEYS: 1 due 2 queue 3
damaged. ARGV: 1 at most 2 grace in ms 3 prefix of jobs. Answers {now, jobs to ring for, how many were late, score of
the head of the queue}."""

RING_SCRIPT: Final = """
local rung = 0
for i = 4, #ARGV, 3 do
  local job = ARGV[1] .. ARGV[i]
  if redis.call('TYPE', job).ok == 'hash' then
    redis.call('DEL', 'arq:job:' .. (redis.call('HGET', job, 'wake') or 'none'))
    redis.call('PSETEX', 'arq:job:' .. ARGV[i + 1], ARGV[2], ARGV[i + 2])
    redis.call('HSET', job, 'wake', ARGV[i + 1])
    redis.call('ZADD', KEYS[1], ARGV[3], ARGV[i + 1])
    redis.call('LPUSH', KEYS[2], ARGV[i + 1])
    rung = rung + 1
  end
end
redis.call('LTRIM', KEYS[2], 0, 999)
return rung
"""
"""Gives jobs whose next entry is gone another one. KEYS: 1 queue 2 kick. ARGV: 1 prefix of jobs 2 life of a definition
in ms 3 score 4.. job id, entry id and definition of each. Answers how many of the jobs are there."""
