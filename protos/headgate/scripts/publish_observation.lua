-- Keep an answer, unless a later one is there, end the claim that it was read under, and say for how long a job will make
-- the next read. `token` is empty for a read without a claim; `follow_ms` is 0 where no job follows the instance.
-- @keys claim observation look
-- @argv token claimed_at answer answer_ttl_ms claim_ttl_ms follow_ms follower

local last_claimed_at, holder = unpack(redis.call('HMGET', claim, 'at', 'token'))
redis.call('HDEL', claim, '')
if not last_claimed_at or tonumber(last_claimed_at) <= tonumber(claimed_at) then
  redis.call('SET', observation, answer, 'PX', answer_ttl_ms)
  redis.call('HSET', claim, 'at', claimed_at)
  redis.call('PEXPIRE', claim, claim_ttl_ms)
end
if token ~= '' and holder == token then redis.call('HDEL', claim, 'token', 'until') end
if follow_ms ~= '0' then redis.call('SET', look, follower, 'PX', follow_ms) end
return 1
