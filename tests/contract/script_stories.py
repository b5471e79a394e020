"""What the positional scripts and those of now are told to do, and who tells it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headgate import pb
from headgate.job import event_log
from headgate.quota import admission
from headgate.quota import limits as quota_limits
from headgate.quota.priority import Rank
from headgate.store import charges, commit, date_claims, deletion, keys, late_ticks, leases, observations, queue_entries
from headgate.store.audit import Origin
from headgate.store.charges import Shares
from headgate.store.commit import Commit, MemoryPolicy, NameClaim, Polls, RequestRecord, Usage, Wake
from headgate.store.date_claims import hold_of
from headgate_server.store import connection_facts, feed_history, job_scripts, stored_rows
from headgate_worker.queue import claim_scripts, lane_shares
from tests.worker.submitting import backfill_job, hold_of_submitted, seed_backfill

POSITIONAL: Final = Path(__file__).parent / "positional"
ALICE: Final = Origin("alice", "/headgate.v1.JobService/X", "ipv4:1")
BEGIN_MS: Final = 1_800_000_000_000
NOW: Final[dict[str, str]] = {
    "commit": commit.SCRIPT,
    "begin": leases.BEGIN_SCRIPT,
    "renew": leases.RENEW_SCRIPT,
    "release": leases.RELEASE_SCRIPT,
    "give_up": leases.GIVE_UP_SCRIPT,
    "reap": late_ticks.REAP_SCRIPT,
    "ring": late_ticks.REQUEUE_SCRIPT,
    "delete": deletion.DELETE_SCRIPT,
    "forget": deletion.FORGET_SCRIPT,
    "clean_dates": deletion.CLEAN_SCRIPT,
    "date_line": date_claims.LINE_SCRIPT,
    "recount": charges.RECOUNT_SCRIPT,
    "quota": admission.SCRIPT,
    "throttled": admission.THROTTLED_SCRIPT,
    "claim_observation": observations.CLAIM_SCRIPT,
    "land_observation": observations.PUBLISH_SCRIPT,
    "drop_observation": observations.ABANDON_SCRIPT,
    "claim_entries": claim_scripts.CLAIM,
    "claim_shared_entries": lane_shares.CLAIM,
    "renew_claims": claim_scripts.RENEW,
    "end_claims": claim_scripts.FINISH,
    "load_job": job_scripts.LOAD,
    "read_log": job_scripts.READ_LOG,
    "read_connections": job_scripts.READ_CONNECTIONS,
    "count_members": job_scripts.COUNT,
    "read_facts": connection_facts._FACTS._text,
    "feed_ends": feed_history._ENDS._text,
    "next_members": feed_history._NEXT._text,
}
TURNS: Final = {"earlier": "e", "now": "n", "earlier-now": "en", "now-earlier": "ne"}

Argument = str | bytes | int | float
Story = Callable[["Teller"], Awaitable[None]]


class Teller:
    """Runs scripts by the texts whose turn it is, and keeps what they answer."""

    def __init__(self, redis: Redis, turns: str) -> None:
        self.redis: Any = redis
        self.answers: list[Any] = []
        self.now_ms = BEGIN_MS
        self._turns = turns

    async def run(self, name: str, names: Sequence[str], arguments: Sequence[Argument]) -> None:
        """Run a script at `now_ms`, which goes on by 10 ms."""
        turn = self._turns[len(self.answers) % len(self._turns)]
        text = (POSITIONAL / f"{name}.lua").read_text() if turn == "e" else NOW[name]
        told = text.replace("redis.call('TIME')", f"{{'{self.now_ms // 1000}', '{self.now_ms % 1000 * 1000}'}}")
        try:
            answer = await self.redis.eval(told, len(names), *names, *arguments)
        except ResponseError as error:
            answer = re.sub(r"f_\w+|user_script: ?\d+|script: .*", "", str(error))
        self.answers.append((name, answer))
        self.now_ms += 10

    async def commit(self, change: Commit, default: str = "") -> None:
        await self.run("commit", commit.script_keys(change, default), commit.script_arguments(change))

    async def begin(self, job_id: str, caution_ms: int = 0) -> None:
        names = leases.BeginKeys(keys.job(job_id), keys.DUE, keys.log(job_id))
        await self.run("begin", names, leases.BeginArguments(job_id, 4_000, 2_000, caution_ms))

    async def fence(self, job_id: str) -> int:
        return int(await self.redis.hget(keys.job(job_id), "fence"))

    async def reap(self, most: int = 100) -> None:
        names = late_ticks.ReapKeys(keys.DUE, keys.TICKS, keys.DAMAGED)
        await self.run("reap", names, late_ticks.ReapArguments(most, 2_000, keys.job("")))

    async def delete(self, job: pb.Job, revision: int, *, only_expired: bool = False) -> None:
        arguments = deletion.script_arguments(
            keys.job_id(job.name), revision, job.uid, connection="eu", origin=ALICE, only_expired=only_expired
        )
        await self.run("delete", deletion.script_keys(keys.job_id(job.name), job.state), arguments)

    async def forget(self, job_id: str, seen: tuple[bytes, bytes]) -> None:
        await self.run("forget", deletion.forget_keys(job_id), deletion.forget_arguments(job_id, seen, ALICE))


def new(name: str = "x", policy: pb.Overlap.ValueType = pb.OVERLAP_REJECT, **fields: Any) -> Commit:
    job = backfill_job(seed_backfill(overlap=policy), name=f"jobs/{name}")
    job.uid, job.creator, job.connection = f"uid-{name}", "alice", "eu"
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, job=job)
    made = event_log.fold(None, event)
    chosen = {
        "wake": Wake(queue_entries.tick(name, nonce="0", now_ms=1)),
        "request": RequestRecord(keys.request("alice", name), "0123456789abcdefghijkl"),
        "hold": hold_of_submitted(made),
        "origin": ALICE,
        **fields,
    }
    return Commit(pb.JOB_STATE_UNSPECIFIED, made, 0, (event.SerializeToString(),), **chosen)


def moved(job: pb.Job, *states: pb.JobState.ValueType, **fields: Any) -> Commit:
    after, events = job, []
    for state in states:
        event = pb.JobEvent(revision=after.revision + 1, type=pb.EVENT_TYPE_STATE_CHANGED, state=state)
        after = event_log.fold(after, event)
        events.append(event.SerializeToString())
    return Commit(job.state, after, job.revision, tuple(events), **{"hold": hold_of(after), **fields})


RUNS, DONE = pb.JOB_STATE_RUNNING, pb.JOB_STATE_SUCCEEDED


async def a_job_from_submit_to_deletion(teller: Teller) -> None:
    change = new(claim=NameClaim("eu", 1, "backfill", "uid-x"), shares=Shares(5, 10**6, 9, 10**7))
    await teller.commit(change, "eu")
    await teller.commit(change)
    await teller.commit(new(request=None))
    await teller.begin("x")
    await teller.begin("x")
    fence = await teller.fence("x")
    runs = moved(
        change.job,
        RUNS,
        fence=fence,
        hints=b"{}",
        lease_ms=4_000,
        usage=Usage(1, 2, 3, 4),
        polls=Polls(1, 2),
        hold=None,
    )
    await teller.commit(runs)
    await teller.run("renew", (keys.job("x"), keys.DUE), ("x", fence, 4_000, 2_000))
    await teller.run("renew", (keys.job("x"), keys.DUE), ("x", fence - 1, 4_000, 2_000))
    wakes = Commit(
        RUNS,
        runs.job,
        runs.job.revision,
        (),
        fence,
        lease_ms=0,
        wake=Wake(queue_entries.tick("x", nonce="1", now_ms=2), 500),
    )
    await teller.commit(wakes)
    for uncount in (0, 1, 1):
        await teller.run("release", (keys.job("x"),), (fence, uncount))
    await teller.run("release", (keys.job("x"),), (fence + 1, 1))
    await teller.begin("x")
    await teller.commit(moved(runs.job, DONE, fence=fence))
    ended = moved(runs.job, DONE, fence=fence + 1)
    await teller.commit(ended)
    await teller.delete(ended.job, 2)
    await teller.delete(ended.job, 3, only_expired=True)
    teller.now_ms += 10**9
    await teller.delete(ended.job, 3, only_expired=True)
    await teller.delete(ended.job, 3)
    await teller.begin("x")


async def a_change_that_is_refused(teller: Teller) -> None:
    change = new()
    await teller.commit(new(memory=MemoryPolicy.REFUSE))
    await teller.commit(new(shares=Shares(caller_bytes=10)))
    await teller.commit(change)
    await teller.commit(new("y", shares=Shares(caller_jobs=1), hold=None))
    await teller.commit(new("y", shares=Shares(connection_jobs=1), hold=None))
    await teller.commit(moved(change.job, RUNS, fence=7))
    other = moved(change.job, RUNS)
    other.job.uid = "uid-of-another"
    await teller.commit(other)
    await teller.redis.hset(keys.job("x"), "lb", 300_000_000)
    await teller.commit(moved(change.job, RUNS))
    await teller.commit(moved(change.job, pb.JOB_STATE_CANCELLING))
    await teller.redis.rpush(keys.log("x"), "too many")
    await teller.commit(moved(moved(change.job, pb.JOB_STATE_CANCELLING).job, pb.JOB_STATE_CANCELLED))
    await teller.redis.hset(keys.job("x"), "rev", "no number")
    await teller.commit(moved(change.job, RUNS))
    await teller.redis.set(keys.job("z"), "no hash")
    await teller.commit(new("z"))


async def dates_that_several_jobs_want(teller: Teller) -> None:
    first = new()
    for default in ("eu", ""):
        await teller.commit(first, default)
        await teller.commit(new("y"), default)
        await teller.commit(new("j", pb.OVERLAP_JOIN), default)
        await teller.commit(new("j", pb.OVERLAP_JOIN), default)
        second, third = (new(name, pb.OVERLAP_QUEUE_AFTER) for name in ("q", "r"))
        for queued in (second, third):
            await teller.commit(queued, default)
        for queued in (second, third):
            hold = hold_of(queued.job)
            assert hold is not None
            job_id = keys.job_id(queued.job.name)
            await teller.run("date_line", hold.keys(default), date_claims.line_arguments(job_id, hold))
        await teller.redis.hset(keys.job("r"), "wake", "tick:r:0")
        ended = moved(first.job, RUNS, DONE)
        await teller.commit(ended, default)
        await teller.commit(moved(second.job, RUNS), default)
        await teller.commit(moved(third.job, RUNS), default)
        await teller.delete(ended.job, 3)
        await teller.run("forget", deletion.forget_keys("q"), deletion.forget_arguments("q", (b"2", b"uid-q"), ALICE))
        for name in sorted(await teller.redis.keys("hg:dates:*")):
            await teller.run("clean_dates", (name.decode(),), ("q",))
        teller.now_ms += 60_000
        await teller.redis.flushall()


async def a_line_that_is_full(teller: Teller) -> None:
    await teller.commit(new())
    for i in range(date_claims.MOST_WAITING + 1):
        await teller.commit(new(f"q{i}", pb.OVERLAP_QUEUE_AFTER))


async def jobs_that_are_late_lost_or_damaged(teller: Teller) -> None:
    for name in ("a", "b", "c", "d"):
        await teller.commit(new(name, hold=None))
    await teller.begin("b")
    await teller.redis.zrem(keys.TICKS, "tick:c:0")
    await teller.redis.delete(keys.job("d"))
    await teller.redis.set(keys.job("d"), "no hash")
    await teller.redis.zadd(keys.DUE, {"gone": 1})
    await teller.reap(2)
    teller.now_ms += 20_000
    await teller.reap()
    words = [word for name in ("c", "none") for word in (name, f"tick:{name}:1", b"{}")]
    ringing = late_ticks.RequeueArguments(keys.job(""), 1_000, teller.now_ms)
    await teller.run("ring", (keys.TICKS, keys.kick(keys.TICKS)), [*ringing, *words])
    for job_id, fence in (("d", ""), ("a", ""), ("b", 7)):
        names = leases.GiveUpKeys(keys.job(job_id), keys.DUE, keys.TICKS, keys.DAMAGED)
        await teller.run("give_up", names, leases.GiveUpArguments(job_id, fence))
    await teller.begin("d")
    await teller.begin("c", caution_ms=1_500)
    await teller.begin("c", caution_ms=1_500)
    await teller.forget("d", (b"", b""))
    await teller.forget("a", (b"2", b"uid-a"))
    await teller.forget("a", (b"1", b"uid-a"))


async def charges_that_are_counted_anew(teller: Teller) -> None:
    for name in ("a", "b", "c"):
        await teller.commit(new(name, hold=None))
    names = charges.RecountKeys(keys.JOBS, keys.STORED, keys.RECOUNT, keys.RECOUNTED)
    await teller.run("recount", names, charges.RecountArguments(2, keys.job(""), 1_000))
    job = new("a", hold=None).job
    await teller.commit(moved(job, pb.JOB_STATE_CANCELLING, hold=None))
    await teller.delete(job, 2)
    for _ in range(3):
        await teller.run("recount", names, charges.RecountArguments(2, keys.job(""), 1_000))


RANKS: Final = [Rank(3, creator="bob"), Rank(waited_ms=70_000, creator="carol"), Rank(), Rank(creator="alice")]
"""Where calls stand, by turns; alice is the only creator at first."""


async def ask(teller: Teller, i: int, limits: quota_limits.Limits, held: int | None) -> int | None:
    klass, rank = (quota_limits.READ, quota_limits.WRITE)[i % 3 == 0], RANKS[i % 4 if i > 20 else 3]
    patience_ms = 0 if i % 5 == 0 else 60_000
    arguments = admission.script_arguments(
        limits, klass, cancel=i % 23 == 0, patience_ms=patience_ms, rank=rank, held=held
    )
    await teller.run("quota", admission.script_keys("eu", klass, limits), arguments)
    answer = teller.answers[-1][1]
    return int(answer[2]) if answer[0] == admission.QuotaAnswer.SLOT and i % 2 else None


async def calls_that_share_a_quota(teller: Teller) -> None:
    for edition in ("standard", "basic", "enterprise"):
        held = None
        for i in range(160):
            held = await ask(teller, i, quota_limits.EDITIONS[edition], held)
            if i in (40, 41, 90):
                names = admission.ThrottledKeys(keys.quota("eu"))
                await teller.run(
                    "throttled",
                    names,
                    admission.ThrottledArguments(admission.LOWEST_FACTOR, quota_limits.KEEP_MS),
                )
            teller.now_ms += 1_300 if i > 100 and i % 3 == 0 else 0
        await teller.redis.hset(keys.quota("eu"), "frozen:read", teller.now_ms + 40)
        for i in (1, 3):
            await ask(teller, i, quota_limits.EDITIONS[edition], None)
        teller.now_ms += 86_400_000
    codes = {answer[0] for name, answer in teller.answers if name == "quota"}
    assert codes == {int(code) for code in admission.QuotaAnswer}


async def reads_that_are_shared(teller: Teller) -> None:
    names = observations.ClaimReadKeys("hg:flight:eu:1", "hg:seen:eu:1")
    landing = observations.PublishKeys(*names, "hg:look:eu:1")
    for since, token in (("", "a"), ("", "b"), (BEGIN_MS, "c")):
        await teller.run("claim_observation", names, observations.ClaimReadArguments(since, token, 3_000, 60_000))
    for token, at_ms, follow_ms in (("a", BEGIN_MS, 0), ("", BEGIN_MS - 5, 500), ("x", BEGIN_MS + 9, 0)):
        answer = observations.PublishArguments(token, at_ms, b"row", 60_000, 60_000, follow_ms, keys.LOOK_JOB)
        await teller.run("land_observation", landing, answer)
        await teller.run("claim_observation", names, observations.ClaimReadArguments(BEGIN_MS, "d", 3_000, 60_000))
    for token in ("d", "e"):
        teller.now_ms += 5_000
        await teller.run("claim_observation", names, observations.ClaimReadArguments("", token, 3_000, 60_000))
        await teller.run("drop_observation", names[:1], observations.AbandonArguments("d"))


async def entries_that_a_lane_claims(teller: Teller) -> None:
    names = claim_scripts.ClaimEntriesKeys(keys.READS, keys.kick(keys.READS))
    owner = "worker"
    ids = [f"read:{i}:{'alice' if i % 3 else 'anonymous'}:eu" for i in range(12)]
    for place, entry_id in enumerate([*ids, "odd", "later"]):
        await teller.redis.zadd(keys.READS, {entry_id: BEGIN_MS + (10_000 if entry_id == "later" else place)})
        await teller.redis.set(keys.arq_job(entry_id), b"definition")
    await teller.redis.lpush(names.kick, "x")
    await teller.redis.set(keys.arq_in_progress(ids[1]), "other")  # without an end: that would be by the real clock
    teller.now_ms += 100
    await teller.run("claim_entries", names, [*claim_scripts.ClaimEntriesArguments(3, 3_000, owner), ids[0], "odd"])
    for most in (lane_shares.CHUNK, lane_shares.FAR):
        shared = lane_shares.ClaimSharedArguments(4, 3_000, owner, most, 2)
        others = ("caller:alice", 2, "connection:eu", 5, "odd")
        await teller.run("claim_shared_entries", names, [*shared, *others])
    await teller.run("renew_claims", names[:1], [*claim_scripts.RenewClaimsArguments(3_000, owner), *ids, "gone"])
    ends = [word for entry_id in (ids[2], ids[3], "gone") for word in (entry_id, "")]
    await teller.run("end_claims", names[:1], [*claim_scripts.EndArguments(owner), *ends, ids[4], 500])
    await teller.run("claim_entries", names, claim_scripts.ClaimEntriesArguments(50, 3_000, owner))
    await teller.run("claim_shared_entries", names, lane_shares.ClaimSharedArguments(9, 3_000, owner, 64, 0))


async def a_server_that_reads(teller: Teller) -> None:
    for name in ("a", "b"):
        await teller.commit(new(name, hold=None))
    await teller.commit(moved(new("b", hold=None).job, RUNS, hold=None))
    await teller.redis.set(keys.job("odd"), "no hash")
    await teller.redis.zadd(keys.DAMAGED, {"a": 1})
    await teller.redis.zadd(keys.WORKERS, {"worker": 5})
    await teller.redis.hset(keys.quota("eu"), "day", 1)
    for job_id in ("a", "b", "odd", "gone"):
        names = job_scripts.JobKeys(keys.job(job_id), keys.log(job_id))
        await teller.run("load_job", names, ())
        for first, events, most_bytes in ((0, 10, 10**6), (1, 10, 1), (0, 2, 1), (9, 1, 10)):
            await teller.run("read_log", names, (first, events, most_bytes, *stored_rows.COLUMNS))
    await teller.run("read_connections", [keys.job(name) for name in ("a", "b", "odd", "gone")], ())
    states = [keys.state(state) for state in (pb.JOB_STATE_QUEUED, RUNS)]
    await teller.run("count_members", (keys.DAMAGED, *states), ())
    await teller.run("next_members", states, (0, 1))
    await teller.run("read_facts", (keys.WORKERS, keys.quota("eu")), ())
    await teller.run("feed_ends", (keys.FEED,), ())
    teller.answers[-1][1][1][0][0] = "an id by the server's time"


STORIES: Final[list[Story]] = [
    a_job_from_submit_to_deletion,
    a_change_that_is_refused,
    dates_that_several_jobs_want,
    a_line_that_is_full,
    jobs_that_are_late_lost_or_damaged,
    charges_that_are_counted_anew,
    calls_that_share_a_quota,
    reads_that_are_shared,
    entries_that_a_lane_claims,
    a_server_that_reads,
]
