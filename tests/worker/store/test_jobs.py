"""The scripts on a real Redis: who may write, what is written together, and what a lost reply means."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from headgate import pb
from headgate.job import event_log
from headgate.store import keys, queue_entries
from headgate.store.commit import Commit, Committed, Damaged, Fenced, Polls, Stale, Wake
from headgate_worker.core.model.steps import apply
from headgate_worker.ports.store import Busy, Taken
from headgate_worker.store.jobs import CAUTION_MS, Store
from tests.worker.conftest import eventually
from tests.worker.submitting import backfill_job, everything, seed_backfill, submit

RUNNING = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_RUNNING)
SUCCEEDED = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_SUCCEEDED)


async def taken(store: Store, job_id: str) -> Taken:
    """The job, taken for a tick."""
    found = await store.begin(job_id)
    assert isinstance(found, Taken)
    return found


def change(
    found: Taken, *drafts: pb.JobEvent, fence: int | None = -1, wake_ms: int | None = None, lease_ms: int = 2_000
) -> Commit:
    """A commit on top of a taken job; fence -1 means the taken one."""
    job, events = apply(found.job, drafts, now_ms=found.now_ms)
    entry = queue_entries.tick(keys.job_id(job.name), nonce=secrets.token_hex(6), now_ms=found.now_ms)
    return Commit(
        before=found.job.state,
        job=job,
        expected_revision=found.job.revision,
        events=tuple(event.SerializeToString(deterministic=True) for event in events),
        fence=found.fence if fence == -1 else fence,
        wake=None if wake_ms is None else Wake(entry, wake_ms),
        lease_ms=lease_ms,
    )


async def test_a_commit_writes_log_state_feed_and_indexes_together(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    found = await taken(store, job_id)

    answer = await store.commit(change(found, RUNNING))

    assert isinstance(answer, Committed)
    assert answer.revision == 2
    events: list[bytes] = await redis.lrange(keys.log(job_id), 0, -1)  # type: ignore[misc]
    assert event_log.replay(map(pb.JobEvent.FromString, events)) == await store.load(job_id)
    feed = await redis.xrange(keys.FEED)
    assert [(fields[b"i"].decode(), fields[b"r"], fields[b"e"]) for _, fields in feed] == [
        (job_id, b"1", events[0]),
        (job_id, b"2", events[1]),
    ]
    assert await redis.zscore(keys.state(pb.JOB_STATE_QUEUED), job_id) is None
    assert await redis.zscore(keys.state(pb.JOB_STATE_RUNNING), job_id) == 1
    assert await redis.zscore(keys.DUE, job_id) is not None


async def test_a_stale_commit_writes_nothing(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    found = await taken(store, job_id)
    await store.commit(change(found, RUNNING))
    before = await everything(redis)

    answer = await store.commit(change(found, RUNNING, RUNNING))

    assert answer == Stale(2)
    assert await everything(redis) == before


async def test_a_fenced_writer_writes_nothing(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    zombie = await taken(store, job_id)
    await store.release(job_id, zombie.fence, uncount=False)
    successor = await taken(store, job_id)
    before = await everything(redis)

    assert await store.commit(change(zombie, RUNNING)) == Fenced()
    assert not await store.renew(job_id, zombie.fence)
    assert await everything(redis) == before
    assert isinstance(await store.commit(change(successor, RUNNING)), Committed)


async def test_a_job_is_taken_by_one_tick_at_a_time_and_comes_again(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    found = await taken(store, job_id)

    busy = await store.begin(job_id)
    assert isinstance(busy, Busy)
    assert 0 < busy.for_ms <= store.lease_ms
    await store.commit(change(found, RUNNING, wake_ms=3_600_000, lease_ms=0))

    due_in = await redis.zrange(keys.TICKS, 0, -1, withscores=True)
    assert len(due_in) == 1  # not the submit's own any more, and the one that was to come in an hour: at once instead
    assert due_in[0][1] < found.now_ms + 60_000
    assert isinstance(await store.begin(job_id), Taken)


async def test_a_job_has_one_next_tick_that_its_process_knows_of_and_none_after_its_end(
    store: Store, redis: Redis
) -> None:
    job_id, known = await submit(store, backfill_job(seed_backfill())), list[int]()
    store.on_wake = known.append
    for _ in range(3):
        found = await taken(store, job_id)
        await store.commit(change(found, wake_ms=3_600_000, lease_ms=0))

        assert await redis.zcard(keys.TICKS) == 1
        assert len(await redis.keys("arq:job:*")) == 1

    found = await taken(store, job_id)
    await store.commit(change(found, RUNNING, SUCCEEDED, lease_ms=0))
    assert await redis.zcard(keys.TICKS) == 0
    assert await redis.keys("arq:job:*") == []
    assert known == [3_600_000] * 3


async def test_a_lease_that_ended_while_the_store_was_away_is_its_owners_for_a_little_longer(
    store: Store, redis: Redis
) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    owner = await taken(store, job_id)
    await redis.hset(keys.job(job_id), "lease", str(await store.now_ms() - 1))  # type: ignore[misc]

    store.was_away()
    found = await store.begin(job_id)

    assert isinstance(found, Busy)
    assert 0 < found.for_ms <= CAUTION_MS
    assert await store.renew(job_id, owner.fence)
    await redis.hset(keys.job(job_id), "lease", str(await store.now_ms() - CAUTION_MS - 1))  # type: ignore[misc]
    assert isinstance(await store.begin(job_id), Taken)


async def test_a_job_that_nobody_has_is_taken_at_once_after_the_store_was_away(store: Store) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))

    store.was_away()

    assert isinstance(await store.begin(job_id), Taken)


async def test_a_terminal_job_leaves_due_and_stands_to_expire(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    found = await taken(store, job_id)
    await store.commit(change(found, RUNNING, SUCCEEDED, lease_ms=0))

    assert await redis.zscore(keys.DUE, job_id) is None
    expires = await redis.zscore(keys.EXPIRING, job_id)
    assert expires is not None
    assert abs(expires - found.now_ms - 3_600_000) < 10_000


async def test_an_expired_job_is_deleted_with_everything(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    found = await taken(store, job_id)
    await store.commit(change(found, RUNNING, SUCCEEDED, lease_ms=0))

    assert not await store.delete_expired(job_id)
    await redis.zadd(keys.EXPIRING, {job_id: 1})
    assert await store.expired_jobs(2, 10) == (job_id,)
    assert await store.delete_expired(job_id)

    left = [key.decode() async for key in redis.scan_iter()]
    assert not [key for key in left if job_id in key and not key.startswith("arq:job:tick:")]
    for index in (keys.JOBS, keys.EXPIRING, keys.state(pb.JOB_STATE_SUCCEEDED)):
        assert await redis.zcard(index) == 0


async def test_a_log_that_lost_its_tail_is_not_written_over(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    found = await taken(store, job_id)
    await redis.rpop(keys.log(job_id))  # type: ignore[misc]

    assert await store.commit(change(found, RUNNING)) == Damaged(1)


async def test_a_job_that_has_not_begun_is_kept_once_and_in_little_room(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill(workflow_id=9007199254740993)))
    events: list[bytes] = await redis.lrange(keys.log(job_id), 0, -1)  # type: ignore[misc]
    job = event_log.replay(map(pb.JobEvent.FromString, events))

    assert await redis.hexists(keys.job(job_id), "snap") == 0  # type: ignore[misc]
    assert await redis.object("encoding", keys.job(job_id)) in (b"ziplist", b"listpack")
    assert await store.load(job_id) == job
    found = await taken(store, job_id)
    assert found.job == job
    await store.commit(change(found, wake_ms=1_000, lease_ms=0))
    assert (await taken(store, job_id)).job == job


async def test_a_change_of_timing_leaves_the_job_as_it_is(store: Store) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    await store.commit(change(await taken(store, job_id), RUNNING, wake_ms=1_000, lease_ms=0))
    before = await store.load(job_id)

    await store.commit(change(await taken(store, job_id), wake_ms=1_000, lease_ms=0))

    assert before is not None and before.state == pb.JOB_STATE_RUNNING
    assert await store.load(job_id) == before


async def test_nothing_of_an_ended_job_is_kept_that_only_ticks_need(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    polled = replace(change(await taken(store, job_id), RUNNING, wake_ms=1_000, lease_ms=0), polls=Polls(5, 7))
    await store.commit(polled)
    assert await redis.hmget(keys.job(job_id), ["att", "polled", "polls_at"]) == [b"0", b"5", b"7"]  # type: ignore[misc]

    await store.commit(change(await taken(store, job_id), SUCCEEDED, lease_ms=0))

    left = await redis.hmget(keys.job(job_id), ["wake", "att", "polls_at", "polled"])  # type: ignore[misc]
    assert left == [None, None, None, b"5"]


async def test_a_job_that_lost_all_of_its_log_before_it_began_is_gone(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    await redis.delete(keys.log(job_id))

    assert await store.begin(job_id) is None
    assert await store.load(job_id) is None
    assert await redis.zscore(keys.DUE, job_id) is None


async def test_a_lost_reply_is_read_back(store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    found = await taken(store, job_id)
    run, calls = store._run, 0

    async def lose_the_first_reply(commit: Commit) -> object:
        nonlocal calls
        calls += 1
        answer = await run(commit)
        if calls == 1:
            raise RedisConnectionError("the reply was lost")
        return answer

    monkeypatch.setattr(store, "_run", lose_the_first_reply)
    answer = await store.commit(change(found, RUNNING))

    assert isinstance(answer, Committed)
    assert answer.revision == 2
    assert await redis.llen(keys.log(job_id)) == 2  # type: ignore[misc]


async def test_attempts_count_ticks_that_died_and_not_those_given_back(store: Store) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    first = await taken(store, job_id)
    await store.release(job_id, first.fence, uncount=True)
    second = await taken(store, job_id)
    await store.release(job_id, second.fence, uncount=False)
    third = await taken(store, job_id)

    assert [found.attempts for found in (first, second, third)] == [1, 1, 2]
    await store.commit(change(third, RUNNING, wake_ms=0, lease_ms=0))
    assert (await taken(store, job_id)).attempts == 1


async def late_job(store: Store, redis: Redis) -> tuple[str, str]:
    """A job whose tick is late, and the id of its entry."""
    job_id = await submit(store, backfill_job(seed_backfill()))
    await redis.zadd(keys.DUE, {job_id: 1})
    wake: bytes = await redis.hget(keys.job(job_id), "wake")  # type: ignore[misc]
    return job_id, wake.decode()


async def test_the_reaper_finds_jobs_whose_entry_is_lost_once_a_grace(store: Store, redis: Redis) -> None:
    job_ids = [(await late_job(store, redis))[0] for _ in range(3)]
    await redis.delete(keys.TICKS)

    assert sorted((await store.late_jobs(10)).lost) == sorted(job_ids)
    assert not (await store.late_jobs(10)).looked_at


async def test_a_job_whose_entry_waits_in_a_long_queue_is_not_rung_for(store: Store, redis: Redis) -> None:
    job_id, entry = await late_job(store, redis)
    now_ms = await store.now_ms()
    await redis.zadd(keys.TICKS, {"tick:before:x": now_ms - 9_000, entry: now_ms - 5_000})
    await redis.zadd(keys.DUE, {job_id: now_ms - 4_700})
    before = await redis.zrange(keys.TICKS, 0, -1, withscores=True)

    late = await store.late_jobs(10)

    assert (late.lost, late.looked_at) == ((), 1)
    assert await redis.zrange(keys.TICKS, 0, -1, withscores=True) == before


async def test_a_job_whose_tick_died_comes_before_a_long_queue(store: Store, redis: Redis) -> None:
    died, entry = await late_job(store, redis)
    await taken(store, died)
    now_ms = await store.now_ms()
    await redis.hset(keys.job(died), "lease", str(now_ms - 1))  # type: ignore[misc]
    await redis.zadd(keys.TICKS, {entry: now_ms - 1, **{f"tick:before-{n}:x": now_ms - 9_000 + n for n in range(5)}})
    await redis.zadd(keys.DUE, {died: 1})

    late = await store.late_jobs(10)

    assert late.lost == ()
    assert await redis.zrank(keys.TICKS, entry) == 0 or await redis.zscore(keys.TICKS, entry) == late.first_ms
    assert late.first_ms == now_ms - 9_000


async def test_a_tick_that_was_claimed_and_died_before_it_began_comes_before_a_long_queue(
    store: Store, redis: Redis
) -> None:
    job_id, entry = await late_job(store, redis)
    now_ms = await store.now_ms()
    await redis.zadd(keys.TICKS, {"tick:before:x": now_ms - 9_000, entry: now_ms - 1})  # the end of its claim
    await redis.zadd(keys.DUE, {job_id: now_ms - 4_700})

    late = await store.late_jobs(10)

    assert (late.lost, late.looked_at) == ((), 1)
    assert await redis.zscore(keys.TICKS, entry) == late.first_ms == now_ms - 9_000


async def test_a_requeue_is_the_jobs_next_entry_and_nothing_of_a_job_that_is_gone(store: Store, redis: Redis) -> None:
    job_id, lost = await late_job(store, redis)
    await redis.delete(keys.TICKS)
    ticks = {name: queue_entries.tick(name, nonce="0123456789ab", now_ms=0) for name in (job_id, "gone")}

    assert await store.requeue(ticks, 5) == 1

    assert await redis.zrange(keys.TICKS, 0, -1, withscores=True) == [(ticks[job_id].id.encode(), 5.0)]
    assert await redis.hget(keys.job(job_id), "wake") == ticks[job_id].id.encode()  # type: ignore[misc]
    assert await redis.exists(keys.job("gone"), keys.arq_job(ticks["gone"].id), keys.arq_job(lost)) == 0
    found = await taken(store, job_id)
    await store.commit(change(found, RUNNING, wake_ms=1_000, lease_ms=0))
    assert len(await redis.zrange(keys.TICKS, 0, -1)) == 1


@pytest.mark.parametrize("trouble", ["read-only", "unsaving"])
async def test_a_commit_outlasts_a_store_that_takes_no_writes(store: Store, redis: Redis, trouble: str) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    found = await taken(store, job_id)
    before = await evalshas(redis)
    await refuse(redis, trouble)
    committing = asyncio.create_task(store.commit(change(found, RUNNING)))

    await eventually(lambda: are_evalshas(redis, before + 2))
    await accept(redis)

    assert await committing == Committed(2, ANY)


async def are_evalshas(redis: Redis, count: int) -> bool:
    return await evalshas(redis) >= count


async def evalshas(redis: Redis) -> int:
    return int((await redis.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"])


async def refuse(redis: Redis, trouble: str) -> None:
    if trouble == "read-only":
        await redis.replicaof("127.0.0.1", 1)
    else:
        folder = Path((await redis.config_get("dir"))["dir"], "unwritable")
        await asyncio.to_thread(folder.mkdir)
        await redis.config_set("dbfilename", folder.name)
        await redis.config_set("save", "3600 1000000")
        await redis.bgsave()
        await eventually(lambda: unsaving(redis))


async def unsaving(redis: Redis) -> bool:
    return bool((await redis.info("persistence"))["rdb_last_bgsave_status"] == "err")


async def accept(redis: Redis) -> None:
    await redis.replicaof("no", "one")
    await redis.config_set("save", "")


async def test_ids_beyond_doubles_survive(store: Store, redis: Redis) -> None:
    job = backfill_job(seed_backfill(workflow_id=9007199254740993))
    job_id = await submit(store, job)
    found = await taken(store, job_id)
    assert found.job.backfill.workflow_id == 9007199254740993


def test_every_key_has_the_prefix() -> None:
    found: Sequence[str] = [keys.FEED, keys.DUE, keys.JOBS, keys.EXPIRING, keys.job("a"), keys.log("a")]
    assert all(key.startswith(keys.PREFIX) for key in found)
