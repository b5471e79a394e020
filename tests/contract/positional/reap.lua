local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local late = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local head = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local first = head[2] and math.min(tonumber(head[2]), now) or now
local lost = {}
if #late > 0 then redis.call('ZREM', KEYS[1], '') end
for i = 1, #late, 2 do
  local id, due = late[i], tonumber(late[i + 1])
  redis.call('ZADD', KEYS[1], now + ARGV[2], id)
  local job = redis.pcall('HMGET', ARGV[3] .. id, 'wake', 'lease')
  local queued = job[1] and redis.call('ZSCORE', KEYS[2], job[1])
  local lease = tonumber(job[2] or '0') or 0
  if job.err or (not job[1] and redis.call('EXISTS', ARGV[3] .. id) == 0) then
    redis.call('ZREM', KEYS[1], id)
    if job.err then redis.call('ZADD', KEYS[3], now, id) end
  elseif not queued then
    lost[#lost + 1] = id
  elseif tonumber(queued) <= now and lease <= now and (lease > 0 or tonumber(queued) > due - ARGV[2]) then
    redis.call('ZADD', KEYS[2], first, job[1])
  end
end
return {now, lost, #late / 2, first}
