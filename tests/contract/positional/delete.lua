local function record(key, actor, method, peer, job, uid, connection, revision)
  if actor == '' then return end
  redis.pcall('XADD', key, 'MAXLEN', '~', 100000, '*', 'actor', actor, 'method', method, 'peer', peer,
    'job', job, 'uid', uid, 'connection', connection, 'revision', revision)
end

local function charged_fields(by, on)
  return {'jobs caller:' .. by, 'bytes caller:' .. by, 'jobs connection:' .. on, 'bytes connection:' .. on}
end

local function change_charge(stored, recount, by, on, jobs, bytes, seq)
  local hashes, fields = {stored}, charged_fields(by, on)
  local walked = redis.call('HGET', recount, 'walked')
  if walked and tonumber(seq) <= tonumber(walked) then hashes[2] = recount end
  for _, hash in ipairs(hashes) do
    for i, change in ipairs({jobs, bytes, jobs, bytes}) do
      if change ~= 0 and redis.call('HINCRBY', hash, fields[i], string.format('%d', change)) <= 0 then
        redis.call('HDEL', hash, fields[i])
      end
    end
  end
end

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local had = redis.call('HMGET', KEYS[1], 'rev', 'uid', 'seq', 'by', 'conn', 'owed')
local rev = had[1]
if not rev then
  for i = 3, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
  return 0
end
if rev ~= ARGV[2] or (had[2] and had[2] ~= ARGV[5]) then return -1 end
if ARGV[3] == '1' then
  local due = redis.call('ZSCORE', KEYS[6], ARGV[1])
  if not due or tonumber(due) > now then return -1 end
end
redis.call('DEL', KEYS[1], KEYS[2])
for i = 3, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
redis.pcall('XADD', KEYS[7], 'MAXLEN', '~', ARGV[4], '*', 'i', ARGV[1], 'r', '0', 'e', '')
if had[4] and had[6] then change_charge(KEYS[9], KEYS[10], had[4], had[5] or '', -1, -had[6], had[3] or '0') end
record(KEYS[8], ARGV[6], ARGV[7], ARGV[8], 'jobs/' .. ARGV[1], ARGV[5], ARGV[9], rev)
return 1
