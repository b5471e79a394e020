-- Take dates of a target, or get in its line, or give back what a job has there.

local function take_dates(target, job_id, days)
  redis.call('ZREM', target.line, job_id)
  redis.call('HDEL', target.wants, job_id)
  for day in string.gmatch(days, '%d+') do redis.call('HSET', target.dates, day, job_id) end
end

local function join_line(target, job_id, days, sequence)
  redis.call('ZADD', target.line, sequence, job_id)
  redis.call('HSET', target.wants, job_id, days)
end

local function release_dates(target, job_id, days)
  redis.call('ZREM', target.line, job_id)
  redis.call('HDEL', target.wants, job_id)
  for day in string.gmatch(days, '%d+') do
    if redis.call('HGET', target.dates, day) == job_id then redis.call('HDEL', target.dates, day) end
  end
end
