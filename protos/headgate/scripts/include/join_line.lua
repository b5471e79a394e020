-- Put a job in the line of a target, with the dates that it wants there.

local function join_line(target, job_id, days, sequence)
  redis.call('ZADD', target.line, sequence, job_id)
  redis.call('HSET', target.wants, job_id, days)
end
