-- Whether a job has not ended. One that is gone has; a damaged row counts as one that has not.
-- @constants TERMINAL

local function is_active(job_prefix, job_id)
  local state = redis.pcall('HGET', job_prefix .. job_id, 'st')
  if type(state) == 'string' then return not TERMINAL[state] end
  return redis.call('EXISTS', job_prefix .. job_id) == 1
end
