-- Renew the leases of an owner's claims.
-- @keys queue
-- @argv lease_ms owner ; ids...
-- @returns ids_that_are_claimed_by_others
-- @constants ARQ_IN_PROGRESS
-- @include now_ms

local now = now_ms()
local lost = {}
for _, id in ipairs(ids) do
  local claim = ARQ_IN_PROGRESS .. id
  if redis.call('GET', claim) == owner then
    redis.call('PEXPIRE', claim, lease_ms)
    redis.call('ZADD', queue, 'XX', now + lease_ms, id)
  else
    lost[#lost + 1] = id
  end
end
return lost
