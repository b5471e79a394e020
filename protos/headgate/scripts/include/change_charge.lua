-- Change the charge of a job that was accepted as number `sequence`, by so many jobs and bytes.
-- A count of everything that has passed the job already is changed too.
-- @include charge_fields

local function change_charge(stored, recount, caller, connection, jobs, bytes, sequence)
  local hashes, fields = {stored}, charge_fields(caller, connection)
  local walked = redis.call('HGET', recount, 'walked')
  if walked and tonumber(sequence) <= tonumber(walked) then hashes[2] = recount end
  for _, hash in ipairs(hashes) do
    for i, change in ipairs({jobs, bytes, jobs, bytes}) do
      if change ~= 0 and redis.call('HINCRBY', hash, fields[i], string.format('%d', change)) <= 0 then
        redis.call('HDEL', hash, fields[i])
      end
    end
  end
end
