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

local targets = {{KEYS[1], KEYS[2], KEYS[3]}}
if KEYS[4] ~= KEYS[1] then targets[2] = {KEYS[4], KEYS[5], KEYS[6]} end
local found, taken = {}, {}
earlier(targets, ARGV[1], function(id, target)
  for day in string.gmatch(lives(ARGV[2], id) and redis.call('HGET', target[3], id) or '', '%d+') do
    taken[day] = taken[day] or id
  end
end)
for day in string.gmatch(ARGV[3], '%d+') do
  local other = taken[day]
  for place = #targets, 1, -1 do
    local holder = redis.call('HGET', targets[place][1], day)
    if holder and holder ~= ARGV[1] and lives(ARGV[2], holder) then other = holder end
  end
  if other then found[#found + 1] = day .. ':' .. other end
end
return table.concat(found, ',')
