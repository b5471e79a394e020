-- Find jobs whose tick is late and grant each a new grace.
-- One whose entry still stands in the queue comes in its turn, so that a backlog is not made longer by requeuing all of
-- it. One whose tick died comes before all others: its lease has ended, or its entry was claimed, which moved its score,
-- and the claim has ended before the tick began. One that is gone is late no more, nor is one whose key is no job's: that
-- one is marked as damaged.
-- @keys due queue damaged
-- @argv most grace_ms job_prefix
-- @returns now jobs_to_requeue how_many_were_late score_of_the_queue's_head
-- @include now_ms

local now = now_ms()
local late = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
local head = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
local first = head[2] and math.min(tonumber(head[2]), now) or now
local lost = {}
if #late > 0 then redis.call('ZREM', due, '') end
for i = 1, #late, 2 do
  local id, due_at = late[i], tonumber(late[i + 1])
  redis.call('ZADD', due, now + grace_ms, id)
  local job = redis.pcall('HMGET', job_prefix .. id, 'wake', 'lease')
  local wake = job[1]
  local queued = wake and redis.call('ZSCORE', queue, wake)
  local lease_end = tonumber(job[2] or '0') or 0
  if job.err or (not wake and redis.call('EXISTS', job_prefix .. id) == 0) then
    redis.call('ZREM', due, id)
    if job.err then redis.call('ZADD', damaged, now, id) end
  elseif not queued then
    lost[#lost + 1] = id
  elseif tonumber(queued) <= now and lease_end <= now and (lease_end > 0 or tonumber(queued) > due_at - grace_ms) then
    redis.call('ZADD', queue, first, wake)
  end
end
return {now, lost, #late / 2, first}
