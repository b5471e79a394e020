-- End a claim without an answer.
-- @keys flight
-- @argv token

if redis.call('HGET', flight, 'token') == token then redis.call('HDEL', flight, 'token', 'until') end
return 1
