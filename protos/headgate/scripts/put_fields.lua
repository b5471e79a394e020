-- Set fields of a hash, and how long it is kept from now on, in a full store too; see `headgate.store.reserve`.
-- @keys hash
-- @argv life_ms ; fields_and_values...

redis.call('HDEL', hash, '')
redis.call('HSET', hash, unpack(fields_and_values))
redis.call('PEXPIRE', hash, life_ms)
