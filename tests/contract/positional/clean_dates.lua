local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'zset' then return redis.call('ZREM', KEYS[1], ARGV[1]) end
if kind ~= 'hash' then return 0 end
local found, gone = redis.call('HGETALL', KEYS[1]), redis.call('HDEL', KEYS[1], ARGV[1])
for i = 1, #found, 2 do
  if found[i + 1] == ARGV[1] then gone = gone + redis.call('HDEL', KEYS[1], found[i]) end
end
return gone
