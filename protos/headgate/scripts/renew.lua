-- Keep a job for another lease.
-- @keys job due
-- @argv job_id fence lease_ms grace_ms
-- @returns FENCED | RENEWED
-- @include now_ms

local now = now_ms()
if redis.call('HGET', job, 'fence') ~= fence then return FENCED end
redis.call('HDEL', job, '')
redis.call('HSET', job, 'lease', string.format('%d', now + lease_ms))
redis.call('ZADD', due, 'XX', now + lease_ms + grace_ms, job_id)
return RENEWED
