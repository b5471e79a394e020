-- Set a string for a time, in a full store too: the first write takes something away, see `headgate.store.reserve`.
-- @keys name
-- @argv value life_ms

redis.call('DEL', name)
redis.call('SET', name, value, 'PX', life_ms)
