-- Delete a job that can't be read, in whatever state it is, of whatever type its keys are, and give back what its row says
-- that it was charged. Revision and uid are those of the row that is meant, each empty where it has none.
-- @keys job log feed queue audit stored recount ; indexes...
-- @argv job_id feed_length revision uid actor method peer
-- @returns DELETED | CHANGED
-- @constants ARQ_JOB
-- @include write_audit change_charge

local function field(name)
  local value = redis.pcall('HGET', job, name)
  return type(value) == 'string' and value or ''
end

if field('rev') ~= revision or field('uid') ~= uid then return CHANGED end
local wake, charged, owed = field('wake'), field('by'), tonumber(field('owed'))
local connection, sequence = field('conn'), tonumber(field('seq')) or 0
redis.call('DEL', job, log)
redis.call('ZREM', queue, wake)
redis.call('DEL', ARQ_JOB .. (wake ~= '' and wake or 'none'))
for _, index in ipairs(indexes) do redis.call('ZREM', index, job_id) end
redis.pcall('XADD', feed, 'MAXLEN', '~', feed_length, '*', 'i', job_id, 'r', '0', 'e', '')
if charged ~= '' and owed then change_charge(stored, recount, charged, connection, -1, -owed, sequence) end
write_audit(audit, actor, method, peer, 'jobs/' .. job_id, uid, connection, revision)
return DELETED
