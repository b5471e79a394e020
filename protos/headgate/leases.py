"""The lease of a job: the scripts by which a tick takes it, keeps it and gives it back.

Each begins its writes with one that takes something away, so that a store without memory does not refuse the others;
see `headgate.reserve`.
"""

from __future__ import annotations

from typing import Final

BEGIN_SCRIPT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'rev', 'snap', 'hints', 'reads', 'writes', 'throttled', 'marked', 'lease')
local first = found[1] and not found[2] and redis.call('LINDEX', KEYS[3], 0)
if not found[2] and not first then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return {0, now}
end
redis.call('HDEL', KEYS[1], 'ring')
local lease = tonumber(found[8] or '0')
if lease > 0 and lease + ARGV[4] > now then
  redis.call('HSET', KEYS[1], 'ring', '1')
  return {2, now, lease + ARGV[4] - now}
end
local fence = redis.call('HINCRBY', KEYS[1], 'fence', 1)
local attempts = redis.call('HINCRBY', KEYS[1], 'att', 1)
redis.call('HSET', KEYS[1], 'lease', string.format('%d', now + ARGV[2]))
redis.call('ZADD', KEYS[2], 'XX', now + ARGV[2] + ARGV[3], ARGV[1])
return {1, now, fence, attempts, found[2] or '', found[3] or '', found[4] or '0', found[5] or '0', found[6] or '0',
  found[7] or '0', first or ''}
"""
"""Takes a job for one tick: a new fence shuts out whoever had it before, and the attempt is counted before anything
can kill the process. A job whose lease runs is not taken; whoever has it is asked to ring again at its end. KEYS: 1
job 2 due 3 log. ARGV: 1 job id 2 lease in ms 3 ms after the lease until the reaper rings 4 ms that a lease is given
beyond its end. Answers {0, now} when the job is gone, {2, now, ms until it can be taken} when it is busy, else {1, now,
fence, attempts, snapshot, hints, reads, writes, throttled, marked, the first event when there is no snapshot}."""

RENEW_SCRIPT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'lease', string.format('%d', now + ARGV[3]))
redis.call('ZADD', KEYS[2], 'XX', now + ARGV[3] + ARGV[4], ARGV[1])
return 1
"""
"""Keeps a job for another lease. KEYS: 1 job 2 due. ARGV: 1 job id 2 fence 3 lease in ms 4 grace in ms."""

RELEASE_SCRIPT: Final = """
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'lease', '0')
if ARGV[2] == '1' and tonumber(redis.call('HGET', KEYS[1], 'att') or '0') > 0 then
  redis.call('HINCRBY', KEYS[1], 'att', -1)
end
return 1
"""
"""Gives a job back before its tick is over. KEYS: 1 job. ARGV: 1 fence 2 "1" takes the counted attempt back, for a
tick that a shutdown cut short; "0" leaves it, for one that broke."""

GIVE_UP_SCRIPT: Final = """
local t = redis.call('TIME')
local fence, wake = redis.pcall('HGET', KEYS[1], 'fence'), redis.pcall('HGET', KEYS[1], 'wake')
if ARGV[2] ~= '' and fence ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
if type(wake) == 'string' then
  redis.call('ZREM', KEYS[3], wake)
  redis.call('DEL', 'arq:job:' .. wake)
end
if redis.call('TYPE', KEYS[1]).ok == 'hash' then
  redis.call('HSET', KEYS[1], 'bad', '1', 'lease', '0')
  redis.call('HDEL', KEYS[1], 'wake', 'ring')
end
redis.call('ZADD', KEYS[4], t[1] * 1000 + math.floor(t[2] / 1000), ARGV[1])
return 1
"""
"""Takes a job that can't be read out of all that would have it looked at again, and marks it. Nothing is added to its
log, since nobody can tell what follows. KEYS: 1 job 2 due 3 queue 4 damaged. ARGV: 1 job id 2 fence or ''."""
