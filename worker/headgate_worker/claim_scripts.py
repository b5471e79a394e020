"""The scripts by which a lane's claims on ARQ entries begin, are renewed and end. The same keys mean what arq means."""

from __future__ import annotations

from typing import Final

CLAIM: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local most, left, spared = tonumber(ARGV[1]), {}, #ARGV - 3
for i = 4, #ARGV do left[ARGV[i]] = true end
local claimed, taken = {}, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, most + spared)) do
  if not left[id] and taken < most then
    if taken == 0 then redis.call('ZREM', KEYS[1], '') end
    taken = taken + 1
    local claim, again = 'arq:in-progress:' .. id, ARGV[2]
    if redis.call('SET', claim, ARGV[3], 'NX', 'PX', ARGV[2]) then
      claimed[#claimed + 1] = id
      local definition = redis.pcall('GET', 'arq:job:' .. id)
      claimed[#claimed + 1] = type(definition) == 'string' and definition or ''
    else
      again = math.max(1, redis.call('PTTL', claim))
    end
    redis.call('ZADD', KEYS[1], 'XX', now + again, id)
  end
end
if taken < most then redis.call('DEL', KEYS[2]) end
local ahead = redis.call('ZRANGE', KEYS[1], 0, spared, 'WITHSCORES')
for i = 1, #ahead, 2 do
  if not left[ahead[i]] then return {claimed, math.max(0, tonumber(ahead[i + 1]) - now)} end
end
return {claimed, -1}
"""
"""Claims due entries: the owner and a lease on each, and its score moved to the lease's end, so that running entries
leave the head of the queue. An entry that is due while its claim still stands comes again when that ends: both end in
the same millisecond, and a worker that was that early would make it wait for another lease. An entry whose definition
may not be read, which is none of ours, is claimed without one, so that it ends. Kicks are for entries that
are due: when all of those are claimed, none is left over. KEYS: 1 queue 2 kick. ARGV: 1 at most 2 lease in ms 3 owner
4.. ids that are left to others. Answers the ids with their definitions, and the ms until the next entry is due (-1:
none). It goes on in a full store, see `headgate.reserve`."""

RENEW: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local lost = {}
for i = 3, #ARGV do
  local key = 'arq:in-progress:' .. ARGV[i]
  if redis.call('GET', key) == ARGV[2] then
    redis.call('PEXPIRE', key, ARGV[1])
    redis.call('ZADD', KEYS[1], 'XX', now + ARGV[1], ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
"""
"""Renews leases. KEYS: 1 queue. ARGV: 1 lease in ms 2 owner 3.. entry ids. Answers the ids that are somebody else's."""

FINISH: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 2, #ARGV, 2 do
  local id, again = ARGV[i], ARGV[i + 1]
  if redis.call('GET', 'arq:in-progress:' .. id) == ARGV[1] then
    if again == '' then
      redis.call('ZREM', KEYS[1], id)
      redis.pcall('DEL', 'arq:in-progress:' .. id, 'arq:retry:' .. id, 'arq:job:' .. id)
    else
      redis.call('DEL', 'arq:in-progress:' .. id, 'arq:retry:' .. id)
      redis.call('ZADD', KEYS[1], 'XX', now + again, id)
    end
  end
end
return 1
"""
"""Ends claims, those that are still the owner's. KEYS: 1 queue. ARGV: 1 owner 2.. of each an entry id and the ms until
it is due again, '' when it is done."""
