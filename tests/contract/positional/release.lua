if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'lease', '0')
if ARGV[2] == '1' and tonumber(redis.call('HGET', KEYS[1], 'att') or '0') > 0 then
  redis.call('HINCRBY', KEYS[1], 'att', -1)
end
return 1
