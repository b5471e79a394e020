-- Claim due entries as `claim_entries.lua` does, but hold back those of a caller or a connection that has its share of the
-- slots. Kicks are kept then, since another worker may have slots for them.
--
-- At most `most_held` entries are held back and looked past. `others` has pairs of a subject and its running entries,
-- `pair_count` of them, and then ids that are left to others.
-- @keys queue kick
-- @argv free_slots lease_ms owner most_held pair_count ; others...
-- @returns ids_and_definitions ms_until_the_next_is_due_or_-1 are_some_held_back
-- @constants CHUNK ARQ_JOB ARQ_IN_PROGRESS
-- @include now_ms

local now = now_ms()
local free, most, pairs_end = tonumber(free_slots), tonumber(most_held), 2 * pair_count
local running, skipped = {}, {}
for i = 1, pairs_end, 2 do running[others[i]] = tonumber(others[i + 1]) end
for i = pairs_end + 1, #others do skipped[others[i]] = true end
local claimed, passed, held, over, groups = {}, 0, 0, false, {}
local function fits(subject, times) return (running[subject] or 0) < times * free end
local function take(id, group)
  local claim, again_ms = ARQ_IN_PROGRESS .. id, lease_ms
  if redis.call('SET', claim, owner, 'NX', 'PX', lease_ms) then
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = redis.call('GET', ARQ_JOB .. id) or ''
    running[group.who] = (running[group.who] or 0) + 1
    running[group.connection] = (running[group.connection] or 0) + 1
    free = free - 1
  else
    again_ms = math.max(1, redis.call('PTTL', claim))
  end
  redis.call('ZADD', queue, 'XX', now + again_ms, id)
end
local function group_of(asker)
  local caller, connection = string.match(asker, '^([^:]*):([^:]*)$')
  local who = 'caller:' .. (caller or '')
  if caller == 'anonymous' then who = who .. '@' .. connection end
  return {who = who, connection = 'connection:' .. (connection or '')}
end
while free > 0 and not over do
  local ids = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', passed, CHUNK)
  for _, id in ipairs(ids) do
    local asker = string.match(id, '^read:[^:]*:(.*)$') or ''
    local group = groups[asker]
    if not group then
      group = group_of(asker)
      groups[asker] = group
    end
    if skipped[id] then
      passed = passed + 1
    elseif not group.full and free > 0 and fits(group.who, 1) and fits(group.connection, 4) then
      take(id, group)
    else
      group.full, passed, held = true, passed + 1, held + 1
    end
  end
  over = #ids < CHUNK
  if held >= most or held > 0 and most == CHUNK then break end
end
if free > 0 and over and held == 0 then redis.call('DEL', kick) end
local ahead = redis.call('ZRANGEBYSCORE', queue, '(' .. string.format('%d', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {claimed, ahead[2] and math.max(0, tonumber(ahead[2]) - now) or -1, held > 0 and 1 or 0}
