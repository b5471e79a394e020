-- Write down that a job holds dates of a target, with one command however many they are.

local function hold_dates(target, job_id, days)
  local values, filled = {}, 0
  for day in string.gmatch(days, '%d+') do
    values[filled + 1], values[filled + 2] = day, job_id
    filled = filled + 2
  end
  redis.call('HSET', target.dates, unpack(values))
end
