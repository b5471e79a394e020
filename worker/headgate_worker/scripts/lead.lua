-- Lead the notifications, or go on leading, for a lease. Each new leader has a higher fence than the one before.
-- @keys leader
-- @argv owner lease_ms
-- @returns fence_or_0_while_another_leads
-- @include now_ms

local now = now_ms()
local had_owner, had_until, fence = unpack(redis.call('HMGET', leader, 'owner', 'until', 'fence'))
if had_owner and had_owner ~= owner and now < tonumber(had_until or '0') then return 0 end
redis.call('HDEL', leader, '')
if had_owner ~= owner then fence = redis.call('HINCRBY', leader, 'fence', 1) end
redis.call('HSET', leader, 'owner', owner, 'until', string.format('%d', now + lease_ms))
return tonumber(fence)
