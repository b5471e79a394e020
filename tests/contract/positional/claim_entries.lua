local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local most, left, spared = tonumber(ARGV[1]), {}, #ARGV - 3
for i = 4, #ARGV do left[ARGV[i]] = true end
local claimed, taken = {}, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, most + spared)) do
  if not left[id] and taken < most then
    if taken == 0 then redis.call('ZREM', KEYS[1], '') end
    taken = taken + 1
    local claim, again = 'arq:in-progress:' .. id, ARGV[2]
    if redis.call('SET', claim, ARGV[3], 'NX', 'PX', ARGV[2]) then
      claimed[#claimed + 1] = id
      local definition = redis.pcall('GET', 'arq:job:' .. id)
      claimed[#claimed + 1] = type(definition) == 'string' and definition or ''
    else
      again = math.max(1, redis.call('PTTL', claim))
    end
    redis.call('ZADD', KEYS[1], 'XX', now + again, id)
  end
end
if taken < most then redis.call('DEL', KEYS[2]) end
local ahead = redis.call('ZRANGE', KEYS[1], 0, spared, 'WITHSCORES')
for i = 1, #ahead, 2 do
  if not left[ahead[i]] then return {claimed, math.max(0, tonumber(ahead[i + 1]) - now)} end
end
return {claimed, -1}
