local function record(key, actor, method, peer, job, uid, connection, revision)
  if actor == '' then return end
  redis.pcall('XADD', key, 'MAXLEN', '~', 100000, '*', 'actor', actor, 'method', method, 'peer', peer,
    'job', job, 'uid', uid, 'connection', connection, 'revision', revision)
end

local ended = {['5'] = true, ['6'] = true, ['7'] = true}
local function lives(prefix, id)
  local state = redis.pcall('HGET', prefix .. id, 'st')
  if type(state) == 'string' then return not ended[state] end
  return redis.call('EXISTS', prefix .. id) == 1
end
local function earlier(targets, id, see)
  local mine = false
  for _, target in ipairs(targets) do mine = mine or redis.call('ZSCORE', target[2], id) end
  for _, target in ipairs(targets) do
    for _, other in ipairs(redis.call('ZRANGEBYSCORE', target[2], '-inf', mine and '(' .. mine or '+inf')) do
      see(other, target)
    end
  end
end

local function charged_fields(by, on)
  return {'jobs caller:' .. by, 'bytes caller:' .. by, 'jobs connection:' .. on, 'bytes connection:' .. on}
end

local function change_charge(stored, recount, by, on, jobs, bytes, seq)
  local hashes, fields = {stored}, charged_fields(by, on)
  local walked = redis.call('HGET', recount, 'walked')
  if walked and tonumber(seq) <= tonumber(walked) then hashes[2] = recount end
  for _, hash in ipairs(hashes) do
    for i, change in ipairs({jobs, bytes, jobs, bytes}) do
      if change ~= 0 and redis.call('HINCRBY', hash, fields[i], string.format('%d', change)) <= 0 then
        redis.call('HDEL', hash, fields[i])
      end
    end
  end
end

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[13] ~= '' then
  local seen = redis.call('GET', KEYS[9])
  if seen then return {-3, seen, now, redis.call('GET', KEYS[18]) or ''} end
end
local had = redis.call('HMGET', KEYS[1], 'rev', 'uid', 'fence', 'seq', 'wake', 'ring', 'lb', 'owed')
local rev = tonumber(had[1] or '0')
if had[2] and had[2] ~= ARGV[28] then return {ARGV[3] == '' and -1 or -2, rev, now} end
if rev ~= tonumber(ARGV[2]) then return {-1, rev, now} end
if ARGV[3] ~= '' and had[3] ~= ARGV[3] then return {-2, rev, now} end
if redis.call('LLEN', KEYS[2]) ~= rev then return {-4, rev, now} end
if ARGV[35] == 'refuse' then return {-12, rev, now} end

local first, count = 42, tonumber(ARGV[41])
local bytes = tonumber(had[7] or '0')
for i = first, first + count - 1 do bytes = bytes + #ARGV[i] end
if count > 0 and ARGV[33] ~= '0' and rev + count > tonumber(ARGV[33]) then
  return {-11, 'log_events ' .. ARGV[33] .. ' ', now}
end
if count > 0 and ARGV[34] ~= '0' and bytes > tonumber(ARGV[34]) then
  return {-11, 'log_bytes ' .. ARGV[34] .. ' ', now}
end

local targets = {{KEYS[15], KEYS[16], KEYS[17]}}
if KEYS[22] ~= KEYS[15] then targets[2] = {KEYS[22], KEYS[23], KEYS[24]} end
if ARGV[4] ~= '1' and ARGV[26] == 'queue' and redis.call('ZCARD', KEYS[16]) >= tonumber(ARGV[27]) then
  return {-7, redis.call('ZCARD', KEYS[16]), now}
elseif ARGV[4] ~= '1' and ARGV[21] ~= '' and ARGV[26] ~= 'queue' then
  local wanted, taken, has, count, found, whole, seen = {}, {}, {}, 0, {}, nil, {}
  local function note(day, id)
    taken[day], has[id] = taken[day] or id, (has[id] or 0) + 1
    if has[id] == count then whole = whole or id end
  end
  for day in string.gmatch(ARGV[21], '%d+') do wanted[day], count = true, count + 1 end
  for day in string.gmatch(ARGV[21], '%d+') do
    for _, target in ipairs(targets) do
      local holder = not taken[day] and redis.call('HGET', target[1], day)
      if holder and holder ~= ARGV[1] and lives(ARGV[22], holder) then note(day, holder) end
    end
  end
  earlier(targets, ARGV[1], function(id, target)
    if seen[id] then return end
    seen[id] = true
    for day in string.gmatch(lives(ARGV[22], id) and redis.call('HGET', target[3], id) or '', '%d+') do
      if wanted[day] then note(day, id) end
    end
  end)
  if ARGV[26] == 'join' and whole then
    local uid = redis.call('HGET', ARGV[22] .. whole, 'uid') or ''
    if ARGV[13] ~= '' then
      redis.call('SET', KEYS[9], whole .. string.match(ARGV[13], ' .*$'), 'PX', ARGV[14])
      if uid ~= '' then redis.call('SET', KEYS[18], uid, 'PX', ARGV[14]) end
    end
    record(KEYS[19], ARGV[30], ARGV[31], ARGV[32], 'jobs/' .. whole, uid, ARGV[29], '0')
    return {-6, whole, now, uid}
  end
  for day in string.gmatch(ARGV[21], '%d+') do
    if taken[day] then found[#found + 1] = day .. ':' .. taken[day] end
  end
  if #found > 0 then return {-5, table.concat(found, ','), now} end
end

local fields, held
local owed = bytes + #ARGV[5]
if rev == 0 and ARGV[36] ~= '' then
  fields = charged_fields(ARGV[36], ARGV[29])
  held = redis.call('HMGET', KEYS[20], fields[1], fields[2], fields[3], fields[4])
  for i = 1, 4 do
    held[i] = (held[i] or 0) + (i % 2 == 1 and 1 or owed)
    if ARGV[36 + i] ~= '0' and held[i] > tonumber(ARGV[36 + i]) then
      local quota = i % 2 == 1 and 'stored_jobs' or 'stored_bytes'
      return {-11, quota .. ' ' .. ARGV[36 + i] .. ' ' .. string.match(fields[i], ' (.*)$'), now}
    end
  end
end

local wakes_anew = ARGV[8] ~= '' or ARGV[4] == '1'
if ARGV[35] == 'reserve' then redis.call('ZREM', KEYS[12], wakes_anew and had[5] or '') end
for i = 0, count - 1 do
  redis.call('RPUSH', KEYS[2], ARGV[first + i])
end
for i = 0, count - 1 do
  local shown, number = ARGV[first + count + i], string.format('%d', rev + i + 1)
  if shown and shown ~= '' then
    redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'i', ARGV[1], 'r', number,
      'e', string.sub(shown, 17), 'd', string.sub(shown, 1, 16))
  else
    redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'i', ARGV[1], 'r', number, 'e', ARGV[first + i])
  end
end
local values = {'rev', string.format('%d', rev + count), 'st', ARGV[15], 'att', '0', 'lb', string.format('%d', bytes)}
local filled = 8
local function put(field, value)
  values[filled + 1], values[filled + 2] = field, value
  filled = filled + 2
end
if ARGV[5] ~= '' then put('snap', ARGV[5]) end
if ARGV[6] ~= '' then put('hints', string.sub(ARGV[6], 2)) end
for i, field in ipairs({'reads', 'writes', 'throttled'}) do
  if ARGV[15 + i] ~= '0' then redis.call('HINCRBY', KEYS[1], field, ARGV[15 + i]) end
end
if ARGV[23] ~= '0' then redis.call('HINCRBY', KEYS[1], 'waited', ARGV[23]) end
if ARGV[24] ~= '' then put('polled', ARGV[24]) end
if ARGV[25] ~= '' then put('polls_at', ARGV[25]) end
local delay = ARGV[10]
if ARGV[19] ~= '' then
  if ARGV[8] ~= '' and had[6] then
    redis.call('HDEL', KEYS[1], 'ring')
    delay = '0'
  end
  put('lease', ARGV[19] == '0' and '0' or string.format('%d', now + ARGV[19]))
end
local seq = had[4]
if not seq then
  seq = redis.call('INCR', KEYS[6])
  put('seq', seq)
  put('uid', ARGV[28])
  put('conn', ARGV[29])
  put('fence', string.format('%d', seq * 1048576))
  redis.call('ZADD', KEYS[5], seq, ARGV[1])
end
if ARGV[8] ~= '' then put('wake', ARGV[8]) end

if fields then
  for i = 1, 4 do held[i] = string.format('%d', held[i]) end
  redis.call('HSET', KEYS[20], fields[1], held[1], fields[2], held[2], fields[3], held[3], fields[4], held[4])
  put('by', ARGV[36])
  put('owed', string.format('%d', owed))
elseif had[8] and count > 0 and (ARGV[3] == '' or ARGV[4] == '1') then
  change_charge(KEYS[20], KEYS[21], ARGV[36], ARGV[29], 0, owed - tonumber(had[8]), had[4] or '0')
  put('owed', string.format('%d', owed))
end

redis.call('HSET', KEYS[1], unpack(values))
if KEYS[7] ~= KEYS[8] then
  if had[1] then redis.call('ZREM', KEYS[7], ARGV[1]) end
  redis.call('ZADD', KEYS[8], seq, ARGV[1])
end
if ARGV[4] == '1' then
  redis.call('ZREM', KEYS[4], ARGV[1])
  redis.call('ZADD', KEYS[10], now + ARGV[12], ARGV[1])
else
  if KEYS[7] == 'hg:jobs:5' or KEYS[7] == 'hg:jobs:6' or KEYS[7] == 'hg:jobs:7' then redis.call('ZREM', KEYS[10], ARGV[1]) end
  redis.call('ZADD', KEYS[4], now + delay + ARGV[12], ARGV[1])
end
if wakes_anew then
  if had[5] then
    if ARGV[35] ~= 'reserve' then redis.call('ZREM', KEYS[12], had[5]) end
    redis.call('DEL', 'arq:job:' .. had[5])
  end
  if ARGV[8] == '' then redis.call('HDEL', KEYS[1], 'wake', 'att', 'polls_at') end
end
if ARGV[8] ~= '' then
  redis.call('PSETEX', KEYS[11], delay + ARGV[11], ARGV[9])
  redis.call('ZADD', KEYS[12], now + delay, ARGV[8])
  if delay == '0' then
    if redis.call('LPUSH', KEYS[13], ARGV[8]) > 1000 then redis.call('LTRIM', KEYS[13], 0, 999) end
  end
end
if ARGV[13] ~= '' then
  redis.call('SET', KEYS[9], ARGV[13], 'PX', ARGV[14])
  redis.call('SET', KEYS[18], ARGV[28], 'PX', ARGV[14])
end
for _, name in ipairs(ARGV[20] == '' and {} or KEYS[14] == KEYS[25] and {KEYS[14]} or {KEYS[14], KEYS[25]}) do
  if not redis.call('SET', name, ARGV[20], 'NX', 'PX', ARGV[14] * 5) and redis.call('GET', name) ~= ARGV[20] then
    redis.call('HSET', KEYS[1], 'marked', '1')
  end
end

local rung = {}
local function ring(id)
  redis.pcall('HSET', ARGV[22] .. id, 'ring', '1')
  redis.call('ZADD', KEYS[4], 'XX', now, id)
  local wake = redis.pcall('HGET', ARGV[22] .. id, 'wake')
  if type(wake) == 'string' then
    redis.call('ZADD', KEYS[12], 'XX', now, wake)
    redis.call('LPUSH', KEYS[13], wake)
    redis.call('LTRIM', KEYS[13], 0, 999)
  end
end
for _, target in ipairs(ARGV[21] ~= '' and targets or {}) do
  if ARGV[26] == 'queue' and ARGV[4] ~= '1' then
    redis.call('ZADD', target[2], seq, ARGV[1])
    redis.call('HSET', target[3], ARGV[1], ARGV[21])
  else
    redis.call('ZREM', target[2], ARGV[1])
    redis.call('HDEL', target[3], ARGV[1])
    for day in string.gmatch(ARGV[21], '%d+') do
      if ARGV[4] ~= '1' then
        redis.call('HSET', target[1], day, ARGV[1])
      elseif redis.call('HGET', target[1], day) == ARGV[1] then
        redis.call('HDEL', target[1], day)
      end
    end
    for _, id in ipairs(ARGV[4] == '1' and redis.call('ZRANGE', target[2], 0, -1) or {}) do
      if not lives(ARGV[22], id) then
        redis.call('ZREM', target[2], id)
        redis.call('HDEL', target[3], id)
      elseif not rung[id] then
        rung[id] = true
        ring(id)
      end
    end
  end
end

record(KEYS[19], ARGV[30], ARGV[31], ARGV[32], 'jobs/' .. ARGV[1], ARGV[28], ARGV[29], string.format('%d', rev + count))
return {1, rev + count, now}
