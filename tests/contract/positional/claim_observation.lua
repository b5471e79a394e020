local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local since = ARGV[1] == '' and now or tonumber(ARGV[1])
local flight = redis.call('HMGET', KEYS[1], 'at', 'until')
if flight[1] and tonumber(flight[1]) >= since then
  local seen = redis.call('GET', KEYS[2])
  if seen then return {1, tonumber(flight[1]), seen} end
end
if flight[2] and tonumber(flight[2]) > now then return {2, since, tonumber(flight[2]) - now} end
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'until', string.format('%d', now + ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {3, since, now}
