"""What stored jobs are charged to: the caller who made them and the connection they are for, in jobs and in bytes.

The commit that accepts a job takes its charge or refuses, before anything is written. What the log has grown by since
is added by every commit of a caller and by the one that ends the job, so that ticks in between cost nothing. The job's
hash keeps what it was charged, and its deletion gives back exactly that; a job without a charge, of a version before
this, gives nothing back. Deletions by such a version give nothing back either, so workers count everything anew now
and then, a few jobs at a time, while charges go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from headgate.scripts import loader

STORED: Final = "hg:stored"
"""Hash of what is charged: "jobs" and "bytes" of "caller:NAME" and of "connection:NAME". No field stands at 0."""

RECOUNT: Final = "hg:stored:recount"
"""Hash as `STORED` while everything is counted anew, and `walked`: the acceptance number that it has come to."""

RECOUNTED: Final = "hg:stored:recounted"
"""String that is there for `RECOUNT_EVERY_MS` after everything was counted anew."""

RECOUNT_EVERY_MS: Final = 3_600_000
"""How long after one count of everything the next one begins."""

JOBS: Final = "stored_jobs"
"""Name of the quota of jobs."""

BYTES: Final = "stored_bytes"
"""Name of the quota of bytes."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How much may be stored. 0 stands for no limit.

    Args:
        caller_jobs: jobs of one caller.
        caller_bytes: bytes of their logs and states.
        connection_jobs: jobs of one connection, whoever made them.
        connection_bytes: bytes of those.
    """

    caller_jobs: int = 0
    caller_bytes: int = 0
    connection_jobs: int = 0
    connection_bytes: int = 0

    def arguments(self) -> tuple[int, int, int, int]:
        """In the order of the fields that `FIELDS` names."""
        return self.caller_jobs, self.caller_bytes, self.connection_jobs, self.connection_bytes


NO_LIMITS: Final = Shares()
"""Charge the job, and refuse nothing."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A bound is reached; nothing was written.

    Args:
        quota: its name, such as "stored_jobs" or "log_events".
        limit: its value.
        subject: whose it is: "caller:NAME", "connection:NAME", or empty for the job's own.
    """

    quota: str
    limit: int
    subject: str = ""


def parse_exceeded(raw: bytes) -> Exceeded:
    """A bound as the commit script answers it: name, value and whose it is."""
    quota, limit, subject = raw.decode().split(" ", 2)
    return Exceeded(quota, int(limit), subject)


FIELDS: Final = """
local function charged_fields(by, on)
  return {'jobs caller:' .. by, 'bytes caller:' .. by, 'jobs connection:' .. on, 'bytes connection:' .. on}
end
"""
"""Fields of STORED by the names of caller and connection. Part of other scripts, as those below are."""

CHANGE: Final = (
    FIELDS
    + """
local function change_charge(stored, recount, by, on, jobs, bytes, seq)
  local hashes, fields = {stored}, charged_fields(by, on)
  local walked = redis.call('HGET', recount, 'walked')
  if walked and tonumber(seq) <= tonumber(walked) then hashes[2] = recount end
  for _, hash in ipairs(hashes) do
    for i, change in ipairs({jobs, bytes, jobs, bytes}) do
      if change ~= 0 and redis.call('HINCRBY', hash, fields[i], string.format('%d', change)) <= 0 then
        redis.call('HDEL', hash, fields[i])
      end
    end
  end
end
"""
)
"""Changes the charge of a job that stands at `seq`; a count of everything that has passed it already learns of it."""

CHECK: Final = """
local fields, held
local owed = bytes + #ARGV[5]
if rev == 0 and ARGV[36] ~= '' then
  fields = charged_fields(ARGV[36], ARGV[29])
  held = redis.call('HMGET', KEYS[20], fields[1], fields[2], fields[3], fields[4])
  for i = 1, 4 do
    held[i] = (held[i] or 0) + (i % 2 == 1 and 1 or owed)
    if ARGV[36 + i] ~= '0' and held[i] > tonumber(ARGV[36 + i]) then
      local quota = i % 2 == 1 and 'stored_jobs' or 'stored_bytes'
      return {-11, quota .. ' ' .. ARGV[36 + i] .. ' ' .. string.match(fields[i], ' (.*)$'), now}
    end
  end
end
"""
"""Part of the commit script, before its first write: whether there is room for a new job."""

TAKE: Final = """
if fields then
  for i = 1, 4 do held[i] = string.format('%d', held[i]) end
  redis.call('HSET', KEYS[20], fields[1], held[1], fields[2], held[2], fields[3], held[3], fields[4], held[4])
  put('by', ARGV[36])
  put('owed', string.format('%d', owed))
elseif had[8] and count > 0 and (ARGV[3] == '' or ARGV[4] == '1') then
  change_charge(KEYS[20], KEYS[21], ARGV[36], ARGV[29], 0, owed - tonumber(had[8]), had[4] or '0')
  put('owed', string.format('%d', owed))
end
"""
"""Part of the commit script, after its first write: charges a new job, or what an older one has grown by."""


class RecountKeys(NamedTuple):
    """KEYS of `recount.lua`."""

    jobs: str
    stored: str
    recount: str
    recounted: str


class RecountArguments(NamedTuple):
    """ARGV of `recount.lua`: how many jobs at most, what their keys begin with, ms until the next count of all."""

    most: int
    job_prefix: str
    every_ms: int


class RecountAnswer(IntEnum):
    """Codes of `recount.lua`: whether there are more jobs to count."""

    DONE = 0
    MORE = 1


RECOUNT_SCRIPT: Final = loader.load("recount", RecountKeys, RecountArguments, answers=RecountAnswer)
"""Counts the charges of the next jobs, and puts the counts in place when there are no more."""
