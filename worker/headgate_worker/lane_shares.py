"""How callers and connections share the slots of the read lane: who has few entries running goes before who has many.

A caller may begin another entry while it has fewer running than slots are free, and a connection while it has fewer
than four times as many. So one caller fills half of the slots, two fill two thirds, and some are always free for the
next one; all callers of a connection fill four fifths. Where callers are not told apart those of a connection count as
one caller. Pure but for the script.

Who asks stands in the id of an entry (`entries.asker_of`), so that claiming reads no definition. Entries of servers
that do not say it count as those of one more caller.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from headgate import entries

CHUNK: Final = 32
"""Entries that a claim looks at at a time; where one is held back, it goes no further."""

FAR: Final = 5_000
"""Entries that a claim looks at which goes further."""

FAR_SECONDS: Final = 0.05
"""Shortest time between two claims that go further, while entries are held back."""

CLAIM: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local free, most = tonumber(ARGV[1]), tonumber(ARGV[4])
local running, left, pairs_end = {}, {}, 5 + 2 * ARGV[5]
for i = 6, pairs_end, 2 do running[ARGV[i]] = tonumber(ARGV[i + 1]) end
for i = pairs_end + 1, #ARGV do left[ARGV[i]] = true end
local claimed, passed, held, over, groups = {}, 0, 0, false, {}
local function fits(who, times) return (running[who] or 0) < times * free end
local function take(id, group)
  local claim, again = 'arq:in-progress:' .. id, ARGV[2]
  if redis.call('SET', claim, ARGV[3], 'NX', 'PX', ARGV[2]) then
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = redis.call('GET', 'arq:job:' .. id) or ''
    running[group.who] = (running[group.who] or 0) + 1
    running[group.connection] = (running[group.connection] or 0) + 1
    free = free - 1
  else
    again = math.max(1, redis.call('PTTL', claim))
  end
  redis.call('ZADD', KEYS[1], 'XX', now + again, id)
end
local function group_of(asker)
  local caller, connection = string.match(asker, '^([^:]*):([^:]*)$')
  local who = 'caller:' .. (caller or '')
  if caller == 'anonymous' then who = who .. '@' .. connection end
  return {who = who, connection = 'connection:' .. (connection or '')}
end
while free > 0 and not over do
  local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', passed, CHUNK)
  for _, id in ipairs(ids) do
    local asker = string.match(id, '^read:[^:]*:(.*)$') or ''
    local group = groups[asker]
    if not group then
      group = group_of(asker)
      groups[asker] = group
    end
    if left[id] then
      passed = passed + 1
    elseif not group.full and free > 0 and fits(group.who, 1) and fits(group.connection, 4) then
      take(id, group)
    else
      group.full, passed, held = true, passed + 1, held + 1
    end
  end
  over = #ids < CHUNK
  if held >= most or held > 0 and most == CHUNK then break end
end
if free > 0 and over and held == 0 then redis.call('DEL', KEYS[2]) end
local ahead = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%d', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {claimed, ahead[2] and math.max(0, tonumber(ahead[2]) - now) or -1, held > 0 and 1 or 0}
""".replace("CHUNK", str(CHUNK))
"""Claims due entries as `claim_scripts.CLAIM` does, but for those of whoever has its share of the slots: they are held
back. Kicks are kept then, since another worker may have slots for them. KEYS: 1 queue 2 kick. ARGV: 1 free slots
2 life of a claim in ms 3 owner 4 at most so many entries are held back and looked past 5 number of pairs 6.. pairs of a
subject and its running entries, then ids that are left to others. Answers ids with definitions, the ms until the next
entry is due (-1: none), and whether some are held back."""


def subjects_of(entry_id: str) -> tuple[str, str]:
    """The caller and the connection of an entry, as they are counted."""
    caller, connection = entries.asker_of(entry_id)
    who = f"caller:{caller}@{connection}" if caller == entries.ANONYMOUS else f"caller:{caller}"
    return who, f"connection:{connection}"


class LaneShares:
    """What callers and connections have running in this process."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()

    def begin(self, entry_id: str) -> None:
        """Count an entry in."""
        for subject in subjects_of(entry_id):
            self._running[subject] += 1

    def end(self, entry_id: str) -> None:
        """Count an entry out."""
        for subject in subjects_of(entry_id):
            self._running[subject] -= 1
            if self._running[subject] <= 0:
                del self._running[subject]

    def arguments(self) -> list[str | int]:
        """The pairs of the script, with their number before them."""
        return [len(self._running), *(word for pair in self._running.items() for word in pair)]
