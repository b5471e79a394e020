-- Which of the days other jobs hold or want first, as "day:job,day:job", and the job that has all of them, if one has.
-- A job that has ended holds nothing, whatever stands there: a worker of an earlier version gives back under one name.
-- @include is_active visit_earlier

local function date_conflicts(targets, job_id, job_prefix, days)
  local wanted, taken, had_by, count, whole = {}, {}, {}, 0, nil
  local function note(day, other)
    taken[day], had_by[other] = taken[day] or other, (had_by[other] or 0) + 1
    if had_by[other] == count then whole = whole or other end
  end
  local listed, holders = {}, {}
  for day in string.gmatch(days, '%d+') do
    count = count + 1
    wanted[day], listed[count] = true, day
  end
  for place, target in ipairs(targets) do holders[place] = redis.call('HMGET', target.dates, unpack(listed)) end
  for i, day in ipairs(listed) do
    for place in ipairs(targets) do
      local holder = not taken[day] and holders[place][i]
      if holder and holder ~= job_id and is_active(job_prefix, holder) then note(day, holder) end
    end
  end
  local seen = {}
  visit_earlier(targets, job_id, function(other, target)
    if seen[other] then return end
    seen[other] = true
    local wants = is_active(job_prefix, other) and redis.call('HGET', target.wants, other) or ''
    for day in string.gmatch(wants, '%d+') do
      if wanted[day] then note(day, other) end
    end
  end)
  local found = {}
  for _, day in ipairs(listed) do
    if taken[day] then found[#found + 1] = day .. ':' .. taken[day] end
  end
  return table.concat(found, ','), whole
end
