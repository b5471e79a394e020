local columns = redis.call('HMGET', KEYS[1], unpack(ARGV, 4))
local length, at = redis.call('LLEN', KEYS[2]), tonumber(ARGV[1])
local last, bytes, events = math.min(at + tonumber(ARGV[2]), length) - 1, 0, {}
while at <= last and bytes < tonumber(ARGV[3]) do
  for _, event in ipairs(redis.call('LRANGE', KEYS[2], at, math.min(at + 63, last))) do
    bytes = bytes + #event
    if #events > 0 and bytes > tonumber(ARGV[3]) then break end
    events[#events + 1] = event
  end
  at = at + 64
end
local exists = columns[1] and 1 or redis.call('EXISTS', KEYS[1])
return {columns, length, events, redis.call('LRANGE', KEYS[2], -1, -1), exists}
