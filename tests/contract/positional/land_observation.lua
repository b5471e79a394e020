local flight = redis.call('HMGET', KEYS[1], 'at', 'token')
redis.call('HDEL', KEYS[1], '')
if not flight[1] or tonumber(flight[1]) <= tonumber(ARGV[2]) then
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
  redis.call('HSET', KEYS[1], 'at', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
if ARGV[1] ~= '' and flight[2] == ARGV[1] then redis.call('HDEL', KEYS[1], 'token', 'until') end
if ARGV[6] ~= '0' then redis.call('SET', KEYS[3], ARGV[7], 'PX', ARGV[6]) end
return 1
