-- Take a job for one tick: a new fence shuts out its holder before, and the attempt is counted before anything can kill
-- the process. A job whose lease runs is not taken; the mark `ring` asks its holder for another tick.
-- `caution_ms` is added to the lease that it has. The first event is answered where there is no snapshot.
-- @keys job due log
-- @argv job_id lease_ms grace_ms caution_ms
-- @returns GONE now | BUSY now ms_left
-- @returns | TAKEN now fence attempts snapshot hints reads writes throttled marked first_event
-- @include now_ms

local now = now_ms()
local revision, snapshot, hints, reads, writes, throttled, marked, lease_end = unpack(
  redis.call('HMGET', job, 'rev', 'snap', 'hints', 'reads', 'writes', 'throttled', 'marked', 'lease'))
local first = revision and not snapshot and redis.call('LINDEX', log, 0)
if not snapshot and not first then
  redis.call('ZREM', due, job_id)
  return {GONE, now}
end
redis.call('HDEL', job, 'ring')
local held_until = tonumber(lease_end or '0')
if held_until > 0 and held_until + caution_ms > now then
  redis.call('HSET', job, 'ring', '1')
  return {BUSY, now, held_until + caution_ms - now}
end
local fence = redis.call('HINCRBY', job, 'fence', 1)
local attempts = redis.call('HINCRBY', job, 'att', 1)
redis.call('HSET', job, 'lease', string.format('%d', now + lease_ms))
redis.call('ZADD', due, 'XX', now + lease_ms + grace_ms, job_id)
return {TAKEN, now, fence, attempts, snapshot or '', hints or '', reads or '0', writes or '0', throttled or '0',
  marked or '0', first or ''}
