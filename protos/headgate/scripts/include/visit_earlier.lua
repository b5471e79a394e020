-- Call `visit` with each job that stands before a job in the line of a target, and with the target. Before a job that
-- stands in no line stand all.

local function visit_earlier(targets, job_id, visit)
  local lines = {}
  for _, target in ipairs(targets) do
    if redis.call('EXISTS', target.line) == 1 then lines[#lines + 1] = target end
  end
  local place = false
  for _, target in ipairs(lines) do place = place or redis.call('ZSCORE', target.line, job_id) end
  for _, target in ipairs(lines) do
    local before = redis.call('ZRANGEBYSCORE', target.line, '-inf', place and '(' .. place or '+inf')
    for _, other in ipairs(before) do visit(other, target) end
  end
end
