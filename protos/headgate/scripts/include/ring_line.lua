-- Call `ring` once with each job in the lines of the targets, and take those off that have ended.
-- @include is_active

local function ring_line(targets, job_prefix, ring)
  local rung = {}
  for _, target in ipairs(targets) do
    for _, other in ipairs(redis.call('ZRANGE', target.line, 0, -1)) do
      if not is_active(job_prefix, other) then
        redis.call('ZREM', target.line, other)
        redis.call('HDEL', target.wants, other)
      elseif not rung[other] then
        rung[other] = true
        ring(other)
      end
    end
  end
end
