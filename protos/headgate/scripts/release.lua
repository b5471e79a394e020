-- Give a job back before its tick is over. `uncount` is "1" where a shutdown cut the tick short, which takes the counted
-- attempt back; "0" leaves it, for a tick that broke.
-- @keys job
-- @argv fence uncount
-- @returns FENCED | RELEASED

if redis.call('HGET', job, 'fence') ~= fence then return FENCED end
redis.call('HDEL', job, '')
redis.call('HSET', job, 'lease', '0')
if uncount == '1' and tonumber(redis.call('HGET', job, 'att') or '0') > 0 then
  redis.call('HINCRBY', job, 'att', -1)
end
return RELEASED
