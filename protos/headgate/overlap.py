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

from headgate import connection_names, dates, keys, pb
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

FUNCTIONS: Final = f"""
local ended = {{{", ".join(f"['{int(state)}'] = true" for state in sorted(JOB_TERMINAL))}}}
local function lives(prefix, id)
  local state = redis.pcall('HGET', prefix .. id, 'st')
  if type(state) == 'string' then return not ended[state] end
  return redis.call('EXISTS', prefix .. id) == 1
end
local function earlier(targets, id, see)
  local mine = false
  for _, target in ipairs(targets) do mine = mine or redis.call('ZSCORE', target[2], id) end
  for _, target in ipairs(targets) do
    for _, other in ipairs(redis.call('ZRANGEBYSCORE', target[2], '-inf', mine and '(' .. mine or '+inf')) do
      see(other, target)
    end
  end
end
"""
"""Functions of the scripts. A target is a table of three keys: dates, line, wants; a default connection with a name of
its own has two targets. Who has ended holds nothing, whatever stands there: a worker of an earlier version gives back
under one name only. A damaged row counts as one that lives."""

CHECK: Final = """
local targets = {{KEYS[15], KEYS[16], KEYS[17]}}
if KEYS[22] ~= KEYS[15] then targets[2] = {KEYS[22], KEYS[23], KEYS[24]} end
if ARGV[4] ~= '1' and ARGV[26] == 'queue' and redis.call('ZCARD', KEYS[16]) >= tonumber(ARGV[27]) then
  return {-7, redis.call('ZCARD', KEYS[16]), now}
elseif ARGV[4] ~= '1' and ARGV[21] ~= '' and ARGV[26] ~= 'queue' then
  local wanted, taken, has, count, found, whole, seen = {}, {}, {}, 0, {}, nil, {}
  local function note(day, id)
    taken[day], has[id] = taken[day] or id, (has[id] or 0) + 1
    if has[id] == count then whole = whole or id end
  end
  for day in string.gmatch(ARGV[21], '%d+') do wanted[day], count = true, count + 1 end
  for day in string.gmatch(ARGV[21], '%d+') do
    for _, target in ipairs(targets) do
      local holder = not taken[day] and redis.call('HGET', target[1], day)
      if holder and holder ~= ARGV[1] and lives(ARGV[22], holder) then note(day, holder) end
    end
  end
  earlier(targets, ARGV[1], function(id, target)
    if seen[id] then return end
    seen[id] = true
    for day in string.gmatch(lives(ARGV[22], id) and redis.call('HGET', target[3], id) or '', '%d+') do
      if wanted[day] then note(day, id) end
    end
  end)
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
local rung = {}
local function ring(id)
  redis.pcall('HSET', ARGV[22] .. id, 'ring', '1')
  redis.call('ZADD', KEYS[4], 'XX', now, id)
  local wake = redis.pcall('HGET', ARGV[22] .. id, 'wake')
  if type(wake) == 'string' then
    redis.call('ZADD', KEYS[12], 'XX', now, wake)
    redis.call('LPUSH', KEYS[13], wake)
    redis.call('LTRIM', KEYS[13], 0, 999)
  end
end
for _, target in ipairs(ARGV[21] ~= '' and targets or {}) do
  if ARGV[26] == 'queue' and ARGV[4] ~= '1' then
    redis.call('ZADD', target[2], seq, ARGV[1])
    redis.call('HSET', target[3], ARGV[1], ARGV[21])
  else
    redis.call('ZREM', target[2], ARGV[1])
    redis.call('HDEL', target[3], ARGV[1])
    for day in string.gmatch(ARGV[21], '%d+') do
      if ARGV[4] ~= '1' then
        redis.call('HSET', target[1], day, ARGV[1])
      elseif redis.call('HGET', target[1], day) == ARGV[1] then
        redis.call('HDEL', target[1], day)
      end
    end
    for _, id in ipairs(ARGV[4] == '1' and redis.call('ZRANGE', target[2], 0, -1) or {}) do
      if not lives(ARGV[22], id) then
        redis.call('ZREM', target[2], id)
        redis.call('HDEL', target[3], id)
      elseif not rung[id] then
        rung[id] = true
        ring(id)
      end
    end
  end
end
"""
"""Part of the commit script, at its end: take the dates, or get in line, or give back what the job has. Who gives back
rings for all in line: their next ticks are due now, one that is lost is seen by the next round of a reaper, and one
that is under way is followed by another. One of them whose row is damaged must not break this in the middle."""

LINE_SCRIPT: Final = (
    FUNCTIONS
    + """
local targets = {{KEYS[1], KEYS[2], KEYS[3]}}
if KEYS[4] ~= KEYS[1] then targets[2] = {KEYS[4], KEYS[5], KEYS[6]} end
local found, taken = {}, {}
earlier(targets, ARGV[1], function(id, target)
  for day in string.gmatch(lives(ARGV[2], id) and redis.call('HGET', target[3], id) or '', '%d+') do
    taken[day] = taken[day] or id
  end
end)
for day in string.gmatch(ARGV[3], '%d+') do
  local other = taken[day]
  for place = #targets, 1, -1 do
    local holder = redis.call('HGET', targets[place][1], day)
    if holder and holder ~= ARGV[1] and lives(ARGV[2], holder) then other = holder end
  end
  if other then found[#found + 1] = day .. ':' .. other end
end
return table.concat(found, ',')
"""
)
"""Who has dates that a job waits for. KEYS: 1 dates 2 line 3 wants, 4 to 6 the same under the connection's other name.
ARGV: 1 job id 2 prefix of jobs 3 days. Answers as `parse_taken` reads it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Dates that a job holds or wants.

    Args:
        connection: the job's connection.
        work: what else makes its target.
        days: the dates, as "yyyymmdd".
        mode: how to get them.
    """

    connection: str
    work: str
    days: tuple[str, ...]
    mode: str = TAKE

    @property
    def key(self) -> str:
        """Hash of date to holder, under the connection's name as the job has it."""
        return _key(self.connection, self.work)

    def keys(self, default: str = "") -> tuple[str, ...]:
        """Hash of date to holder, the line as a sorted set of job ids, and the hash of what each of those wants.

        Then the same under the other name of the connection, of which `default` is the default one.
        """
        name, other = connection_names.both(self.connection, default)
        first = _keys(_key(name, self.work))
        return first + (first if other == name else _keys(_key(other, self.work)))


PREFIX: Final = f"{keys.PREFIX}dates:"
"""What the names of everything begin with that is kept of dates."""


def _keys(key: str) -> tuple[str, str, str]:
    return key, f"{key}:line", f"{key}:wants"


NO_KEYS: Final = 2 * _keys(f"{PREFIX}none")
"""Keys of a job that holds nothing."""


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
    return Hold(job.connection, _work(job.backfill), tuple(sorted(days)), mode)


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
    return _target(connection, _work(spec))


def _work(spec: pb.BackfillSpec) -> str:
    properties = spec.default_run_properties
    tasks = sorted(properties.root_task_ids) or sorted(properties.include_task_ids)
    return f"{spec.project_id}\n{spec.env_type}\n{tasks}"


def _target(connection: str, work: str) -> str:
    return keys.digest(f"{connection}\n{work}".encode())


def _key(connection: str, work: str) -> str:
    return f"{PREFIX}{_target(connection, work)}"
