local function charged_fields(by, on)
  return {'jobs caller:' .. by, 'bytes caller:' .. by, 'jobs connection:' .. on, 'bytes connection:' .. on}
end

local walked = redis.call('HGET', KEYS[3], 'walked')
if not walked and redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. (walked or '0'), '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
redis.call('HDEL', KEYS[3], '')
local sums = {}
for i = 1, #found, 2 do
  local job = redis.pcall('HMGET', ARGV[2] .. found[i], 'owed', 'by', 'conn')
  if tonumber(job[1]) and job[2] then
    for k, field in ipairs(charged_fields(job[2], job[3] or '')) do
      sums[field] = (sums[field] or 0) + (k % 2 == 1 and 1 or tonumber(job[1]))
    end
  end
end
for field, sum in pairs(sums) do redis.call('HINCRBY', KEYS[3], field, string.format('%d', sum)) end
if #found == 2 * ARGV[1] then
  redis.call('HSET', KEYS[3], 'walked', found[#found])
  return 1
end
redis.call('HDEL', KEYS[3], 'walked')
redis.call('DEL', KEYS[2])
if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('RENAME', KEYS[3], KEYS[2]) end
redis.call('SET', KEYS[4], '1', 'PX', ARGV[3])
return 0
