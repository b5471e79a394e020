local rung = 0
for i = 4, #ARGV, 3 do
  local job = ARGV[1] .. ARGV[i]
  if redis.call('TYPE', job).ok == 'hash' then
    redis.call('DEL', 'arq:job:' .. (redis.call('HGET', job, 'wake') or 'none'))
    redis.call('PSETEX', 'arq:job:' .. ARGV[i + 1], ARGV[2], ARGV[i + 2])
    redis.call('HSET', job, 'wake', ARGV[i + 1])
    redis.call('ZADD', KEYS[1], ARGV[3], ARGV[i + 1])
    redis.call('LPUSH', KEYS[2], ARGV[i + 1])
    rung = rung + 1
  end
end
redis.call('LTRIM', KEYS[2], 0, 999)
return rung
