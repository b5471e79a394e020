-- Which life a job id has now, by one command, whether there is a job or not.
-- @keys job log
-- @returns uid connection | nil nil snapshot_prefix nil | nil nil nil first_event_prefix
-- @constants PREFIX_BYTES

local uid, connection, revision = unpack(redis.call('HMGET', job, 'uid', 'conn', 'rev'))
if uid or not revision then return {uid, connection} end
local snapshot = redis.call('HGET', job, 'snap')
if snapshot then return {false, false, string.sub(snapshot, 1, PREFIX_BYTES), false} end
local first = redis.call('LINDEX', log, 0) or ''
return {false, false, false, string.sub(first, 1, PREFIX_BYTES)}
