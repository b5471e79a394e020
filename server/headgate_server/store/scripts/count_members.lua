-- Count the members of sorted sets that are not in another one.
-- @keys excluded ; sets...
-- @returns count_of_each

local left_out, counts = redis.call('ZRANGE', excluded, 0, -1), {}
for i, set in ipairs(sets) do
  counts[i] = redis.call('ZCARD', set)
  for _, member in ipairs(left_out) do
    if redis.call('ZSCORE', set, member) then counts[i] = counts[i] - 1 end
  end
end
return counts
