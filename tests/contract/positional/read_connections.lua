local found = {}
for i, job in ipairs(KEYS) do
  local name = redis.pcall('HGET', job, 'conn')
  found[i] = type(name) == 'string' and name or false
end
return found
