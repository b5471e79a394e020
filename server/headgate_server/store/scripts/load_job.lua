-- Read a job, and the first event of its log when it has no snapshot, in one moment.
-- The columns are those of `stored_rows.COLUMNS`.
-- @keys job log
-- @returns columns first_event is_anything_there

local row = redis.call('HMGET', job, 'rev', 'st', 'uid', 'bad', 'snap', 'reads', 'writes', 'throttled', 'waited')
local revision, snapshot = row[1], row[5]
local first = revision and not snapshot and redis.pcall('LINDEX', log, 0)
row[#row + 1] = type(first) == 'string' and first
row[#row + 1] = revision and 1 or redis.call('EXISTS', job)
return row
