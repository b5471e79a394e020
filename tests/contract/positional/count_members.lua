local damaged, counts = redis.call('ZRANGE', KEYS[1], 0, -1), {}
for i = 2, #KEYS do
  counts[i - 1] = redis.call('ZCARD', KEYS[i])
  for _, id in ipairs(damaged) do
    if redis.call('ZSCORE', KEYS[i], id) then counts[i - 1] = counts[i - 1] - 1 end
  end
end
return counts
