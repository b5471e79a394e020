-- Record who changed a job; without an actor nothing is recorded.
-- What can't be recorded, such as when another kind of value stands under the key, does not hinder the change.
-- @constants AUDIT_LENGTH

local function write_audit(stream, actor, method, peer, job_name, uid, connection, revision)
  if actor == '' then return end
  redis.pcall('XADD', stream, 'MAXLEN', '~', AUDIT_LENGTH, '*', 'actor', actor, 'method', method, 'peer', peer,
    'job', job_name, 'uid', uid, 'connection', connection, 'revision', revision)
end
