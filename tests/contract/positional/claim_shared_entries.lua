local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local free, most = tonumber(ARGV[1]), tonumber(ARGV[4])
local running, left, pairs_end = {}, {}, 5 + 2 * ARGV[5]
for i = 6, pairs_end, 2 do running[ARGV[i]] = tonumber(ARGV[i + 1]) end
for i = pairs_end + 1, #ARGV do left[ARGV[i]] = true end
local claimed, passed, held, over, groups = {}, 0, 0, false, {}
local function fits(who, times) return (running[who] or 0) < times * free end
local function take(id, group)
  local claim, again = 'arq:in-progress:' .. id, ARGV[2]
  if redis.call('SET', claim, ARGV[3], 'NX', 'PX', ARGV[2]) then
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = redis.call('GET', 'arq:job:' .. id) or ''
    running[group.who] = (running[group.who] or 0) + 1
    running[group.connection] = (running[group.connection] or 0) + 1
    free = free - 1
  else
    again = math.max(1, redis.call('PTTL', claim))
  end
  redis.call('ZADD', KEYS[1], 'XX', now + again, id)
end
local function group_of(asker)
  local caller, connection = string.match(asker, '^([^:]*):([^:]*)$')
  local who = 'caller:' .. (caller or '')
  if caller == 'anonymous' then who = who .. '@' .. connection end
  return {who = who, connection = 'connection:' .. (connection or '')}
end
while free > 0 and not over do
  local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', passed, 32)
  for _, id in ipairs(ids) do
    local asker = string.match(id, '^read:[^:]*:(.*)$') or ''
    local group = groups[asker]
    if not group then
      group = group_of(asker)
      groups[asker] = group
    end
    if left[id] then
      passed = passed + 1
    elseif not group.full and free > 0 and fits(group.who, 1) and fits(group.connection, 4) then
      take(id, group)
    else
      group.full, passed, held = true, passed + 1, held + 1
    end
  end
  over = #ids < 32
  if held >= most or held > 0 and most == 32 then break end
end
if free > 0 and over and held == 0 then redis.call('DEL', KEYS[2]) end
local ahead = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%d', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {claimed, ahead[2] and math.max(0, tonumber(ahead[2]) - now) or -1, held > 0 and 1 or 0}
