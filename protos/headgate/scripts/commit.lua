-- Append events to a job's log with everything that follows from them, or change nothing.
--
-- Every refusal comes before the first write, since Lua does not roll back, and the first write is the one that can fail. A
-- store whose memory is used up refuses a script's first write, and only that, if it needs memory: what may use the reserve
-- begins with one that takes something away.
--
-- A job has one next tick: a commit that brings another takes the one before off the queue, so that a tick too many never
-- becomes a second chain of ticks. Each life of an id has a million fences of its own, so that a tick of an earlier one
-- renews and gives back nothing.
--
-- `request_uid` is the life of the request's job. `other_...` are keys under the connection's other name. `events` has the
-- events, and then how the feed shows each; see `headgate.messages.feed_view`. `commit.CommitArguments` says what the arguments are.
-- @keys job log feed due jobs sequence state_before state_after request expiring definition queue kick
-- @keys name dates line wants request_uid audit stored recount other_dates other_line other_wants other_name
-- @argv job_id expected_revision fence is_terminal snapshot hints feed_length wake_id wake_definition wake_delay_ms
-- @argv definition_ttl_ms grace_ms request_record request_ttl_ms state reads writes throttled lease_ms name_uid
-- @argv days job_prefix waited_ms polled_ms next_poll_ms dates_mode most_waiting uid connection
-- @argv actor method peer most_events most_bytes memory creator
-- @argv caller_jobs caller_bytes connection_jobs connection_bytes event_count ; events...
-- @returns COMMITTED revision now | STALE revision now | FENCED revision now | DUPLICATE record now uid
-- @returns | DAMAGED revision now | OVERLAPPING taken now | JOINED job now uid | LINE_FULL count now
-- @returns | EXCEEDED bound now | NO_ROOM revision now
-- @constants TERMINAL_INDEXES ARQ_JOB
-- @include now_ms write_audit charge_fields change_charge
-- @include date_targets date_conflicts change_dates join_line wake_line

local now = now_ms()
if request_record ~= '' then
  local record = redis.call('GET', request)
  if record then return {DUPLICATE, record, now, redis.call('GET', request_uid) or ''} end
end
local had_revision, had_uid, had_fence, had_sequence, had_wake, had_ring, had_bytes, had_owed = unpack(
  redis.call('HMGET', job, 'rev', 'uid', 'fence', 'seq', 'wake', 'ring', 'lb', 'owed'))
local revision = tonumber(had_revision or '0')
if had_uid and had_uid ~= uid then return {fence == '' and STALE or FENCED, revision, now} end
if revision ~= tonumber(expected_revision) then return {STALE, revision, now} end
if fence ~= '' and had_fence ~= fence then return {FENCED, revision, now} end
if redis.call('LLEN', log) ~= revision then return {DAMAGED, revision, now} end
if memory == 'refuse' then return {NO_ROOM, revision, now} end

-- How long the log becomes. A job whose hash has no bytes yet, since only older versions wrote it, is counted from here on.
local count = tonumber(event_count)
local bytes = tonumber(had_bytes or '0')
for i = 1, count do bytes = bytes + #events[i] end
if count > 0 and most_events ~= '0' and revision + count > tonumber(most_events) then
  return {EXCEEDED, 'log_events ' .. most_events .. ' ', now}
end
if count > 0 and most_bytes ~= '0' and bytes > tonumber(most_bytes) then
  return {EXCEEDED, 'log_bytes ' .. most_bytes .. ' ', now}
end

-- Whether the dates can be had. A backfill that joins another is recorded nowhere but under its request id, here, so that
-- no end of the other can come in between.
local ends = is_terminal == '1'
local queues = dates_mode == 'queue' and not ends
local targets = days ~= '' and date_targets(dates, line, wants, other_dates, other_line, other_wants) or {}
if queues and redis.call('ZCARD', line) >= tonumber(most_waiting) then
  return {LINE_FULL, redis.call('ZCARD', line), now}
elseif not ends and days ~= '' and not queues then
  local taken, whole = date_conflicts(targets, job_id, job_prefix, days)
  if dates_mode == 'join' and whole then
    local whole_uid = redis.call('HGET', job_prefix .. whole, 'uid') or ''
    if request_record ~= '' then
      redis.call('SET', request, whole .. string.match(request_record, ' .*$'), 'PX', request_ttl_ms)
      if whole_uid ~= '' then redis.call('SET', request_uid, whole_uid, 'PX', request_ttl_ms) end
    end
    write_audit(audit, actor, method, peer, 'jobs/' .. whole, whole_uid, connection, '0')
    return {JOINED, whole, now, whole_uid}
  end
  if taken ~= '' then return {OVERLAPPING, taken, now} end
end

-- Whether there is room for a new job in what its creator and its connection may have stored.
local fields, held
local owed = bytes + #snapshot
if revision == 0 and creator ~= '' then
  fields = charge_fields(creator, connection)
  held = redis.call('HMGET', stored, unpack(fields))
  for i, limit in ipairs({caller_jobs, caller_bytes, connection_jobs, connection_bytes}) do
    held[i] = (held[i] or 0) + (i % 2 == 1 and 1 or owed)
    if limit ~= '0' and held[i] > tonumber(limit) then
      local quota = i % 2 == 1 and 'stored_jobs' or 'stored_bytes'
      return {EXCEEDED, quota .. ' ' .. limit .. ' ' .. string.match(fields[i], ' (.*)$'), now}
    end
  end
end

-- Log and feed: from here on nothing refuses.
local wakes_anew = wake_id ~= '' or ends
if memory == 'reserve' then redis.call('ZREM', queue, wakes_anew and had_wake or '') end
for i = 1, count do redis.call('RPUSH', log, events[i]) end
for i = 1, count do
  local shown, number = events[count + i], string.format('%d', revision + i)
  if shown and shown ~= '' then
    redis.pcall('XADD', feed, 'MAXLEN', '~', feed_length, '*', 'i', job_id, 'r', number,
      'e', string.sub(shown, 17), 'd', string.sub(shown, 1, 16))
  else
    redis.pcall('XADD', feed, 'MAXLEN', '~', feed_length, '*', 'i', job_id, 'r', number, 'e', events[i])
  end
end

-- The job's hash.
local values, filled = {'rev', string.format('%d', revision + count), 'st', state, 'att', '0',
  'lb', string.format('%d', bytes)}, 8
local function put(field, value)
  values[filled + 1], values[filled + 2] = field, value
  filled = filled + 2
end
if snapshot ~= '' then put('snap', snapshot) end
if hints ~= '' then put('hints', string.sub(hints, 2)) end
if reads ~= '0' then redis.call('HINCRBY', job, 'reads', reads) end
if writes ~= '0' then redis.call('HINCRBY', job, 'writes', writes) end
if throttled ~= '0' then redis.call('HINCRBY', job, 'throttled', throttled) end
if waited_ms ~= '0' then redis.call('HINCRBY', job, 'waited', waited_ms) end
if polled_ms ~= '' then put('polled', polled_ms) end
if next_poll_ms ~= '' then put('polls_at', next_poll_ms) end
local delay_ms = wake_delay_ms
if lease_ms ~= '' then
  if wake_id ~= '' and had_ring then
    redis.call('HDEL', job, 'ring')
    delay_ms = '0'
  end
  put('lease', lease_ms == '0' and '0' or string.format('%d', now + lease_ms))
end
local number = had_sequence
if not number then
  number = redis.call('INCR', sequence)
  put('seq', number)
  put('uid', uid)
  put('conn', connection)
  put('fence', string.format('%d', number * 1048576))
  redis.call('ZADD', jobs, number, job_id)
end
if wake_id ~= '' then put('wake', wake_id) end
if fields then
  for i = 1, 4 do held[i] = string.format('%d', held[i]) end
  redis.call('HSET', stored, fields[1], held[1], fields[2], held[2], fields[3], held[3], fields[4], held[4])
  put('by', creator)
  put('owed', string.format('%d', owed))
elseif had_owed and count > 0 and (fence == '' or ends) then
  change_charge(stored, recount, creator, connection, 0, owed - tonumber(had_owed), had_sequence or '0')
  put('owed', string.format('%d', owed))
end
redis.call('HSET', job, unpack(values))

-- Indexes.
if state_before ~= state_after then
  if had_revision then redis.call('ZREM', state_before, job_id) end
  redis.call('ZADD', state_after, number, job_id)
end
if ends then
  redis.call('ZREM', due, job_id)
  redis.call('ZADD', expiring, now + grace_ms, job_id)
else
  if TERMINAL_INDEXES[state_before] then redis.call('ZREM', expiring, job_id) end
  redis.call('ZADD', due, now + delay_ms + grace_ms, job_id)
end

-- The next tick.
if wakes_anew then
  if had_wake then
    if memory ~= 'reserve' then redis.call('ZREM', queue, had_wake) end
    redis.call('DEL', ARQ_JOB .. had_wake)
  end
  if wake_id == '' then redis.call('HDEL', job, 'wake', 'att', 'polls_at') end
end
if wake_id ~= '' then
  redis.call('PSETEX', definition, delay_ms + definition_ttl_ms, wake_definition)
  redis.call('ZADD', queue, now + delay_ms, wake_id)
  if delay_ms == '0' then
    if redis.call('LPUSH', kick, wake_id) > 1000 then redis.call('LTRIM', kick, 0, 999) end
  end
end

-- The request, and the name of the job's instances: the first job to claim it sends it as it is.
if request_record ~= '' then
  redis.call('SET', request, request_record, 'PX', request_ttl_ms)
  redis.call('SET', request_uid, uid, 'PX', request_ttl_ms)
end
if name_uid ~= '' then
  for _, claimed in ipairs(name == other_name and {name} or {name, other_name}) do
    if not redis.call('SET', claimed, name_uid, 'NX', 'PX', request_ttl_ms * 5)
      and redis.call('GET', claimed) ~= name_uid then
      redis.call('HSET', job, 'marked', '1')
    end
  end
end

-- Dates. A job that gives some back wakes all in line: their next ticks are due now, one that is lost is seen by the
-- reaper, and one that is under way is followed by another. A damaged row among them must not break this in the middle.
local function wake_job(other)
  redis.pcall('HSET', job_prefix .. other, 'ring', '1')
  redis.call('ZADD', due, 'XX', now, other)
  local wake = redis.pcall('HGET', job_prefix .. other, 'wake')
  if type(wake) == 'string' then
    redis.call('ZADD', queue, 'XX', now, wake)
    redis.call('LPUSH', kick, wake)
    redis.call('LTRIM', kick, 0, 999)
  end
end
for _, target in ipairs(targets) do
  if queues then
    join_line(target, job_id, days, number)
  elseif ends then
    release_dates(target, job_id, days)
  else
    take_dates(target, job_id, days)
  end
end
if ends then wake_line(targets, job_prefix, wake_job) end
write_audit(audit, actor, method, peer, 'jobs/' .. job_id, uid, connection, string.format('%d', revision + count))
return {COMMITTED, revision + count, now}
