-- Record that a worker lives, and forget those whose last heartbeat is too old.
-- @keys workers
-- @argv worker now_ms oldest_ms

redis.call('ZREMRANGEBYSCORE', workers, '-inf', oldest_ms)
redis.call('ZADD', workers, now_ms, worker)
