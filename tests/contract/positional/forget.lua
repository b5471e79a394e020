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

local function field(name)
  local value = redis.pcall('HGET', KEYS[1], name)
  return type(value) == 'string' and value or ''
end
if field('rev') ~= ARGV[3] or field('uid') ~= ARGV[4] then return 0 end
local wake, by, owed = field('wake'), field('by'), tonumber(field('owed'))
local on, seq = field('conn'), tonumber(field('seq')) or 0
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[4], wake)
redis.call('DEL', 'arq:job:' .. (wake ~= '' and wake or 'none'))
for i = 8, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2], '*', 'i', ARGV[1], 'r', '0', 'e', '')
if by ~= '' and owed then change_charge(KEYS[6], KEYS[7], by, on, -1, -owed, seq) end
record(KEYS[5], ARGV[5], ARGV[6], ARGV[7], 'jobs/' .. ARGV[1], ARGV[4], on, ARGV[3])
return 1
