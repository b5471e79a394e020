-- Take dates of a target, or give back what a job has there.
-- @include hold_dates

local function take_dates(target, job_id, days)
  redis.call('ZREM', target.line, job_id)
  redis.call('HDEL', target.wants, job_id)
  hold_dates(target, job_id, days)
end

local function release_dates(target, job_id, days)
  redis.call('ZREM', target.line, job_id)
  redis.call('HDEL', target.wants, job_id)
  for day in string.gmatch(days, '%d+') do
    if redis.call('HGET', target.dates, day) == job_id then redis.call('HDEL', target.dates, day) end
  end
end
