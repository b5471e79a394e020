local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local rev = redis.call('HGET', KEYS[1], 'rev')
if not rev then
  for i = 3, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
  return 0
end
if rev ~= ARGV[2] then return -1 end
if ARGV[3] == '1' then
  local due = redis.call('ZSCORE', KEYS[6], ARGV[1])
  if not due or tonumber(due) > now then return -1 end
end
redis.call('DEL', KEYS[1], KEYS[2])
for i = 3, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
redis.pcall('XADD', KEYS[7], 'MAXLEN', '~', ARGV[4], '*', 'i', ARGV[1], 'r', '0', 'e', '')
return 1
