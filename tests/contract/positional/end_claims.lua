local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 2, #ARGV, 2 do
  local id, again = ARGV[i], ARGV[i + 1]
  if redis.call('GET', 'arq:in-progress:' .. id) == ARGV[1] then
    if again == '' then
      redis.call('ZREM', KEYS[1], id)
      redis.pcall('DEL', 'arq:in-progress:' .. id, 'arq:retry:' .. id, 'arq:job:' .. id)
    else
      redis.call('DEL', 'arq:in-progress:' .. id, 'arq:retry:' .. id)
      redis.call('ZADD', KEYS[1], 'XX', now + again, id)
    end
  end
end
return 1
