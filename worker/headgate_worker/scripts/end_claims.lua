-- End claims, those that are still the owner's. `ends` has of each an entry's id and the ms until it is due again, empty when
-- it is done.
-- @keys queue
-- @argv owner ; ends...
-- @constants ARQ_JOB ARQ_IN_PROGRESS ARQ_RETRY
-- @include now_ms

local now = now_ms()
for i = 1, #ends, 2 do
  local id, again_ms = ends[i], ends[i + 1]
  local claim = ARQ_IN_PROGRESS .. id
  if redis.call('GET', claim) == owner then
    if again_ms == '' then
      redis.call('ZREM', queue, id)
      redis.pcall('DEL', claim, ARQ_RETRY .. id, ARQ_JOB .. id)
    else
      redis.call('DEL', claim, ARQ_RETRY .. id)
      redis.call('ZADD', queue, 'XX', now + again_ms, id)
    end
  end
end
return 1
