-- Read the next members of several sorted sets, in one moment: those of a higher score than `after`, `most` of each.
-- @keys ; sets...
-- @argv after most
-- @returns members_and_scores_of_each

local found = {}
for i, set in ipairs(sets) do
  found[i] = redis.call('ZRANGEBYSCORE', set, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
end
return found
