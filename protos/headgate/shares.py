"""How creators share the quota of one connection: the part of its script that keeps one from crowding out the others.

While a single creator asks, nothing of this applies, and slots are booked as far ahead as its calls would wait. From
the moment another one asks, and for as long as it does, the queue of slots is kept short, so that its order hardly
matters, and each creator's slots are counted. A creator whose calls were told to come later is hungry. Nobody may be
more than a few slots ahead of the hungry creator that has had the fewest, but when the queue is about to run dry
anybody may book: what one does not use the others may. Nobody saves up what it has not used.

Within a creator the call goes first that has waited longest, where each step of its job's priority counts as a minute
of waiting: calls that have waited less than those that were let in lately find half of the room. A call that is to
come later is told when. The calls of one creator are spread over time for that, those whose turn it is apart from the
others, so that all of either kind ask at most twice as often as slots are handed out, and none more than once a second.
"""

from __future__ import annotations

from typing import Final

LEAD_MS: Final = 1_000
"""How far ahead slots are booked while several creators ask."""

RECENT_MS: Final = 5_000
"""For how long after its last call has asked a creator counts among those that ask."""

STEP_MS: Final = 60_000
"""How many ms of waiting a step of priority stands for, among the calls of one creator."""

APART_MS: Final = 600_000
"""For how long after there were several creators a single one's slots are still booked as near as among several: what
it had booked further ahead would be handed out anew when the next one comes."""

AGAIN_MS: Final = 1_000
"""The least time until a call asks again."""

LATEST_MS: Final = 60_000
"""The longest one. Where the other creators have gone, all calls are back within it."""

FAR: Final = 30
"""A queue that is longer than so many times the lead was booked by workers of an older version, or by very many
cancels. It is handed out anew, like that of one who was alone."""

MOST_CREATORS: Final = 100
"""Among so many the shares are equal; of more, those that asked longest ago are not looked at."""

REMEMBER_MS: Final = 1_000
"""How old the note may be of when one who is alone has asked."""

_SCRIPT: Final = """
local several, who, step = false, ARGV[16], 1000
for _, lane in ipairs(lanes) do step = math.max(step, lane.step) end
local span = math.max(LEAD, 4 * step)
local recent = math.max(RECENT, 3 * span)
if ARGV[2] ~= '1' and who ~= '' then
  local before = had['alone:' .. pool]
  if had['several:' .. pool] then
    several = true
  elseif before and before ~= who and (now - number('alone_at:' .. pool) < recent or start - now > 2 * span) then
    several = true
    redis.call('ZADD', KEYS[4], had['alone_at:' .. pool], before)
  elseif before ~= who or now - number('alone_at:' .. pool) > REMEMBER then
    news = {'alone:' .. pool, who, 'alone_at:' .. pool, string.format('%d', now)}
  end
end
if several and start - now > (had['several:' .. pool] and FAR or 2) * span then
  epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
  for _, lane in ipairs({'read', 'write', 'total', 'cancel'}) do
    local tat = math.min(now, tonumber(redis.call('HGET', KEYS[1], 'tat:' .. lane) or '0'))
    had['tat:' .. lane] = tat
    redis.call('HSET', KEYS[1], 'tat:' .. lane, string.format('%d', tat))
  end
  start = open
end
if several then
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now - recent)) do
    redis.call('ZREM', KEYS[4], gone)
    redis.call('HDEL', KEYS[5], 'tag:' .. gone, 'hungry:' .. gone, 'line:' .. gone, 'front:' .. gone, 'first:' .. gone)
  end
  redis.call('ZADD', KEYS[4], now, who)
  if redis.call('ZCARD', KEYS[4]) > 1 then
    redis.call('HSET', KEYS[1], 'several:' .. pool, string.format('%d', now))
  elseif now - number('several:' .. pool) > APART then
    several = false
    redis.call('HDEL', KEYS[1], 'several:' .. pool)
    redis.call('DEL', KEYS[4], KEYS[5])
  end
end
if several then
  if start - now > reach then return {3, math.ceil(start / 1000)} end
  local fields = {'tag:' .. who, 'hungry:' .. who, 'line:' .. who, 'front:' .. who, 'first:' .. who}
  for _, other in ipairs(redis.call('ZREVRANGE', KEYS[4], 0, MOST_CREATORS - 1)) do
    if other ~= who then
      fields[#fields + 1] = 'tag:' .. other
      fields[#fields + 1] = 'hungry:' .. other
    end
  end
  local found = redis.call('HMGET', KEYS[5], unpack(fields))
  local function is_hungry(i) return found[i] and now - found[i] < recent end
  local least, rivals = nil, 0
  for i = 6, #fields, 2 do
    if is_hungry(i + 1) then
      least, rivals = math.min(least or math.huge, tonumber(found[i] or '0')), rivals + 1
    end
  end
  local ahead = math.ceil(span / step / (1 + rivals))
  local tag, hungry = tonumber(found[1] or '0'), is_hungry(2)
  if least then
    if not hungry then tag = math.max(tag, least) end
    tag = math.min(tag, least + ahead)
  end
  local since = now - (tonumber(ARGV[17]) + ARGV[10] * PRIORITY) * 1000
  local front = tonumber(found[4] or since)
  local youth = 0
  if hungry and not counted and front < now then youth = math.max(0, math.min(1, (since - front) / (now - front))) end
  local lead = start - now
  local behind = not hungry or least and tag + ahead / 2 <= least
  local fits = lead <= span * (behind and 2 or 1 - youth / 2) and (not least or tag < least + ahead)
  if not fits and lead > span / 2 * (1 - youth / 2) then
    local line = youth > 0 and 3 or 5
    local at = math.min(now + LATEST, math.max(now + AGAIN, tonumber(found[line] or '0') + step / 2))
    redis.call('HSET', KEYS[5], fields[line], string.format('%d', at), 'hungry:' .. who, string.format('%d', now),
      'tag:' .. who, tag)
    redis.call('PEXPIRE', KEYS[4], ARGV[9])
    redis.call('PEXPIRE', KEYS[5], ARGV[9])
    return {5, math.ceil(at / 1000)}
  end
  redis.call('HSET', KEYS[5], 'tag:' .. who, tag + 1, 'front:' .. who, string.format('%d', front + (since - front) / 8))
  redis.call('PEXPIRE', KEYS[4], ARGV[9])
  redis.call('PEXPIRE', KEYS[5], ARGV[9])
end
"""

_NUMBERS: Final = {
    "RECENT": RECENT_MS * 1_000,
    "APART": APART_MS * 1_000,
    "FAR": FAR,
    "LEAD": LEAD_MS * 1_000,
    "PRIORITY": STEP_MS,
    "REMEMBER": REMEMBER_MS * 1_000,
    "AGAIN": AGAIN_MS * 1_000,
    "LATEST": LATEST_MS * 1_000,
    "MOST_CREATORS": MOST_CREATORS,
}


def _filled(text: str) -> str:
    for name, number in _NUMBERS.items():
        text = text.replace(name, str(number))
    return text


SCRIPT: Final = _filled(_SCRIPT)
"""Finds in the script around it: now, open, start, epoch, counted, reach, lanes, and number(field)."""
