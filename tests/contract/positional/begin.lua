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
