-- Call `wake_job` once with each job in the lines of the targets, and take those off that have ended.
-- @include is_active

local function wake_line(targets, job_prefix, wake_job)
  local woken = {}
  for _, target in ipairs(targets) do
    for _, other in ipairs(redis.call('ZRANGE', target.line, 0, -1)) do
      if not is_active(job_prefix, other) then
        redis.call('ZREM', target.line, other)
        redis.call('HDEL', target.wants, other)
      elseif not woken[other] then
        woken[other] = true
        wake_job(other)
      end
    end
  end
end
