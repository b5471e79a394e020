-- Take a job that can't be read out of all that would have it looked at again, and mark it. Nothing is added to its log,
-- since what follows is not known. The fence is empty where the job has none that can be read.
-- @keys job due queue damaged
-- @argv job_id fence
-- @returns FENCED | GIVEN_UP
-- @constants ARQ_JOB
-- @include now_ms

local now = now_ms()
local held, wake = redis.pcall('HGET', job, 'fence'), redis.pcall('HGET', job, 'wake')
if fence ~= '' and held ~= fence then return FENCED end
redis.call('ZREM', due, job_id)
if type(wake) == 'string' then
  redis.call('ZREM', queue, wake)
  redis.call('DEL', ARQ_JOB .. wake)
end
if redis.call('TYPE', job).ok == 'hash' then
  redis.call('HSET', job, 'bad', '1', 'lease', '0')
  redis.call('HDEL', job, 'wake', 'ring')
end
redis.call('ZADD', damaged, now, job_id)
return GIVEN_UP
