local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local factor = tonumber(redis.call('HGET', KEYS[1], 'factor') or '1000')
redis.call('HDEL', KEYS[1], '')
if now > tonumber(redis.call('HGET', KEYS[1], 'deaf') or '0') then
  factor = math.max(tonumber(ARGV[1]), math.floor(factor * 0.8))
  redis.call('HSET', KEYS[1], 'factor', string.format('%d', factor), 'factor_at', string.format('%d', now),
    'deaf', string.format('%d', now + 1000000))
  redis.call('HINCRBY', KEYS[1], 'epoch', 1)
  for _, lane in ipairs({'tat:read', 'tat:write', 'tat:total'}) do
    if tonumber(redis.call('HGET', KEYS[1], lane) or '0') > now then
      redis.call('HSET', KEYS[1], lane, string.format('%d', now))
    end
  end
end
redis.call('HINCRBY', KEYS[1], 'throttled', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return factor
