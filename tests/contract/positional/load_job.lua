local row = redis.call('HMGET', KEYS[1], 'rev', 'st', 'uid', 'bad', 'snap', 'reads', 'writes', 'throttled', 'waited')
local first = row[1] and not row[5] and redis.pcall('LINDEX', KEYS[2], 0)
row[#row + 1] = type(first) == 'string' and first
row[#row + 1] = row[1] and 1 or redis.call('EXISTS', KEYS[1])
return row
