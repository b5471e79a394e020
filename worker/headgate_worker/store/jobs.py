"""The worker's adapter to the store: takes jobs, commits changes, keeps observations. Each method is one round trip.

Nothing here retries blindly. A commit whose reply was lost is read back: the log says whether it was ours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.message import DecodeError
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from headgate import pb
from headgate.store import (
    charges,
    commit,
    deletion,
    keys,
    late_ticks,
    leases,
    lost_reply,
    queue_entries,
    reserve,
    snapshot,
)
from headgate.store.charges import RecountAnswer, RecountArguments, RecountKeys
from headgate.store.commit import Commit, CommitOutcome, Committed, Damaged
from headgate.store.late_ticks import ReapArguments, ReapKeys, RequeueArguments, RequeueKeys
from headgate.store.leases import (
    BeginAnswer,
    BeginArguments,
    BeginKeys,
    GiveUpAnswer,
    GiveUpArguments,
    GiveUpKeys,
    ReleaseArguments,
    ReleaseKeys,
    RenewLeaseAnswer,
    RenewLeaseArguments,
    RenewLeaseKeys,
)
from headgate.store.observations import TTL_MS as OBSERVATION_TTL_MS
from headgate.store.reserve import HeartbeatArguments, HeartbeatKeys, PutArguments, PutKeys
from headgate_redis import backoff
from headgate_redis.row_errors import is_damage
from headgate_worker.ports.store import Busy, LateTicks, LeaseResult, Taken, Unreadable
from headgate_worker.store.child_releases import ChildReleases
from headgate_worker.store.clients import refuses_writes
from headgate_worker.store.kept_surveys import KeptSurveys
from headgate_worker.store.shared_reads import SharedReads
from headgate_worker.store.stop_records import Stops

DURATIONS_TTL_MS: Final = 90 * 24 * 3600 * 1000
"""How long it is known how long dates take, since the last backfill of the same target."""

CAUTION_MS: Final = 1_500
"""How long a lease is given beyond its end after the store was away: longer than its owner's pauses between tries."""

CAUTIOUS_SECONDS: Final = 5.0
"""For how long after the store was last seen away leases are given that."""

COMMIT_PATIENCE: Final = (0.05, 0.1, 0.2, 0.4, 0.8, *[1.0] * 12)
"""Seconds between the tries of a commit: about 14 s in all."""

RECOUNTED_JOBS: Final = 500
"""Jobs whose charges one script counts: about a millisecond of the store's time."""

_LOST_REPLY: Final = (RedisConnectionError, RedisTimeoutError, OSError)


def _ignored(delay_ms: int) -> None:
    """Nothing waits for entries in this process."""


class Store:
    """Jobs in Redis, as a worker needs them.

    Args:
        redis: a client that does not decode replies.
        lease_ms: for how long a tick keeps its job without saying anything; 2,000 to 60,000.
        grace_ms: how long a tick may be late before the reaper schedules another.

    `default_connection` is the default connection's own name; empty where it has none.
    """

    def __init__(self, redis: Redis, *, lease_ms: int, grace_ms: int = commit.GRACE_MS) -> None:
        self.shared_reads = SharedReads(redis)
        self.stops = Stops(redis)
        self.child_releases = ChildReleases(redis)
        self.kept_surveys = KeptSurveys(redis)
        self._redis: Any = redis  # its stubs mix the answers of the blocking and the async client
        self.lease_ms = lease_ms
        self.default_connection = ""
        self._grace_ms = grace_ms
        self._cautious_until = 0.0
        self._renew = redis.register_script(leases.RENEW_SCRIPT)
        self._commit = redis.register_script(commit.SCRIPT)
        self._begin = redis.register_script(leases.BEGIN_SCRIPT)
        self._release = redis.register_script(leases.RELEASE_SCRIPT)
        self._reap = redis.register_script(late_ticks.REAP_SCRIPT)
        self._requeue = redis.register_script(late_ticks.REQUEUE_SCRIPT)
        self._delete = redis.register_script(deletion.DELETE_SCRIPT)
        self._put = redis.register_script(reserve.PUT_SCRIPT)
        self._heartbeat = redis.register_script(reserve.HEARTBEAT_SCRIPT)
        self._recount = redis.register_script(charges.RECOUNT_SCRIPT)
        self._forget = redis.register_script(deletion.FORGET_SCRIPT)
        self._give_up = redis.register_script(leases.GIVE_UP_SCRIPT)
        self.given_up = 0
        self.on_wake: Callable[[int], None] = _ignored

    @property
    def cautious(self) -> bool:
        """Whether the store was away not long ago."""
        return asyncio.get_running_loop().time() < self._cautious_until

    def was_away(self) -> None:
        """Note an outage of the store: a lease that expired in it may belong to a live worker that could not renew it.

        So for a while a job is taken only some time after its lease has ended. Otherwise a
        tick that has recorded an intent, and not sent it yet, would lose its job to one that can't know that.
        """
        self._cautious_until = asyncio.get_running_loop().time() + CAUTIOUS_SECONDS

    async def begin(self, job_id: str) -> LeaseResult | None:
        """Take a job for one tick; None when there is no such job any more."""
        beyond_ms = CAUTION_MS if self.cautious else 0
        arguments = BeginArguments(job_id, self.lease_ms, self._grace_ms, beyond_ms)
        try:
            raw = await self._begin(keys=BeginKeys(keys.job(job_id), keys.DUE, keys.log(job_id)), args=arguments)
        except ResponseError as error:
            if not is_damage(error):
                raise
            return Unreadable(None, 1)
        if raw[0] != BeginAnswer.TAKEN:
            return Busy(int(raw[2])) if raw[0] == BeginAnswer.BUSY else None
        _, now_ms, fence, attempts, kept, hints, *_, marked, first = raw
        job = _parsed(job_id, kept, first)
        if job is None:
            return Unreadable(int(fence), int(attempts))
        release = await self.child_releases.of(job.connection)
        return Taken(job, int(fence), int(attempts), bytes(hints), int(now_ms), marked == b"1", release)

    async def give_up(self, job_id: str, fence: int | None) -> None:
        """Have a job that can't be read, or not be ended, looked at no more, unless another tick has it by now."""
        names = GiveUpKeys(keys.job(job_id), keys.DUE, keys.TICKS, keys.DAMAGED)
        arguments = GiveUpArguments(job_id, "" if fence is None else fence)
        self.given_up += await self._give_up(keys=names, args=arguments) == GiveUpAnswer.GIVEN_UP

    async def load(self, job_id: str) -> pb.Job | None:
        """The job as it stands, without taking it."""
        kept = await self._redis.hget(keys.job(job_id), "snap")
        first = None if kept else await self._redis.lindex(keys.log(job_id), 0)
        return snapshot.job_of(kept, first)

    async def commit(self, change: Commit) -> CommitOutcome:
        """Commit as `_commit_patiently` says, and tell `on_wake` in how many ms the job's next entry is due."""
        answer = await self._commit_patiently(change)
        if change.wake is not None and isinstance(answer, Committed):
            self.on_wake(change.wake.delay_ms)
        return answer

    async def _commit_patiently(self, change: Commit) -> CommitOutcome:
        """Run the commit script, patiently: what it compares makes every repeat safe.

        After a lost reply the log says whether the change was applied. An effect upstream whose outcome could not be
        committed would have to be searched for, so a store that is away for a while is waited for.

        Raises:
            redis.exceptions.RedisError: the store could not be reached, or refused to write, for COMMIT_PATIENCE.
        """
        run = self._run
        for delay in COMMIT_PATIENCE:
            try:
                return await run(change)
            except _LOST_REPLY:
                run = self._after_lost_reply
            except ResponseError as error:
                if is_damage(error):
                    return Damaged(change.expected_revision)
                if not refuses_writes(error):
                    raise
                await self._redis.connection_pool.disconnect(inuse_connections=False)
            await backoff.pause(delay)
        return await run(change)

    async def _run(self, change: Commit) -> CommitOutcome:
        return commit.parse_answer(await self._run_script(change))

    async def _after_lost_reply(self, change: Commit) -> CommitOutcome:
        return await lost_reply.answer_of(change, await self._run_script(change), self._redis.lrange)

    async def _run_script(self, change: Commit) -> Sequence[int | bytes]:
        answer: Sequence[int | bytes] = await self._commit(
            keys=commit.script_keys(change, self.default_connection), args=commit.script_arguments(change)
        )
        return answer

    async def renew(self, job_id: str, fence: int) -> bool:
        """Keep a job for another lease; False when another tick has taken it."""
        arguments = RenewLeaseArguments(job_id, fence, self.lease_ms, self._grace_ms)
        answer = await self._renew(keys=RenewLeaseKeys(keys.job(job_id), keys.DUE), args=arguments)
        return bool(answer == RenewLeaseAnswer.RENEWED)

    async def release(self, job_id: str, fence: int, *, uncount: bool) -> None:
        """Give a job back before its tick is over; `uncount` takes back the attempt that was counted."""
        await self._release(keys=ReleaseKeys(keys.job(job_id)), args=ReleaseArguments(fence, int(uncount)))

    async def late_jobs(self, limit: int) -> LateTicks:
        """Look at no more than `limit` jobs whose tick is late; each gets a new grace."""
        names, arguments = (
            ReapKeys(keys.DUE, keys.TICKS, keys.DAMAGED),
            ReapArguments(limit, self._grace_ms, keys.job("")),
        )
        now_ms, lost, looked_at, first_ms = await self._reap(keys=names, args=arguments)
        return LateTicks(int(now_ms), tuple(keys.text(job_id) for job_id in lost), int(looked_at), int(first_ms))

    async def requeue(self, ticks: Mapping[str, queue_entries.QueueEntry], at_ms: int) -> int:
        """Give jobs another next tick, due at `at_ms`; how many of the jobs are there."""
        words = [word for job_id, tick in ticks.items() for word in (job_id, tick.id, tick.definition)]
        arguments = RequeueArguments(keys.job(""), queue_entries.DEFINITION_TTL_MS, at_ms)
        return int(await self._requeue(keys=RequeueKeys(keys.TICKS, keys.kick(keys.TICKS)), args=[*arguments, *words]))

    async def expired_jobs(self, now_ms: int, limit: int) -> tuple[str, ...]:
        """At most `limit` finished jobs that are to be deleted."""
        found = await self._redis.zrangebyscore(keys.EXPIRING, "-inf", now_ms, start=0, num=limit)
        return tuple(keys.text(job_id) for job_id in found)

    async def delete_expired(self, job_id: str) -> bool:
        """Delete a finished job with its log, if it still has expired; whether it did.

        It is not read for that; one without its revision, or whose key is no job's, is deleted all the same.
        """
        try:
            revision, state, uid = await self._redis.hmget(keys.job(job_id), "rev", "st", "uid")
        except ResponseError as error:
            if not is_damage(error):
                raise
            revision, state, uid = None, None, None
        if not (revision and revision.isdigit() and state and state.isdigit()):
            arguments = deletion.forget_arguments(job_id, (revision or b"", uid or b""))
            forgot = await self._forget(keys=deletion.forget_keys(job_id), args=arguments)
            return bool(forgot == deletion.ForgetAnswer.DELETED)
        words = deletion.script_arguments(job_id, int(revision), keys.text(uid or b""), only_expired=True)
        answer = await self._delete(keys=deletion.script_keys(job_id, int(state)), args=words)
        return bool(answer == deletion.DeleteAnswer.DELETED)

    async def recount(self) -> bool:
        """Count the charges of at most `RECOUNTED_JOBS` jobs anew, when it is time; whether there are more to count."""
        names = RecountKeys(keys.JOBS, keys.STORED, keys.RECOUNT, keys.RECOUNTED)
        arguments = RecountArguments(RECOUNTED_JOBS, keys.job(""), charges.RECOUNT_EVERY_MS)
        return bool(await self._recount(keys=names, args=arguments) == RecountAnswer.MORE)

    async def put_observation(self, connection: str, seen: pb.FlowInstance, *, follow_ms: int = 0) -> None:
        """Keep what was last read of a flow instance, for callers who allow staleness and for watchers.

        Args:
            connection: where it was read.
            seen: the row.
            follow_ms: for how long from now on the next read is left to the job that made this one; 0 without a job.
        """
        key = keys.observation(connection, seen.instance_id)
        await self._put(keys=PutKeys(key), args=PutArguments(seen.SerializeToString(), OBSERVATION_TTL_MS))
        await self.follow(connection, seen.instance_id, follow_ms)

    async def put_durations(self, target: str, durations_ms: Sequence[int]) -> None:
        """Keep how long the last dates of a backfill took, for the plans of others."""
        arguments = PutArguments(json.dumps(list(durations_ms)), DURATIONS_TTL_MS)
        await self._put(keys=PutKeys(keys.durations(target)), args=arguments)

    async def durations(self, target: str) -> tuple[int, ...]:
        """How long the last dates of such a backfill took, in ms; empty when that is not known."""
        found = await self._redis.get(keys.durations(target))
        return tuple(map(int, json.loads(found))) if found else ()

    async def follow(self, connection: str, instance_id: int | str, follow_ms: int) -> None:
        """Leave the next read of an instance to a job for `follow_ms`; 0 changes nothing."""
        if follow_ms:
            name = keys.look(connection, instance_id)
            await self._put(keys=PutKeys(name), args=PutArguments(keys.LOOK_JOB, follow_ms))

    async def reply(self, to: str, answer: queue_entries.ReadReply) -> None:
        """Answer a read. The list expires after 60 s when its server takes nothing from it."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.rpush(to, queue_entries.encode_reply(answer))
            pipeline.pexpire(to, 60_000)
            await pipeline.execute()

    async def now_ms(self) -> int:
        """The store's clock."""
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def heartbeat(self, worker_id: str, now_ms: int, *, lifetime_ms: int) -> None:
        """Send this worker's heartbeat, and forget workers without one for `lifetime_ms`."""
        arguments = HeartbeatArguments(worker_id, now_ms, now_ms - lifetime_ms)
        await self._heartbeat(keys=HeartbeatKeys(keys.WORKERS), args=arguments)

    async def forget_worker(self, worker_id: str) -> None:
        """Say that this worker is gone."""
        await self._redis.zrem(keys.WORKERS, worker_id)


def _parsed(job_id: str, kept: bytes, first: bytes) -> pb.Job | None:
    """The job as it is kept; None where that can't be read."""
    try:
        job = snapshot.job_of(kept, first)
    except DecodeError:
        return None
    return job if job is not None and job.name == keys.job_name(job_id) else None
