-- Upstream throttled: 20 % off the rate, and a new epoch, so that slots that are still waited for are handed out anew.
-- Calls on their way were let out at the rate before, so that for a second further throttling says nothing about the new
-- one. The rate comes back by 1 % a second.
-- @keys quota
-- @argv lowest_factor keep_ms
-- @returns factor
-- @include now_us

local now = now_us()
local factor = tonumber(redis.call('HGET', quota, 'factor') or '1000')
redis.call('HDEL', quota, '')
if now > tonumber(redis.call('HGET', quota, 'deaf') or '0') then
  factor = math.max(tonumber(lowest_factor), math.floor(factor * 0.8))
  redis.call('HSET', quota, 'factor', string.format('%d', factor), 'factor_at', string.format('%d', now),
    'deaf', string.format('%d', now + 1000000))
  redis.call('HINCRBY', quota, 'epoch', 1)
  for _, lane in ipairs({'tat:read', 'tat:write', 'tat:total'}) do
    if tonumber(redis.call('HGET', quota, lane) or '0') > now then
      redis.call('HSET', quota, lane, string.format('%d', now))
    end
  end
end
redis.call('HINCRBY', quota, 'throttled', 1)
redis.call('PEXPIRE', quota, keep_ms)
return factor
