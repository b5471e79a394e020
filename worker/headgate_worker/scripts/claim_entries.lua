-- Claim due entries: the owner and a lease on each, and its score moved to the lease's end, so that running entries leave the
-- head of the queue.
--
-- An entry that is due while its claim still stands comes again when that ends: both end in the same millisecond, and a
-- worker that was that early would make it wait for another lease. An entry whose definition may not be read, which is none
-- of ours, is claimed without one, so that it ends. Kicks are for entries that are due: when all of those are claimed, none
-- is left over. It goes on in a full store, see `headgate.store.reserve`. `left` are ids that are left to others.
-- @keys queue kick
-- @argv most lease_ms owner ; left...
-- @returns ids_and_definitions ms_until_the_next_is_due_or_-1
-- @constants ARQ_JOB ARQ_IN_PROGRESS
-- @include now_ms

local now = now_ms()
local wanted, skipped, spared = tonumber(most), {}, #left
for i = 1, spared do skipped[left[i]] = true end
local claimed, taken = {}, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, wanted + spared)) do
  if not skipped[id] and taken < wanted then
    if taken == 0 then redis.call('ZREM', queue, '') end
    taken = taken + 1
    local claim, again_ms = ARQ_IN_PROGRESS .. id, lease_ms
    if redis.call('SET', claim, owner, 'NX', 'PX', lease_ms) then
      claimed[#claimed + 1] = id
      local definition = redis.pcall('GET', ARQ_JOB .. id)
      claimed[#claimed + 1] = type(definition) == 'string' and definition or ''
    else
      again_ms = math.max(1, redis.call('PTTL', claim))
    end
    redis.call('ZADD', queue, 'XX', now + again_ms, id)
  end
end
if taken < wanted then redis.call('DEL', kick) end
local ahead = redis.call('ZRANGE', queue, 0, spared, 'WITHSCORES')
for i = 1, #ahead, 2 do
  if not skipped[ahead[i]] then return {claimed, math.max(0, tonumber(ahead[i + 1]) - now)} end
end
return {claimed, -1}
