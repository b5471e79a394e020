-- Delete a finished job with its log, give its charge back, notify watchers, and record who did it.
-- The first write needs no memory, so that a full store can be cleared. `uid` is empty where none is known.
-- @keys job log jobs state due expiring feed audit stored recount
-- @argv job_id revision only_expired feed_length uid actor method peer connection
-- @returns DELETED | MISSING | CHANGED
-- @include now_ms write_audit change_charge

local function leave_indexes()
  for _, index in ipairs({jobs, state, due, expiring}) do redis.call('ZREM', index, job_id) end
end

local now = now_ms()
local stored_revision, stored_uid, sequence, charged, charged_connection, owed = unpack(
  redis.call('HMGET', job, 'rev', 'uid', 'seq', 'by', 'conn', 'owed'))
if not stored_revision then
  leave_indexes()
  return MISSING
end
if stored_revision ~= revision or (stored_uid and stored_uid ~= uid) then return CHANGED end
if only_expired == '1' then
  local expires_at = redis.call('ZSCORE', expiring, job_id)
  if not expires_at or tonumber(expires_at) > now then return CHANGED end
end
redis.call('DEL', job, log)
leave_indexes()
redis.pcall('XADD', feed, 'MAXLEN', '~', feed_length, '*', 'i', job_id, 'r', '0', 'e', '')
if charged and owed then
  change_charge(stored, recount, charged, charged_connection or '', -1, -owed, sequence or '0')
end
write_audit(audit, actor, method, peer, 'jobs/' .. job_id, uid, connection, stored_revision)
return DELETED
