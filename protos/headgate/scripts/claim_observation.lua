-- Take an observation that was claimed at `since_ms` or later, empty for now, or claim the read of a new one.
-- @keys claim observation
-- @argv since_ms token lease_ms claim_ttl_ms
-- @returns SEEN claimed_at observation | ELSEWHERE since ms_left | CLAIMED since now
-- @include now_ms

local now = now_ms()
local since = since_ms == '' and now or tonumber(since_ms)
local claimed_at, held_until = unpack(redis.call('HMGET', claim, 'at', 'until'))
if claimed_at and tonumber(claimed_at) >= since then
  local seen = redis.call('GET', observation)
  if seen then return {SEEN, tonumber(claimed_at), seen} end
end
if held_until and tonumber(held_until) > now then return {ELSEWHERE, since, tonumber(held_until) - now} end
redis.call('HDEL', claim, '')
redis.call('HSET', claim, 'token', token, 'until', string.format('%d', now + lease_ms))
redis.call('PEXPIRE', claim, claim_ttl_ms)
return {CLAIMED, since, now}
