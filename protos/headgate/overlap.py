"""Which dates a backfill holds while it is active, so that no other one runs them too. Judged per date.

Two backfills overlap on a date when connection, project, environment and root tasks are the same: those are its target.
The commit that accepts a backfill takes its dates, all or none, and so does one that runs dates again; the commit that
ends it gives them back. With QUEUE_AFTER a backfill is accepted into the line of its target instead, holding nothing,
and the commit by which a worker begins it takes the dates. In line the earlier one comes first: dates that somebody in
line wants are taken for all who came later, or are not in line. So nobody waits for one who waits for him, and nobody
waits for ever while those before him end, which their deadlines see to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from headgate import dates, keys, pb
from headgate.lifecycle import JOB_TERMINAL

HOLDING: Final = frozenset({pb.OVERLAP_UNSPECIFIED, pb.OVERLAP_REJECT, pb.OVERLAP_JOIN, pb.OVERLAP_QUEUE_AFTER})
"""Policies under which a backfill holds its dates; with ALLOW it neither holds nor minds."""

MOST_WAITING: Final = 32
"""Backfills that may wait in the line of one target: each commit that takes dates there looks at all of them."""

TAKE: Final = "take"
"""Take the dates, or change nothing."""

JOIN: Final = "join"
"""Take the dates, or be told of the one other backfill that has them all."""

QUEUE: Final = "queue"
"""Get in line."""

_MODES: Final[Mapping[pb.Overlap.ValueType, str]] = {pb.OVERLAP_JOIN: JOIN, pb.OVERLAP_QUEUE_AFTER: QUEUE}

CHECK: Final = """
local function lives(id) return redis.call('EXISTS', ARGV[22] .. id) == 1 end
local function in_line(id) return redis.call('HGET', KEYS[17], id) or '' end
if ARGV[4] ~= '1' and ARGV[26] == 'queue' and redis.call('ZCARD', KEYS[16]) >= tonumber(ARGV[27]) then
  return {-7, redis.call('ZCARD', KEYS[16]), now}
elseif ARGV[4] ~= '1' and ARGV[21] ~= '' and ARGV[26] ~= 'queue' then
  local wanted, taken, has, count, found, whole = {}, {}, {}, 0, {}, nil
  local function note(day, id)
    taken[day], has[id] = taken[day] or id, (has[id] or 0) + 1
    if has[id] == count then whole = whole or id end
  end
  for day in string.gmatch(ARGV[21], '%d+') do wanted[day], count = true, count + 1 end
  for day in string.gmatch(ARGV[21], '%d+') do
    local holder = redis.call('HGET', KEYS[15], day)
    if holder and holder ~= ARGV[1] and lives(holder) then note(day, holder) end
  end
  local mine = redis.call('ZSCORE', KEYS[16], ARGV[1])
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[16], '-inf', mine and '(' .. mine or '+inf')) do
    for day in string.gmatch(lives(id) and in_line(id) or '', '%d+') do
      if wanted[day] then note(day, id) end
    end
  end
  if ARGV[26] == 'join' and whole then
    local uid = redis.call('HGET', ARGV[22] .. whole, 'uid') or ''
    if ARGV[13] ~= '' then
      redis.call('SET', KEYS[9], whole .. string.match(ARGV[13], ' .*$'), 'PX', ARGV[14])
      if uid ~= '' then redis.call('SET', KEYS[18], uid, 'PX', ARGV[14]) end
    end
    record(KEYS[19], ARGV[30], ARGV[31], ARGV[32], 'jobs/' .. whole, uid, ARGV[29], '0')
    return {-6, whole, now, uid}
  end
  for day in string.gmatch(ARGV[21], '%d+') do
    if taken[day] then found[#found + 1] = day .. ':' .. taken[day] end
  end
  if #found > 0 then return {-5, table.concat(found, ','), now} end
end
"""
"""Part of the commit script, before its first write: whether the dates can be had. A backfill that joins another is
recorded nowhere but under its request id, here, so that no end of the other can come in between."""

CHANGE: Final = """
if ARGV[21] ~= '' and ARGV[26] == 'queue' and ARGV[4] ~= '1' then
  redis.call('ZADD', KEYS[16], seq, ARGV[1])
  redis.call('HSET', KEYS[17], ARGV[1], ARGV[21])
elseif ARGV[21] ~= '' then
  redis.call('ZREM', KEYS[16], ARGV[1])
  redis.call('HDEL', KEYS[17], ARGV[1])
  for day in string.gmatch(ARGV[21], '%d+') do
    if ARGV[4] ~= '1' then
      redis.call('HSET', KEYS[15], day, ARGV[1])
    elseif redis.call('HGET', KEYS[15], day) == ARGV[1] then
      redis.call('HDEL', KEYS[15], day)
    end
  end
  for _, id in ipairs(ARGV[4] == '1' and redis.call('ZRANGE', KEYS[16], 0, -1) or {}) do
    if lives(id) then
      redis.pcall('HSET', ARGV[22] .. id, 'ring', '1')
      redis.call('ZADD', KEYS[4], 'XX', now, id)
      local wake = redis.pcall('HGET', ARGV[22] .. id, 'wake')
      if type(wake) == 'string' then
        redis.call('ZADD', KEYS[12], 'XX', now, wake)
        redis.call('LPUSH', KEYS[13], wake)
        redis.call('LTRIM', KEYS[13], 0, 999)
      end
    else
      redis.call('ZREM', KEYS[16], id)
      redis.call('HDEL', KEYS[17], id)
    end
  end
end
"""
"""Part of the commit script, at its end: take the dates, or get in line, or give back what the job has. Who gives back
rings for all in line: their next ticks are due now, one that is lost is seen by the next round of a reaper, and one
that is under way is followed by another. One of them whose row is damaged must not break this in the middle."""

LINE_SCRIPT: Final = """
local function lives(id) return redis.call('EXISTS', ARGV[2] .. id) == 1 end
local found, taken = {}, {}
local mine = redis.call('ZSCORE', KEYS[2], ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', mine and '(' .. mine or '+inf')) do
  for day in string.gmatch(lives(id) and redis.call('HGET', KEYS[3], id) or '', '%d+') do
    taken[day] = taken[day] or id
  end
end
for day in string.gmatch(ARGV[3], '%d+') do
  local holder = redis.call('HGET', KEYS[1], day)
  local other = holder and holder ~= ARGV[1] and lives(holder) and holder or taken[day]
  if other then found[#found + 1] = day .. ':' .. other end
end
return table.concat(found, ',')
"""
"""Who has dates that a job waits for. KEYS: 1 dates 2 line 3 wants. ARGV: 1 job id 2 prefix of jobs 3 days. Answers as
`parse_taken` reads it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Dates that a job holds or wants: the key of their target's hash, the dates as "yyyymmdd", and how to get them."""

    key: str
    days: tuple[str, ...]
    mode: str = TAKE

    def keys(self) -> tuple[str, str, str]:
        """Hash of date to holder, the line as a sorted set of job ids, and the hash of what each of those wants."""
        return self.key, f"{self.key}:line", f"{self.key}:wants"


PREFIX: Final = f"{keys.PREFIX}dates:"
"""What the names of everything begin with that is kept of dates."""

NOTHING: Final = Hold(f"{PREFIX}none", ())
"""What a job holds that holds nothing."""


@dataclass(frozen=True, slots=True)
class Overlapping:
    """Other active backfills hold some of the dates; nothing was written. `taken` maps "yyyymmdd" to a job id."""

    taken: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Joined:
    """Another active backfill has all of the dates and is joined; nothing was written but the request's record.

    Args:
        uid: the other job's; empty where a server accepted it that keeps no uid beside a job.
    """

    job_id: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class LineFull:
    """So many backfills wait for dates of the same target that no more are taken; nothing was written."""

    waiting: int


def hold_of(job: pb.Job) -> Hold | None:
    """What the job holds while it is active; None when it holds nothing."""
    return _hold(job, TAKE)


def _hold(job: pb.Job, mode: str) -> Hold | None:
    if job.WhichOneof("spec") != "backfill" or job.backfill.overlap not in HOLDING:
        return None
    days = {dates.compact(run.biz_date) for run in job.runs if run.HasField("biz_date")}
    return Hold(_key(job.connection, job.backfill), tuple(sorted(days)), mode)


def hold_of_new(job: pb.Job) -> Hold | None:
    """What a job that is submitted takes, joins or waits for."""
    return _hold(job, _MODES.get(job.backfill.overlap, TAKE))


def waits(job: pb.Job) -> bool:
    """Whether the job is in line for its dates: no worker may begin it before it has them."""
    queued = job.WhichOneof("spec") == "backfill" and job.backfill.overlap == pb.OVERLAP_QUEUE_AFTER
    return queued and not job.HasField("start_time") and job.state not in JOB_TERMINAL


def parse_taken(raw: bytes) -> dict[str, str]:
    """Which job has which date, "yyyymmdd" to job id, as the scripts answer it."""
    return dict(pair.split(":") for pair in raw.decode().split(",") if pair)


def line_arguments(job_id: str, hold: Hold) -> Sequence[str]:
    """ARGV of LINE_SCRIPT; `job_id` is empty for one that is not in line."""
    return job_id, keys.job(""), ",".join(hold.days)


def target(connection: str, spec: pb.BackfillSpec) -> str:
    """What a backfill works on, whatever its dates and its name are, as `keys.digest`."""
    properties = spec.default_run_properties
    tasks = sorted(properties.root_task_ids) or sorted(properties.include_task_ids)
    text = f"{connection}\n{spec.project_id}\n{spec.env_type}\n{tasks}"
    return keys.digest(text.encode())


def _key(connection: str, spec: pb.BackfillSpec) -> str:
    return f"{PREFIX}{target(connection, spec)}"
