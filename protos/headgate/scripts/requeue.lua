-- Give jobs whose next entry is gone another one. `ticks` has of each job its id, and the entry's id and definition.
-- @keys queue kick
-- @argv job_prefix definition_ttl_ms due_at ; ticks...
-- @returns how_many_of_the_jobs_are_there
-- @constants ARQ_JOB

local requeued = 0
for i = 1, #ticks, 3 do
  local job, entry, definition = job_prefix .. ticks[i], ticks[i + 1], ticks[i + 2]
  if redis.call('TYPE', job).ok == 'hash' then
    redis.call('DEL', ARQ_JOB .. (redis.call('HGET', job, 'wake') or 'none'))
    redis.call('PSETEX', ARQ_JOB .. entry, definition_ttl_ms, definition)
    redis.call('HSET', job, 'wake', entry)
    redis.call('ZADD', queue, due_at, entry)
    redis.call('LPUSH', kick, entry)
    requeued = requeued + 1
  end
end
redis.call('LTRIM', kick, 0, 999)
return requeued
