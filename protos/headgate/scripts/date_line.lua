-- Which jobs have dates that a job waits for, each named with the earliest that it waits for.
-- Keys: holders, line and wants of the target, then the same under the connection's other name.
-- @keys dates line wants other_dates other_line other_wants
-- @argv job_id job_prefix days
-- @returns taken_as_day:job,day:job
-- @include date_targets is_active visit_earlier

local targets = date_targets(dates, line, wants, other_dates, other_line, other_wants)
local found, taken = {}, {}
visit_earlier(targets, job_id, function(other, target)
  local wanted = is_active(job_prefix, other) and redis.call('HGET', target.wants, other) or ''
  for day in string.gmatch(wanted, '%d+') do taken[day] = taken[day] or other end
end)
for day in string.gmatch(days, '%d+') do
  local owner = taken[day]
  for place = #targets, 1, -1 do
    local holder = redis.call('HGET', targets[place].dates, day)
    if holder and holder ~= job_id and is_active(job_prefix, holder) then owner = holder end
  end
  if owner then found[#found + 1] = day .. ':' .. owner end
end
return table.concat(found, ',')
