-- Record a new job with everything that follows from it, or change nothing: `commit.lua` without what only later commits of a
-- job need, since this is what every submit waits for. A test compares what both do.
--
-- Every refusal comes before the first write, and the first write is the one that can fail. `event` is the log's first, and
-- `shown` how the feed shows it; see `feed_view`. `other_...` are keys under the connection's other name.
-- `commit_script.AcceptArguments` says what the arguments are.
-- @keys job log feed due jobs sequence state request request_uid definition queue kick
-- @keys name other_name dates line wants other_dates other_line other_wants audit stored
-- @argv job_id uid connection creator state_number event shown snapshot grace_ms wake_id wake_definition wake_delay_ms
-- @argv request_record name_uid days dates_mode actor method peer memory
-- @argv caller_jobs caller_bytes connection_jobs connection_bytes
-- @returns COMMITTED revision now | STALE revision now | DUPLICATE record now uid
-- @returns | DAMAGED revision now | OVERLAPPING taken now | JOINED job now uid | LINE_FULL count now
-- @returns | EXCEEDED bound now | NO_ROOM revision now
-- @constants FEED_LENGTH DEFINITION_TTL_MS REQUEST_TTL_MS MOST_WAITING MOST_KICKS JOB_PREFIX
-- @include now_ms write_audit charge_fields date_targets date_conflicts hold_dates join_line

local function claim_name(claimed, by, ttl_ms)
  return redis.call('SET', claimed, by, 'NX', 'PX', ttl_ms) or redis.call('GET', claimed) == by
end

local now = now_ms()
-- One look tells that nothing is there that could refuse, but for shares: no job, no record, no dates that are held or wanted.
local is_fresh = redis.call('EXISTS', job, log, request, dates, line, other_dates, other_line) == 0
if not is_fresh then
  if request_record ~= '' then
    local record = redis.call('GET', request)
    if record then return {DUPLICATE, record, now, redis.call('GET', request_uid) or ''} end
  end
  local had_revision, had_uid = unpack(redis.call('HMGET', job, 'rev', 'uid'))
  local revision = tonumber(had_revision or '0')
  if had_uid or revision ~= 0 then return {STALE, revision, now} end
  if redis.call('LLEN', log) ~= 0 then return {DAMAGED, 0, now} end
end
if memory == 'refuse' then return {NO_ROOM, 0, now} end

-- Whether the dates can be had. A backfill that joins another is recorded nowhere but under its request id.
local targets
if days ~= '' then
  targets = date_targets(dates, line, wants, other_dates, other_line, other_wants)
  if dates_mode == 'queue' then
    local waiting = is_fresh and 0 or redis.call('ZCARD', line)
    if waiting >= MOST_WAITING then return {LINE_FULL, waiting, now} end
  elseif not is_fresh then
    local taken, whole = date_conflicts(targets, job_id, JOB_PREFIX, days)
    if dates_mode == 'join' and whole then
      local whole_uid = redis.call('HGET', JOB_PREFIX .. whole, 'uid') or ''
      if request_record ~= '' then
        redis.call('SET', request, whole .. string.match(request_record, ' .*$'), 'PX', REQUEST_TTL_MS)
        if whole_uid ~= '' then redis.call('SET', request_uid, whole_uid, 'PX', REQUEST_TTL_MS) end
      end
      write_audit(audit, actor, method, peer, 'jobs/' .. whole, whole_uid, connection, '0')
      return {JOINED, whole, now, whole_uid}
    end
    if taken ~= '' then return {OVERLAPPING, taken, now} end
  end
end

-- Whether there is room for the job in what its creator and its connection may have stored.
local size = #event
local owed = size + #snapshot
local fields, held
if creator ~= '' then
  fields = charge_fields(creator, connection)
  held = redis.call('HMGET', stored, fields[1], fields[2], fields[3], fields[4])
  held[1], held[2], held[3], held[4] = (held[1] or 0) + 1, (held[2] or 0) + owed, (held[3] or 0) + 1, (held[4] or 0) + owed
  for i, limit in ipairs({caller_jobs, caller_bytes, connection_jobs, connection_bytes}) do
    if limit ~= '0' and held[i] > tonumber(limit) then
      local quota = i % 2 == 1 and 'stored_jobs' or 'stored_bytes'
      return {EXCEEDED, quota .. ' ' .. limit .. ' ' .. string.match(fields[i], ' (.*)$'), now}
    end
  end
end

-- Log and feed: from here on nothing refuses.
redis.call('RPUSH', log, event)
if shown == '' then
  redis.pcall('XADD', feed, 'MAXLEN', '~', FEED_LENGTH, '*', 'i', job_id, 'r', '1', 'e', event)
else
  redis.pcall('XADD', feed, 'MAXLEN', '~', FEED_LENGTH, '*', 'i', job_id, 'r', '1',
    'e', string.sub(shown, 17), 'd', string.sub(shown, 1, 16))
end

-- The job's hash, and its indexes.
local number = redis.call('INCR', sequence)
local fence = string.format('%d', number * 1048576)
if fields then
  redis.call('HSET', stored, fields[1], held[1], fields[2], held[2], fields[3], held[3], fields[4], held[4])
  redis.call('HSET', job, 'rev', '1', 'st', state_number, 'att', '0', 'lb', size, 'seq', number, 'uid', uid,
    'conn', connection, 'fence', fence, 'wake', wake_id, 'by', creator, 'owed', owed)
else
  redis.call('HSET', job, 'rev', '1', 'st', state_number, 'att', '0', 'lb', size, 'seq', number, 'uid', uid,
    'conn', connection, 'fence', fence, 'wake', wake_id)
end
if snapshot ~= '' then redis.call('HSET', job, 'snap', snapshot) end
redis.call('ZADD', jobs, number, job_id)
redis.call('ZADD', state, number, job_id)
redis.call('ZADD', due, now + wake_delay_ms + grace_ms, job_id)

-- The first tick.
redis.call('PSETEX', definition, wake_delay_ms + DEFINITION_TTL_MS, wake_definition)
redis.call('ZADD', queue, now + wake_delay_ms, wake_id)
if wake_delay_ms == '0' and redis.call('LPUSH', kick, wake_id) > MOST_KICKS then redis.call('LTRIM', kick, 0, 999) end

-- The request, and the name of the job's instances: the first job to claim it sends it as it is.
if request_record ~= '' then
  redis.call('SET', request, request_record, 'PX', REQUEST_TTL_MS)
  redis.call('SET', request_uid, uid, 'PX', REQUEST_TTL_MS)
end
if name_uid ~= '' then
  local is_marked = not claim_name(name, name_uid, REQUEST_TTL_MS * 5)
  if other_name ~= name then is_marked = not claim_name(other_name, name_uid, REQUEST_TTL_MS * 5) or is_marked end
  if is_marked then redis.call('HSET', job, 'marked', '1') end
end
if targets then
  for _, target in ipairs(targets) do
    if dates_mode == 'queue' then
      join_line(target, job_id, days, number)
    else
      hold_dates(target, job_id, days)
    end
  end
end
write_audit(audit, actor, method, peer, 'jobs/' .. job_id, uid, connection, '1')
return {COMMITTED, 1, now}
