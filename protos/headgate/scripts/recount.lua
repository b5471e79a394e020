-- Count the charges of the next jobs, in the order of their acceptance, and put the counts in place when there are no more.
-- A job that is accepted meanwhile stands after all others and is met later.
-- @keys jobs stored recount recounted
-- @argv most job_prefix every_ms
-- @returns MORE | DONE
-- @include charge_fields

local walked = redis.call('HGET', recount, 'walked')
if not walked and redis.call('EXISTS', recounted) == 1 then return DONE end
local found = redis.call('ZRANGEBYSCORE', jobs, '(' .. (walked or '0'), '+inf', 'WITHSCORES', 'LIMIT', 0, most)
redis.call('HDEL', recount, '')
local sums = {}
for i = 1, #found, 2 do
  local owed, caller, connection = unpack(redis.pcall('HMGET', job_prefix .. found[i], 'owed', 'by', 'conn'))
  if tonumber(owed) and caller then
    for k, field in ipairs(charge_fields(caller, connection or '')) do
      sums[field] = (sums[field] or 0) + (k % 2 == 1 and 1 or tonumber(owed))
    end
  end
end
for field, sum in pairs(sums) do redis.call('HINCRBY', recount, field, string.format('%d', sum)) end
if #found == 2 * most then
  redis.call('HSET', recount, 'walked', found[#found])
  return MORE
end
redis.call('HDEL', recount, 'walked')
redis.call('DEL', stored)
if redis.call('EXISTS', recount) == 1 then redis.call('RENAME', recount, stored) end
redis.call('SET', recounted, '1', 'PX', every_ms)
return DONE
