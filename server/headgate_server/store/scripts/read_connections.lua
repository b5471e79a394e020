-- Read the connections of jobs, without the jobs. A job of a version before has none beside its state.
-- @keys ; jobs...
-- @returns name_or_nil_of_each

local found = {}
for i, job in ipairs(jobs) do
  local name = redis.pcall('HGET', job, 'conn')
  found[i] = type(name) == 'string' and name or false
end
return found
