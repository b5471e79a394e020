-- Read what is kept of a job, and where it stands in the indexes, in one moment. A key of another type reads as nothing.
-- `columns` are those of the job's hash.
-- @keys job log jobs due expiring damaged ; states...
-- @argv job_id ; columns...
-- @returns columns log_length first_event scores score_in_each_state

local row = redis.pcall('HMGET', job, unpack(columns))
if row.err then row = {} end
for i = 1, #columns do row[i] = row[i] or false end
local length = redis.pcall('LLEN', log)
local first = type(length) == 'number' and redis.call('LINDEX', log, 0)
local function score(index)
  local found = redis.pcall('ZSCORE', index, job_id)
  return type(found) == 'string' and found or false
end
local scores, in_states = {}, {}
for i, index in ipairs({jobs, due, expiring, damaged}) do scores[i] = score(index) end
for i, state in ipairs(states) do in_states[i] = score(state) end
return {row, type(length) == 'number' and length or -1, first, scores, in_states}
