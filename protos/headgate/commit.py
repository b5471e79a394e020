"""The commit: the only way to change a job. Its script text, its arguments and its answers; adapters run it.

One Lua script compares revision and fence and then writes log, state, feed, indexes, idempotency record and the ARQ
entry of the next tick together, or nothing. Lua does not roll back, so everything that can refuse comes before the
first write, and the first write is the one that can fail. Redis' own clock is the only clock. Ids stay strings: Lua's
numbers are doubles (measured: 9007199254740993 becomes ...992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from headgate import audit, entries, keys, overlap, pb, snapshot
from headgate.lifecycle import JOB_TERMINAL
from headgate.overlap import Hold, Joined, LineFull, Overlapping

FEED_LENGTH: Final = 50_000
"""About how many events the feed keeps. A reader that falls behind further reads the logs instead."""

GRACE_MS: Final = 2_000
"""How long a due tick may be late before the reaper rings again; of a running tick, how long after its lease."""

REQUEST_TTL_MS: Final = 8 * 24 * 3600 * 1000
"""How long a request_id is remembered; the API promises 7 days."""

SCRIPT: Final = (
    audit.RECORD
    + """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[13] ~= '' then
  local seen = redis.call('GET', KEYS[9])
  if seen then return {-3, seen, now, redis.call('GET', KEYS[18]) or ''} end
end
local found = redis.call('HMGET', KEYS[1], 'rev', 'uid', 'fence', 'seq', 'wake')
local rev = tonumber(found[1] or '0')
if found[2] and found[2] ~= ARGV[28] then return {ARGV[3] == '' and -1 or -2, rev, now} end
if rev ~= tonumber(ARGV[2]) then return {-1, rev, now} end
if ARGV[3] ~= '' and found[3] ~= ARGV[3] then return {-2, rev, now} end
if redis.call('LLEN', KEYS[2]) ~= rev then return {-4, rev, now} end
%(check)s
local first = 33
local count = #ARGV - first + 1
for i = 0, count - 1 do
  redis.call('RPUSH', KEYS[2], ARGV[first + i])
end
for i = 0, count - 1 do
  redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*',
    'i', ARGV[1], 'r', string.format('%d', rev + i + 1), 'e', ARGV[first + i])
end
rev = rev + count
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'rev', string.format('%d', rev), 'st', ARGV[15], 'att', '0', 'snap', ARGV[5])
else
  redis.call('HSET', KEYS[1], 'rev', string.format('%d', rev), 'st', ARGV[15], 'att', '0')
end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'hints', string.sub(ARGV[6], 2)) end
for i, field in ipairs({'reads', 'writes', 'throttled'}) do
  if ARGV[15 + i] ~= '0' then redis.call('HINCRBY', KEYS[1], field, ARGV[15 + i]) end
end
if ARGV[23] ~= '0' then redis.call('HINCRBY', KEYS[1], 'waited', ARGV[23]) end
if ARGV[24] ~= '' then redis.call('HSET', KEYS[1], 'polled', ARGV[24]) end
if ARGV[25] ~= '' then redis.call('HSET', KEYS[1], 'polls_at', ARGV[25]) end
local delay = ARGV[10]
if ARGV[19] ~= '' then
  if ARGV[8] ~= '' and redis.call('HDEL', KEYS[1], 'ring') == 1 then delay = '0' end
  redis.call('HSET', KEYS[1], 'lease', ARGV[19] == '0' and '0' or string.format('%d', now + ARGV[19]))
end
local seq = found[4]
if not seq then
  seq = redis.call('INCR', KEYS[6])
  redis.call('HSET', KEYS[1], 'seq', seq, 'uid', ARGV[28], 'conn', ARGV[29])
  redis.call('ZADD', KEYS[5], seq, ARGV[1])
end
if KEYS[7] ~= KEYS[8] then
  if found[1] then redis.call('ZREM', KEYS[7], ARGV[1]) end
  redis.call('ZADD', KEYS[8], seq, ARGV[1])
end
if ARGV[4] == '1' then
  redis.call('ZREM', KEYS[4], ARGV[1])
  redis.call('ZADD', KEYS[10], now + ARGV[12], ARGV[1])
else
  redis.call('ZADD', KEYS[4], now + delay + ARGV[12], ARGV[1])
  if found[1] then redis.call('ZREM', KEYS[10], ARGV[1]) end
end
if ARGV[8] ~= '' or ARGV[4] == '1' then
  local old = found[5]
  if old then
    redis.call('ZREM', KEYS[12], old)
    redis.call('DEL', 'arq:job:' .. old)
  end
  if ARGV[8] ~= '' then
    redis.call('HSET', KEYS[1], 'wake', ARGV[8])
  else
    redis.call('HDEL', KEYS[1], 'wake', 'att', 'polls_at')
  end
end
if ARGV[8] ~= '' then
  redis.call('PSETEX', KEYS[11], delay + ARGV[11], ARGV[9])
  redis.call('ZADD', KEYS[12], now + delay, ARGV[8])
  if delay == '0' then
    if redis.call('LPUSH', KEYS[13], ARGV[8]) > 1000 then redis.call('LTRIM', KEYS[13], 0, 999) end
  end
end
if ARGV[13] ~= '' then
  redis.call('SET', KEYS[9], ARGV[13], 'PX', ARGV[14])
  redis.call('SET', KEYS[18], ARGV[28], 'PX', ARGV[14])
end
if ARGV[20] ~= '' and not redis.call('SET', KEYS[14], ARGV[20], 'NX', 'PX', ARGV[14] * 5) then
  if redis.call('GET', KEYS[14]) ~= ARGV[20] then redis.call('HSET', KEYS[1], 'marked', '1') end
end
%(change)s
record(KEYS[19], ARGV[30], ARGV[31], ARGV[32], 'jobs/' .. ARGV[1], ARGV[28], ARGV[29], string.format('%d', rev))
return {1, rev, now}
""".replace("%(check)s", overlap.CHECK).replace("%(change)s", overlap.CHANGE)
)
"""A job has one next tick: a commit that brings another takes the one before off the queue, so that a tick too many
never becomes a second chain of ticks. KEYS: 1 job 2 log 3 feed 4 due 5 jobs 6 sequence 7 state before 8 state after
9 request 10 expiring 11 definition 12 queue 13 kick 14 name 15 dates 16 line 17 wants 18 life of the request's job
19 audit. ARGV: see `script_arguments`. Answers {code, revision or record, now in ms}, for a record its job's uid."""


@dataclass(frozen=True, slots=True)
class Wake:
    """When to look at a job next: the ARQ entry, and in how many ms (0 kicks a worker at once)."""

    entry: entries.Entry
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What makes a submit idempotent: the key of the request id, and the digest of the body it came with.

    It belongs to one life of a job, whose uid stands beside it.
    """

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class NameClaim:
    """The name that a job will give its instances upstream, which is what a search for a lost create looks for.

    The first job to claim a name sends it as it is; for a later one `marked` is set, and it sends a name of its own.

    Args:
        key: `keys.instance_name` of connection, project and name.
        uid: the job's uid.
    """

    key: str
    uid: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Upstream calls made since the last commit, and for how many ms slots of the quota were waited for."""

    reads: int = 0
    writes: int = 0
    throttled: int = 0
    waited_ms: int = 0


@dataclass(frozen=True, slots=True)
class Polls:
    """When upstream was last read for a job, and when it will be next, in ms; None leaves what stands, 0 is never."""

    last_ms: int | None = None
    next_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """One change of one job.

    Args:
        before: the job's state at the expected revision; UNSPECIFIED for a new job.
        job: the job after the events, the fold of its log.
        expected_revision: the revision that the change was decided at; 0 for a new job.
        events: the new events as bytes, revisions expected_revision + 1 and up; none changes only timing.
        fence: what `begin` gave; None for writers that hold no tick, such as a server.
        hints: scratch of the worker. Losing it changes timing only. None leaves it as it is.
        wake: the next tick; None for a terminal job.
        request: for a submit or a retry, its idempotency record.
        origin: who makes the change, for its audit record; NOBODY for a worker.
        hold: dates of a backfill: taken, all or none, or waited for in line, by the commit that accepts it, runs dates
            again or begins it, and given back by the one that makes it terminal; None on all others.
        claim: for a submit that makes instances, the name it will give them: whether another job has given it too.
        polls: when upstream was read and will be; kept beside the job, for signs of life.
        body: the job as bytes, where its maker has them; they are made again where it has not.
        lease_ms: for how long the writer keeps the job from now on; 0 gives it back; None for a writer without a tick.
    """

    before: pb.JobState.ValueType
    job: pb.Job
    expected_revision: int
    events: tuple[bytes, ...]
    fence: int | None = None
    hints: bytes | None = None
    wake: Wake | None = None
    request: RequestRecord | None = None
    usage: Usage = Usage()
    lease_ms: int | None = None
    claim: NameClaim | None = None
    hold: Hold | None = None
    polls: Polls = Polls()
    body: bytes = b""
    origin: audit.Origin = audit.NOBODY


@dataclass(frozen=True, slots=True)
class Committed:
    """It is done: the job stands at `revision`, and it was `now_ms` by the store's clock."""

    revision: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Stale:
    """Somebody else moved the job on to `revision` first; nothing was written."""

    revision: int


@dataclass(frozen=True, slots=True)
class Fenced:
    """Somebody else has taken the job since; nothing was written, and nothing may be."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The request id was used before, for this job and with this digest; nothing was written.

    Args:
        uid: the job's; empty where a server recorded it that keeps no uid with a request.
    """

    job_id: str
    digest: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Damaged:
    """Log and state of the job disagree, which only a loss in the store can bring about; nothing was written."""

    revision: int


Answer = Committed | Stale | Fenced | Duplicate | Damaged | Overlapping | Joined | LineFull


def script_keys(commit: Commit) -> list[str]:
    """KEYS of the script."""
    job_id = keys.job_id(commit.job.name)
    after = keys.state(commit.job.state)
    before = keys.state(commit.before)
    entry = commit.wake.entry.id if commit.wake else "none"
    request = commit.request.key if commit.request else keys.NO_REQUEST
    indexes = [keys.FEED, keys.DUE, keys.JOBS, keys.SEQUENCE, before, after, request, keys.EXPIRING]
    arq = [keys.arq_job(entry), keys.TICKS, keys.kick(keys.TICKS)]
    name = commit.claim.key if commit.claim else "hg:name:none"
    dates = (commit.hold or overlap.NOTHING).keys()
    return [keys.job(job_id), keys.log(job_id), *indexes, *arq, name, *dates, keys.request_life(request), keys.AUDIT]


def script_arguments(commit: Commit) -> list[bytes | str | int]:
    """ARGV of the script."""
    job_id = keys.job_id(commit.job.name)
    terminal = commit.job.state in JOB_TERMINAL
    wake = commit.wake
    usage = commit.usage
    return [
        job_id,
        commit.expected_revision,
        "" if commit.fence is None else commit.fence,
        int(terminal),
        snapshot.to_keep(commit.job, commit.expected_revision, commit.events, commit.body),
        b"" if commit.hints is None else b"=" + commit.hints,
        FEED_LENGTH,
        wake.entry.id if wake else "",
        wake.entry.definition if wake else "",
        wake.delay_ms if wake else 0,
        entries.DEFINITION_TTL_MS,
        commit.job.ttl_after_end.ToMilliseconds() if terminal else _late_after_ms(commit),
        f"{job_id} {commit.request.digest}" if commit.request else "",
        REQUEST_TTL_MS,
        int(commit.job.state),
        usage.reads,
        usage.writes,
        usage.throttled,
        "" if commit.lease_ms is None else commit.lease_ms,
        commit.claim.uid if commit.claim else "",
        ",".join(commit.hold.days) if commit.hold else "",
        keys.job(""),
        usage.waited_ms,
        "" if commit.polls.last_ms is None else commit.polls.last_ms,
        "" if terminal or commit.polls.next_ms is None else commit.polls.next_ms,
        commit.hold.mode if commit.hold else "",
        overlap.MOST_WAITING,
        commit.job.uid,
        commit.job.connection,
        commit.origin.actor,
        commit.origin.method,
        commit.origin.peer,
        *commit.events,
    ]


def _late_after_ms(commit: Commit) -> int:
    """How long after its next tick, or the end of the lease that it runs on under, a job counts as late."""
    return GRACE_MS + (0 if commit.wake else commit.lease_ms or 0)


def parse_answer(raw: Sequence[int | bytes]) -> Answer:
    """What the script answered."""
    code, detail, now_ms = raw[0], raw[1], int(raw[2])
    if code == 1:
        return Committed(int(detail), now_ms)
    if code == -1:
        return Stale(int(detail))
    if code == -2:
        return Fenced()
    if code == -3:
        return recorded(bytes(detail), bytes(raw[3]))
    if code == -5:
        return Overlapping(overlap.parse_taken(bytes(detail)))
    if code == -6:
        return Joined(bytes(detail).decode(), bytes(raw[3]).decode())
    if code == -7:
        return LineFull(int(detail))
    return Damaged(int(detail))


def recorded(record: bytes, life: bytes | None) -> Duplicate:
    """What a request id was used for, by its record and by the uid that is kept beside it, if there is one."""
    job_id, digest = record.decode().split(" ")
    return Duplicate(job_id, digest, (life or b"").decode())
