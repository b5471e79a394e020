-- End a claim without an answer.
-- @keys claim
-- @argv token

if redis.call('HGET', claim, 'token') == token then redis.call('HDEL', claim, 'token', 'until') end
return 1
