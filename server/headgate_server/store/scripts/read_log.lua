-- Read a part of a log and its job in one moment: from position `first` on, `most_events` and `most_bytes` at most, but one
-- event at least. `columns` are those of the job's hash; the first is its revision.
-- @keys job log
-- @argv first most_events most_bytes ; columns...
-- @returns columns length events last_event is_anything_there

local row = redis.call('HMGET', job, unpack(columns))
local length, at = redis.call('LLEN', log), tonumber(first)
local last, bytes, events = math.min(at + tonumber(most_events), length) - 1, 0, {}
local allowed = tonumber(most_bytes)
while at <= last and bytes < allowed do
  for _, event in ipairs(redis.call('LRANGE', log, at, math.min(at + 63, last))) do
    bytes = bytes + #event
    if #events > 0 and bytes > allowed then break end
    events[#events + 1] = event
  end
  at = at + 64
end
local exists = row[1] and 1 or redis.call('EXISTS', job)
return {row, length, events, redis.call('LRANGE', log, -1, -1), exists}
