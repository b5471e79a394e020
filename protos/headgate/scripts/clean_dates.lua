-- Take a job off what is kept of the dates of one target, since it is not known which dates it had.
-- `dates` is the target's holders, its line, or what those in line want.
-- @keys dates
-- @argv job_id
-- @returns how_much_was_taken_away

local kind = redis.call('TYPE', dates).ok
if kind == 'zset' then return redis.call('ZREM', dates, job_id) end
if kind ~= 'hash' then return 0 end
local found, removed = redis.call('HGETALL', dates), redis.call('HDEL', dates, job_id)
for i = 1, #found, 2 do
  if found[i + 1] == job_id then removed = removed + redis.call('HDEL', dates, found[i]) end
end
return removed
