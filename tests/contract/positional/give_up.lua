local t = redis.call('TIME')
local fence, wake = redis.pcall('HGET', KEYS[1], 'fence'), redis.pcall('HGET', KEYS[1], 'wake')
if ARGV[2] ~= '' and fence ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
if type(wake) == 'string' then
  redis.call('ZREM', KEYS[3], wake)
  redis.call('DEL', 'arq:job:' .. wake)
end
if redis.call('TYPE', KEYS[1]).ok == 'hash' then
  redis.call('HSET', KEYS[1], 'bad', '1', 'lease', '0')
  redis.call('HDEL', KEYS[1], 'wake', 'ring')
end
redis.call('ZADD', KEYS[4], t[1] * 1000 + math.floor(t[2] / 1000), ARGV[1])
return 1
