local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[13] ~= '' then
  local seen = redis.call('GET', KEYS[9])
  if seen then return {-3, seen, now} end
end
local rev = tonumber(redis.call('HGET', KEYS[1], 'rev') or '0')
if rev ~= tonumber(ARGV[2]) then return {-1, rev, now} end
if ARGV[3] ~= '' and redis.call('HGET', KEYS[1], 'fence') ~= ARGV[3] then return {-2, rev, now} end
if redis.call('LLEN', KEYS[2]) ~= rev then return {-4, rev, now} end

local function lives(id) return redis.call('EXISTS', ARGV[22] .. id) == 1 end
local function in_line(id) return redis.call('HGET', KEYS[17], id) or '' end
if ARGV[4] ~= '1' and ARGV[26] == 'queue' and redis.call('ZCARD', KEYS[16]) >= tonumber(ARGV[27]) then
  return {-7, redis.call('ZCARD', KEYS[16]), now}
elseif ARGV[4] ~= '1' and ARGV[21] ~= '' and ARGV[26] ~= 'queue' then
  local wanted, taken, has, count, found, whole = {}, {}, {}, 0, {}, nil
  local function note(day, id)
    taken[day], has[id] = taken[day] or id, (has[id] or 0) + 1
    if has[id] == count then whole = whole or id end
  end
  for day in string.gmatch(ARGV[21], '%d+') do wanted[day], count = true, count + 1 end
  for day in string.gmatch(ARGV[21], '%d+') do
    local holder = redis.call('HGET', KEYS[15], day)
    if holder and holder ~= ARGV[1] and lives(holder) then note(day, holder) end
  end
  local mine = redis.call('ZSCORE', KEYS[16], ARGV[1])
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[16], '-inf', mine and '(' .. mine or '+inf')) do
    for day in string.gmatch(lives(id) and in_line(id) or '', '%d+') do
      if wanted[day] then note(day, id) end
    end
  end
  if ARGV[26] == 'join' and whole then
    if ARGV[13] ~= '' then redis.call('SET', KEYS[9], whole .. string.match(ARGV[13], ' .*$'), 'PX', ARGV[14]) end
    return {-6, whole, now}
  end
  for day in string.gmatch(ARGV[21], '%d+') do
    if taken[day] then found[#found + 1] = day .. ':' .. taken[day] end
  end
  if #found > 0 then return {-5, table.concat(found, ','), now} end
end

local first = 28
local count = #ARGV - first + 1
for i = 0, count - 1 do
  redis.call('RPUSH', KEYS[2], ARGV[first + i])
end
for i = 0, count - 1 do
  redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*',
    'i', ARGV[1], 'r', string.format('%d', rev + i + 1), 'e', ARGV[first + i])
end
rev = rev + count
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'rev', string.format('%d', rev), 'st', ARGV[15], 'att', '0', 'snap', ARGV[5])
else
  redis.call('HSET', KEYS[1], 'rev', string.format('%d', rev), 'st', ARGV[15], 'att', '0')
end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'hints', string.sub(ARGV[6], 2)) end
for i, field in ipairs({'reads', 'writes', 'throttled'}) do
  if ARGV[15 + i] ~= '0' then redis.call('HINCRBY', KEYS[1], field, ARGV[15 + i]) end
end
if ARGV[23] ~= '0' then redis.call('HINCRBY', KEYS[1], 'waited', ARGV[23]) end
if ARGV[24] ~= '' then redis.call('HSET', KEYS[1], 'polled', ARGV[24]) end
if ARGV[25] ~= '' then redis.call('HSET', KEYS[1], 'polls_at', ARGV[25]) end
local delay = ARGV[10]
if ARGV[19] ~= '' then
  if ARGV[8] ~= '' and redis.call('HDEL', KEYS[1], 'ring') == 1 then delay = '0' end
  redis.call('HSET', KEYS[1], 'lease', ARGV[19] == '0' and '0' or string.format('%d', now + ARGV[19]))
end
local seq = redis.call('HGET', KEYS[1], 'seq')
if not seq then
  seq = redis.call('INCR', KEYS[6])
  redis.call('HSET', KEYS[1], 'seq', seq)
  redis.call('ZADD', KEYS[5], seq, ARGV[1])
end
if KEYS[7] ~= KEYS[8] then
  redis.call('ZREM', KEYS[7], ARGV[1])
  redis.call('ZADD', KEYS[8], seq, ARGV[1])
end
if ARGV[4] == '1' then
  redis.call('ZREM', KEYS[4], ARGV[1])
  redis.call('ZADD', KEYS[10], now + ARGV[12], ARGV[1])
else
  redis.call('ZADD', KEYS[4], now + delay + ARGV[12], ARGV[1])
  redis.call('ZREM', KEYS[10], ARGV[1])
end
if ARGV[8] ~= '' or ARGV[4] == '1' then
  local old = redis.call('HGET', KEYS[1], 'wake')
  if old then
    redis.call('ZREM', KEYS[12], old)
    redis.call('DEL', 'arq:job:' .. old)
  end
  if ARGV[8] ~= '' then
    redis.call('HSET', KEYS[1], 'wake', ARGV[8])
  else
    redis.call('HDEL', KEYS[1], 'wake', 'att', 'polls_at')
  end
end
if ARGV[8] ~= '' then
  redis.call('PSETEX', KEYS[11], delay + ARGV[11], ARGV[9])
  redis.call('ZADD', KEYS[12], now + delay, ARGV[8])
  if delay == '0' then
    redis.call('LPUSH', KEYS[13], ARGV[8])
    redis.call('LTRIM', KEYS[13], 0, 999)
  end
end
if ARGV[13] ~= '' then redis.call('SET', KEYS[9], ARGV[13], 'PX', ARGV[14]) end
if ARGV[20] ~= '' and not redis.call('SET', KEYS[14], ARGV[20], 'NX', 'PX', ARGV[14] * 5) then
  if redis.call('GET', KEYS[14]) ~= ARGV[20] then redis.call('HSET', KEYS[1], 'marked', '1') end
end

if ARGV[21] ~= '' and ARGV[26] == 'queue' and ARGV[4] ~= '1' then
  redis.call('ZADD', KEYS[16], seq, ARGV[1])
  redis.call('HSET', KEYS[17], ARGV[1], ARGV[21])
elseif ARGV[21] ~= '' then
  redis.call('ZREM', KEYS[16], ARGV[1])
  redis.call('HDEL', KEYS[17], ARGV[1])
  for day in string.gmatch(ARGV[21], '%d+') do
    if ARGV[4] ~= '1' then
      redis.call('HSET', KEYS[15], day, ARGV[1])
    elseif redis.call('HGET', KEYS[15], day) == ARGV[1] then
      redis.call('HDEL', KEYS[15], day)
    end
  end
  for _, id in ipairs(ARGV[4] == '1' and redis.call('ZRANGE', KEYS[16], 0, -1) or {}) do
    if lives(id) then
      redis.call('HSET', ARGV[22] .. id, 'ring', '1')
      redis.call('ZADD', KEYS[4], 'XX', now, id)
      local wake = redis.call('HGET', ARGV[22] .. id, 'wake')
      if wake then
        redis.call('ZADD', KEYS[12], 'XX', now, wake)
        redis.call('LPUSH', KEYS[13], wake)
        redis.call('LTRIM', KEYS[13], 0, 999)
      end
    else
      redis.call('ZREM', KEYS[16], id)
      redis.call('HDEL', KEYS[17], id)
    end
  end
end

return {1, rev, now}
