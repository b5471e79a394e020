local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'lease', string.format('%d', now + ARGV[3]))
redis.call('ZADD', KEYS[2], 'XX', now + ARGV[3] + ARGV[4], ARGV[1])
return 1
