-- Let a call out, or hand it a slot: the time at which it may go out.
--
-- A slot is shown again before it is used: one of an earlier epoch was handed out at a rate that has proved too high, or
-- when no other creator asked, and its call gets another one; so may one whose calls before it came late. How creators share
-- the slots stands in `headgate.quota.fair_share`; `quota.admission.QuotaArguments` says what the arguments are.
-- @keys quota sent_class sent_total creators turns
-- @argv klass is_cancel own_qps total_qps own_daily total_daily cancel_reserve patience_ms keep_ms
-- @argv priority reach_ms urgent_ms held_epoch share window_length creator waited_ms pool
-- @returns LET_OUT at_ms epoch | FROZEN until_ms | CROWDED at_ms | SLOT at_ms epoch | LATER at_ms
-- @constants LEAD_US RECENT_US APART_US REMEMBER_US AGAIN_US LATEST_US STEP_MS FAR MOST_CREATORS
-- @include now_us

local now = now_us()
local had = {}
local function fetch(...)
  local values = redis.call('HMGET', quota, ...)
  for i, name in ipairs({...}) do had[name] = values[i] end
end
local function number(field) return tonumber(had[field] or '0') end
local function whole(value) return string.format('%d', value) end

-- Day, freeze and rate.
fetch('day', 'epoch', 'factor', 'factor_at', 'frozen:' .. klass)
redis.call('HDEL', quota, '')
local day = math.floor((math.floor(now / 1000000) + 28800) / 86400)
if number('day') ~= day then
  redis.call('HDEL', quota, 'used:read', 'used:write')
  redis.call('HSET', quota, 'day', whole(day))
end
local midnight = ((day + 1) * 86400 - 28800) * 1000
local frozen = number('frozen:' .. klass)
if frozen * 1000 > now then return {FROZEN, frozen} end
local epoch = number('epoch')
local factor = had['factor'] and number('factor') or 1000
if factor < 1000 and now - number('factor_at') > 1000000 then
  factor = math.min(1000, factor + 10 * math.floor((now - number('factor_at')) / 1000000))
  redis.call('HSET', quota, 'factor', whole(factor), 'factor_at', whole(now))
end

-- The lanes that the call passes: that of its class and that of all calls, where they have a rate.
local lanes = {}
local function add_lane(name, qps, sent)
  local rate = tonumber(qps) * factor / 1000
  if rate > 0 then
    local room = math.max(1, math.floor(rate + 0.000001))
    lanes[#lanes + 1] = {tat = 'tat:' .. name, step = 1000000 / (rate * share), sent = sent, room = room,
      window = 1000000 * room / rate * window_length, most = math.ceil(qps)}
  end
end
add_lane(klass, own_qps, sent_class)
add_lane('total', total_qps, sent_total)
local open = now
for _, lane in ipairs(lanes) do
  local before = redis.call('LINDEX', lane.sent, lane.room - 1)
  if before then open = math.max(open, before + lane.window) end
end
local function let_out()
  for _, lane in ipairs(lanes) do
    redis.call('LPUSH', lane.sent, whole(now))
    redis.call('LTRIM', lane.sent, 0, lane.most)
    redis.call('PEXPIRE', lane.sent, keep_ms)
  end
  return {LET_OUT, math.floor(now / 1000), epoch}
end
if held_epoch == whole(epoch) then
  if open > now then return {SLOT, math.ceil(open / 1000), epoch} end
  return let_out()
end

-- What the day has left.
fetch('used:read', 'used:write', 'tat:' .. klass, 'tat:total', 'tat:cancel', 'alone:' .. pool, 'alone_at:' .. pool,
  'several:' .. pool)
local cancels, counted = is_cancel == '1', held_epoch ~= ''
local reserve = cancels and 0 or tonumber(cancel_reserve)
local used = number('used:' .. klass)
if not counted and tonumber(own_daily) > 0 and used + 1 > tonumber(own_daily) - reserve then
  return {FROZEN, midnight}
end
local all = number('used:read') + number('used:write')
if not counted and tonumber(total_daily) > 0 and all + 1 > tonumber(total_daily) - reserve then
  return {FROZEN, midnight}
end

-- The next free slot.
local start, news = open, {}
if cancels then
  start = math.max(start, number('tat:cancel'))
else
  for _, lane in ipairs(lanes) do start = math.max(start, number(lane.tat)) end
end
local reach = tonumber(patience_ms) * 1000

-- Whether several creators ask.
local several, step = false, 1000
for _, lane in ipairs(lanes) do step = math.max(step, lane.step) end
local span = math.max(LEAD_US, 4 * step)
local recent = math.max(RECENT_US, 3 * span)
if not cancels and creator ~= '' then
  local before = had['alone:' .. pool]
  if had['several:' .. pool] then
    several = true
  elseif before and before ~= creator and (now - number('alone_at:' .. pool) < recent or start - now > 2 * span) then
    several = true
    redis.call('ZADD', creators, had['alone_at:' .. pool], before)
  elseif before ~= creator or now - number('alone_at:' .. pool) > REMEMBER_US then
    news = {'alone:' .. pool, creator, 'alone_at:' .. pool, whole(now)}
  end
end
if several and start - now > (had['several:' .. pool] and FAR or 2) * span then
  epoch = redis.call('HINCRBY', quota, 'epoch', 1)
  for _, lane in ipairs({'read', 'write', 'total', 'cancel'}) do
    local tat = math.min(now, tonumber(redis.call('HGET', quota, 'tat:' .. lane) or '0'))
    had['tat:' .. lane] = tat
    redis.call('HSET', quota, 'tat:' .. lane, whole(tat))
  end
  start = open
end
if several then
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', creators, '-inf', now - recent)) do
    redis.call('ZREM', creators, gone)
    redis.call('HDEL', turns, 'tag:' .. gone, 'hungry:' .. gone, 'line:' .. gone, 'front:' .. gone, 'first:' .. gone)
  end
  redis.call('ZADD', creators, now, creator)
  if redis.call('ZCARD', creators) > 1 then
    redis.call('HSET', quota, 'several:' .. pool, whole(now))
  elseif now - number('several:' .. pool) > APART_US then
    several = false
    redis.call('HDEL', quota, 'several:' .. pool)
    redis.call('DEL', creators, turns)
  end
end

-- The creator's share of the next slots.
if several then
  if start - now > reach then return {CROWDED, math.ceil(start / 1000)} end
  local fields = {'tag:' .. creator, 'hungry:' .. creator, 'line:' .. creator, 'front:' .. creator, 'first:' .. creator}
  for _, other in ipairs(redis.call('ZREVRANGE', creators, 0, MOST_CREATORS - 1)) do
    if other ~= creator then
      fields[#fields + 1] = 'tag:' .. other
      fields[#fields + 1] = 'hungry:' .. other
    end
  end
  local found = redis.call('HMGET', turns, unpack(fields))
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
  local since = now - (tonumber(waited_ms) + priority * STEP_MS) * 1000
  local front = tonumber(found[4] or since)
  local youth = 0
  if hungry and not counted and front < now then youth = math.max(0, math.min(1, (since - front) / (now - front))) end
  local lead = start - now
  local behind = not hungry or least and tag + ahead / 2 <= least
  local fits = lead <= span * (behind and 2 or 1 - youth / 2) and (not least or tag < least + ahead)
  if not fits and lead > span / 2 * (1 - youth / 2) then
    local line = youth > 0 and 3 or 5
    local at = math.min(now + LATEST_US, math.max(now + AGAIN_US, tonumber(found[line] or '0') + step / 2))
    redis.call('HSET', turns, fields[line], whole(at), 'hungry:' .. creator, whole(now), 'tag:' .. creator, tag)
    redis.call('PEXPIRE', creators, keep_ms)
    redis.call('PEXPIRE', turns, keep_ms)
    return {LATER, math.ceil(at / 1000)}
  end
  redis.call('HSET', turns, 'tag:' .. creator, tag + 1, 'front:' .. creator, whole(front + (since - front) / 8))
  redis.call('PEXPIRE', creators, keep_ms)
  redis.call('PEXPIRE', turns, keep_ms)
end

-- A job of higher priority that asked not long ago keeps the queue short for others.
if not cancels and not several then
  local urgent = redis.call('HMGET', quota, 'urgent:1', 'urgent:2', 'urgent:3', 'urgent:4', 'urgent:5', 'urgent:6',
    'urgent:7', 'urgent:8', 'urgent:9')
  for other = priority + 1, 9 do
    if urgent[other] and now - urgent[other] < urgent_ms * 1000 then reach = math.min(reach, reach_ms * 1000) end
  end
  if priority ~= '0' then redis.call('HSET', quota, 'urgent:' .. priority, whole(now)) end
end
if start - now > reach then return {CROWDED, math.ceil(start / 1000)} end

-- The slot is booked.
for _, lane in ipairs(lanes) do
  local from = math.max(number(lane.tat), start)
  news[#news + 1] = lane.tat
  news[#news + 1] = whole(from + lane.step)
  if cancels then redis.call('HSET', quota, 'tat:cancel', whole(start + lane.step)) end
end
if #news > 0 then redis.call('HSET', quota, unpack(news)) end
if not counted then redis.call('HINCRBY', quota, 'used:' .. klass, 1) end
redis.call('PEXPIRE', quota, keep_ms)
if start > now then return {SLOT, math.ceil(start / 1000), epoch} end
return let_out()
