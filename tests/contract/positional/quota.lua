local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local class, pool = ARGV[1], ARGV[18]
local had = {}
local function fetch(...)
  local values = redis.call('HMGET', KEYS[1], ...)
  for i, name in ipairs({...}) do had[name] = values[i] end
end
local function number(field) return tonumber(had[field] or '0') end
fetch('day', 'epoch', 'factor', 'factor_at', 'frozen:' .. class)
redis.call('HDEL', KEYS[1], '')
local day = math.floor((t[1] + 28800) / 86400)
if number('day') ~= day then
  redis.call('HDEL', KEYS[1], 'used:read', 'used:write')
  redis.call('HSET', KEYS[1], 'day', string.format('%d', day))
end
local midnight = ((day + 1) * 86400 - 28800) * 1000
local frozen = number('frozen:' .. class)
if frozen * 1000 > now then return {2, frozen} end
local epoch = number('epoch')
local factor = had['factor'] and number('factor') or 1000
if factor < 1000 and now - number('factor_at') > 1000000 then
  factor = math.min(1000, factor + 10 * math.floor((now - number('factor_at')) / 1000000))
  redis.call('HSET', KEYS[1], 'factor', string.format('%d', factor), 'factor_at', string.format('%d', now))
end
local lanes = {}
for i, lane in ipairs({class, 'total'}) do
  local rate = tonumber(ARGV[2 + i]) * factor / 1000
  if rate > 0 then
    local room = math.max(1, math.floor(rate + 0.000001))
    lanes[#lanes + 1] = {tat = 'tat:' .. lane, step = 1000000 / (rate * ARGV[14]), sent = KEYS[1 + i],
      room = room, window = 1000000 * room / rate * ARGV[15], most = math.ceil(ARGV[2 + i])}
  end
end
local open = now
for _, lane in ipairs(lanes) do
  local before = redis.call('LINDEX', lane.sent, lane.room - 1)
  if before then open = math.max(open, before + lane.window) end
end
local function let_out()
  for _, lane in ipairs(lanes) do
    redis.call('LPUSH', lane.sent, string.format('%d', now))
    redis.call('LTRIM', lane.sent, 0, lane.most)
    redis.call('PEXPIRE', lane.sent, ARGV[9])
  end
  return {1, math.floor(now / 1000), epoch}
end
if ARGV[13] == string.format('%d', epoch) then
  if open > now then return {4, math.ceil(open / 1000), epoch} end
  return let_out()
end
fetch('used:read', 'used:write', 'tat:' .. class, 'tat:total', 'tat:cancel', 'alone:' .. pool, 'alone_at:' .. pool,
  'several:' .. pool)
local counted = ARGV[13] ~= ''
local reserve = ARGV[2] == '1' and 0 or tonumber(ARGV[7])
local used = number('used:' .. class)
if not counted and tonumber(ARGV[5]) > 0 and used + 1 > tonumber(ARGV[5]) - reserve then return {2, midnight} end
local all = number('used:read') + number('used:write')
if not counted and tonumber(ARGV[6]) > 0 and all + 1 > tonumber(ARGV[6]) - reserve then
  return {2, midnight}
end
local start, news = open, {}
for _, lane in ipairs(lanes) do
  if ARGV[2] ~= '1' then start = math.max(start, number(lane.tat)) end
end
if ARGV[2] == '1' then start = math.max(start, number('tat:cancel')) end
local reach = tonumber(ARGV[8]) * 1000

local several, who, step = false, ARGV[16], 1000
for _, lane in ipairs(lanes) do step = math.max(step, lane.step) end
local span = math.max(1000000, 4 * step)
local recent = math.max(5000000, 3 * span)
if ARGV[2] ~= '1' and who ~= '' then
  local before = had['alone:' .. pool]
  if had['several:' .. pool] then
    several = true
  elseif before and before ~= who and (now - number('alone_at:' .. pool) < recent or start - now > 2 * span) then
    several = true
    redis.call('ZADD', KEYS[4], had['alone_at:' .. pool], before)
  elseif before ~= who or now - number('alone_at:' .. pool) > 1000000 then
    news = {'alone:' .. pool, who, 'alone_at:' .. pool, string.format('%d', now)}
  end
end
if several and start - now > (had['several:' .. pool] and 30 or 2) * span then
  epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
  for _, lane in ipairs({'read', 'write', 'total', 'cancel'}) do
    local tat = math.min(now, tonumber(redis.call('HGET', KEYS[1], 'tat:' .. lane) or '0'))
    had['tat:' .. lane] = tat
    redis.call('HSET', KEYS[1], 'tat:' .. lane, string.format('%d', tat))
  end
  start = open
end
if several then
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now - recent)) do
    redis.call('ZREM', KEYS[4], gone)
    redis.call('HDEL', KEYS[5], 'tag:' .. gone, 'hungry:' .. gone, 'line:' .. gone, 'front:' .. gone, 'first:' .. gone)
  end
  redis.call('ZADD', KEYS[4], now, who)
  if redis.call('ZCARD', KEYS[4]) > 1 then
    redis.call('HSET', KEYS[1], 'several:' .. pool, string.format('%d', now))
  elseif now - number('several:' .. pool) > 600000000 then
    several = false
    redis.call('HDEL', KEYS[1], 'several:' .. pool)
    redis.call('DEL', KEYS[4], KEYS[5])
  end
end
if several then
  if start - now > reach then return {3, math.ceil(start / 1000)} end
  local fields = {'tag:' .. who, 'hungry:' .. who, 'line:' .. who, 'front:' .. who, 'first:' .. who}
  for _, other in ipairs(redis.call('ZREVRANGE', KEYS[4], 0, 100 - 1)) do
    if other ~= who then
      fields[#fields + 1] = 'tag:' .. other
      fields[#fields + 1] = 'hungry:' .. other
    end
  end
  local found = redis.call('HMGET', KEYS[5], unpack(fields))
  local function is_hungry(i) return found[i] and now - found[i] < recent end
  local least, rivals = nil, 0
  for i = 6, #fields, 2 do
    if is_hungry(i + 1) then
      least, rivals = math.min(least or math.huge, tonumber(found[i] or '0')), rivals + 1
    end
  end
  local ahead = math.ceil(span / step / (1 + rivals))
  local tag, hungry = tonumber(found[1] or '0'), is_hungry(2)
  if least then
    if not hungry then tag = math.max(tag, least) end
    tag = math.min(tag, least + ahead)
  end
  local since = now - (tonumber(ARGV[17]) + ARGV[10] * 60000) * 1000
  local front = tonumber(found[4] or since)
  local youth = 0
  if hungry and not counted and front < now then youth = math.max(0, math.min(1, (since - front) / (now - front))) end
  local lead = start - now
  local behind = not hungry or least and tag + ahead / 2 <= least
  local fits = lead <= span * (behind and 2 or 1 - youth / 2) and (not least or tag < least + ahead)
  if not fits and lead > span / 2 * (1 - youth / 2) then
    local line = youth > 0 and 3 or 5
    local at = math.min(now + 60000000, math.max(now + 1000000, tonumber(found[line] or '0') + step / 2))
    redis.call('HSET', KEYS[5], fields[line], string.format('%d', at), 'hungry:' .. who, string.format('%d', now),
      'tag:' .. who, tag)
    redis.call('PEXPIRE', KEYS[4], ARGV[9])
    redis.call('PEXPIRE', KEYS[5], ARGV[9])
    return {5, math.ceil(at / 1000)}
  end
  redis.call('HSET', KEYS[5], 'tag:' .. who, tag + 1, 'front:' .. who, string.format('%d', front + (since - front) / 8))
  redis.call('PEXPIRE', KEYS[4], ARGV[9])
  redis.call('PEXPIRE', KEYS[5], ARGV[9])
end

if ARGV[2] ~= '1' and not several then
  local urgent = redis.call('HMGET', KEYS[1], 'urgent:1', 'urgent:2', 'urgent:3', 'urgent:4', 'urgent:5', 'urgent:6',
    'urgent:7', 'urgent:8', 'urgent:9')
  for other = ARGV[10] + 1, 9 do
    if urgent[other] and now - urgent[other] < ARGV[12] * 1000 then reach = math.min(reach, ARGV[11] * 1000) end
  end
  if ARGV[10] ~= '0' then redis.call('HSET', KEYS[1], 'urgent:' .. ARGV[10], string.format('%d', now)) end
end
if start - now > reach then return {3, math.ceil(start / 1000)} end
for _, lane in ipairs(lanes) do
  local from = math.max(number(lane.tat), start)
  news[#news + 1] = lane.tat
  news[#news + 1] = string.format('%d', from + lane.step)
  if ARGV[2] == '1' then redis.call('HSET', KEYS[1], 'tat:cancel', string.format('%d', start + lane.step)) end
end
if #news > 0 then redis.call('HSET', KEYS[1], unpack(news)) end
if not counted then redis.call('HINCRBY', KEYS[1], 'used:' .. class, 1) end
redis.call('PEXPIRE', KEYS[1], ARGV[9])
if start > now then return {4, math.ceil(start / 1000), epoch} end
return let_out()
