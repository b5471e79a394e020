-- Read the time, the last heartbeat of a worker, and a connection's quota, in one moment.
-- @keys workers quota
-- @returns time last_worker_and_when quota

return {redis.call('TIME'), redis.call('ZREVRANGE', workers, 0, 0, 'WITHSCORES'), redis.call('HGETALL', quota)}
