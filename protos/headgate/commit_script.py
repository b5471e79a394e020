"""The text of the commit script; `headgate.commit` has its arguments and its answers.

Lua does not roll back, so everything that can refuse comes before the first write, and the first write is the one that
can fail. What concerns dates, bounds and charges alone stands in modules of its own, and is put in here.
"""

from __future__ import annotations

from typing import Final

from headgate import audit, charges, keys, log_bounds, overlap
from headgate.lifecycle import JOB_TERMINAL

SCRIPT: Final = (
    audit.RECORD
    + overlap.FUNCTIONS
    + charges.CHANGE
    + """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[13] ~= '' then
  local seen = redis.call('GET', KEYS[9])
  if seen then return {-3, seen, now, redis.call('GET', KEYS[18]) or ''} end
end
local had = redis.call('HMGET', KEYS[1], 'rev', 'uid', 'fence', 'seq', 'wake', 'ring', 'lb', 'owed')
local rev = tonumber(had[1] or '0')
if had[2] and had[2] ~= ARGV[28] then return {ARGV[3] == '' and -1 or -2, rev, now} end
if rev ~= tonumber(ARGV[2]) then return {-1, rev, now} end
if ARGV[3] ~= '' and had[3] ~= ARGV[3] then return {-2, rev, now} end
if redis.call('LLEN', KEYS[2]) ~= rev then return {-4, rev, now} end
if ARGV[35] == 'refuse' then return {-12, rev, now} end
"""
    + log_bounds.CHECK
    + overlap.CHECK
    + charges.CHECK
    + """
local wakes_anew = ARGV[8] ~= '' or ARGV[4] == '1'
if ARGV[35] == 'reserve' then redis.call('ZREM', KEYS[12], wakes_anew and had[5] or '') end
for i = 0, count - 1 do
  redis.call('RPUSH', KEYS[2], ARGV[first + i])
end
for i = 0, count - 1 do
  local shown, number = ARGV[first + count + i], string.format('%d', rev + i + 1)
  if shown and shown ~= '' then
    redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'i', ARGV[1], 'r', number,
      'e', string.sub(shown, 17), 'd', string.sub(shown, 1, 16))
  else
    redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'i', ARGV[1], 'r', number, 'e', ARGV[first + i])
  end
end
local values = {'rev', string.format('%d', rev + count), 'st', ARGV[15], 'att', '0', 'lb', string.format('%d', bytes)}
local filled = 8
local function put(field, value)
  values[filled + 1], values[filled + 2] = field, value
  filled = filled + 2
end
if ARGV[5] ~= '' then put('snap', ARGV[5]) end
if ARGV[6] ~= '' then put('hints', string.sub(ARGV[6], 2)) end
for i, field in ipairs({'reads', 'writes', 'throttled'}) do
  if ARGV[15 + i] ~= '0' then redis.call('HINCRBY', KEYS[1], field, ARGV[15 + i]) end
end
if ARGV[23] ~= '0' then redis.call('HINCRBY', KEYS[1], 'waited', ARGV[23]) end
if ARGV[24] ~= '' then put('polled', ARGV[24]) end
if ARGV[25] ~= '' then put('polls_at', ARGV[25]) end
local delay = ARGV[10]
if ARGV[19] ~= '' then
  if ARGV[8] ~= '' and had[6] then
    redis.call('HDEL', KEYS[1], 'ring')
    delay = '0'
  end
  put('lease', ARGV[19] == '0' and '0' or string.format('%d', now + ARGV[19]))
end
local seq = had[4]
if not seq then
  seq = redis.call('INCR', KEYS[6])
  put('seq', seq)
  put('uid', ARGV[28])
  put('conn', ARGV[29])
  put('fence', string.format('%d', seq * 1048576))
  redis.call('ZADD', KEYS[5], seq, ARGV[1])
end
if ARGV[8] ~= '' then put('wake', ARGV[8]) end
"""
    + charges.TAKE
    + """
redis.call('HSET', KEYS[1], unpack(values))
if KEYS[7] ~= KEYS[8] then
  if had[1] then redis.call('ZREM', KEYS[7], ARGV[1]) end
  redis.call('ZADD', KEYS[8], seq, ARGV[1])
end
if ARGV[4] == '1' then
  redis.call('ZREM', KEYS[4], ARGV[1])
  redis.call('ZADD', KEYS[10], now + ARGV[12], ARGV[1])
else
  if ENDED then redis.call('ZREM', KEYS[10], ARGV[1]) end
  redis.call('ZADD', KEYS[4], now + delay + ARGV[12], ARGV[1])
end
if wakes_anew then
  if had[5] then
    if ARGV[35] ~= 'reserve' then redis.call('ZREM', KEYS[12], had[5]) end
    redis.call('DEL', 'arq:job:' .. had[5])
  end
  if ARGV[8] == '' then redis.call('HDEL', KEYS[1], 'wake', 'att', 'polls_at') end
end
if ARGV[8] ~= '' then
  redis.call('PSETEX', KEYS[11], delay + ARGV[11], ARGV[9])
  redis.call('ZADD', KEYS[12], now + delay, ARGV[8])
  if delay == '0' then
    if redis.call('LPUSH', KEYS[13], ARGV[8]) > 1000 then redis.call('LTRIM', KEYS[13], 0, 999) end
  end
end
if ARGV[13] ~= '' then
  redis.call('SET', KEYS[9], ARGV[13], 'PX', ARGV[14])
  redis.call('SET', KEYS[18], ARGV[28], 'PX', ARGV[14])
end
for _, name in ipairs(ARGV[20] == '' and {} or KEYS[14] == KEYS[25] and {KEYS[14]} or {KEYS[14], KEYS[25]}) do
  if not redis.call('SET', name, ARGV[20], 'NX', 'PX', ARGV[14] * 5) and redis.call('GET', name) ~= ARGV[20] then
    redis.call('HSET', KEYS[1], 'marked', '1')
  end
end
"""
    + overlap.CHANGE
    + """
record(KEYS[19], ARGV[30], ARGV[31], ARGV[32], 'jobs/' .. ARGV[1], ARGV[28], ARGV[29], string.format('%d', rev + count))
return {1, rev + count, now}
"""
).replace("ENDED", " or ".join(f"KEYS[7] == '{keys.state(state)}'" for state in sorted(JOB_TERMINAL)))
"""A job has one next tick: a commit that brings another takes the one before off the queue, so that a tick too many
never becomes a second chain of ticks. A store whose memory is used up refuses a script's first write, and only that, if
it needs memory: what may use the reserve begins with one that takes something away. Each life of an id has a million
fences of its own, so that a tick of an earlier one renews and gives back nothing. KEYS: 1 job 2 log 3 feed 4 due
5 jobs 6 sequence 7 state before 8 state after 9 request 10 expiring 11 definition 12 queue 13 kick 14 name 15 dates
16 line 17 wants 18 life of the request's job 19 audit 20 stored 21 recount, and under the connection's other name
22 to 24 as 15 to 17 and 25 as 14. ARGV: see `commit.script_arguments`. Answers {code, revision or record, now in ms},
and for a record the uid of its job."""
