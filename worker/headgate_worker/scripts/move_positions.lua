-- Keep how far endpoints were told, unless another worker leads by now.
-- @keys leader positions
-- @argv owner fence ; endpoints_and_ids...
-- @returns FENCED | MOVED

local had_owner, had_fence = unpack(redis.call('HMGET', leader, 'owner', 'fence'))
if had_owner ~= owner or had_fence ~= fence then return FENCED end
redis.call('HDEL', positions, '')
redis.call('HSET', positions, unpack(endpoints_and_ids))
return MOVED
