"""What was written down about a job holds for that job only, and not for the next one that has its id."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.reasons import Reason
from headgate.store import commit, keys
from headgate.store.audit import Origin
from headgate_redis.clock import StoreClock
from headgate_redis.pipeline import Pipeline
from headgate_server.auth.access_control import MethodGuard
from headgate_server.errors.exceptions import Refused
from headgate_server.jobs import transitions
from headgate_server.jobs.change import JobChanger
from headgate_server.jobs.submit import Submitter
from headgate_server.ports.call import Call
from headgate_server.ports.caller import Caller, Right
from headgate_server.store.connections import RedisLink
from headgate_server.store.jobs import RedisStore
from tests.server.callers import METHODS, entry, known, outcome, request_of, write
from tests.server.scenarios.test_overlap_join import wanting
from tests.server.watching import read
from tests.server.world import World, backfill, metadata_of, reason_of, serving

ALICE, BOB = known("alice"), known("bob")
CALLERS = entry("alice", connections=["a", "c"]) + entry("bob", connections=["b", "c"]) + entry("full")


@pytest.fixture
async def gated(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(redis_url, callers=write(tmp_path / "callers.toml", CALLERS)) as world:
        yield world


async def reason(call: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return reason_of(caught.value)


async def submitted(world: World, who: Any, **given: Any) -> pb.Job:
    return await world.backfills.CreateBackfill(backfill(**given), metadata=who)


async def dropped(world: World, who: Any, job_id: str) -> None:
    """End a job and delete it."""
    await world.worker.finish(job_id)
    await world.jobs.DeleteJob(pb.DeleteJobRequest(name=keys.job_name(job_id)), metadata=who)


async def expired(redis: Redis, job_id: str) -> None:
    await redis.delete(keys.job(job_id), keys.log(job_id))


async def as_of_an_earlier_version(redis: Redis, job_id: str) -> None:
    """Take away what earlier versions did not write."""
    await redis.hdel(keys.job(job_id), "uid", "conn")  # type: ignore[misc]
    for key in await redis.keys("hg:request:*:uid"):
        await redis.delete(key)


def asked(**given: Any) -> dict[str, Any]:
    return {"job_id": "x", "request_id": "r", **given}


async def test_a_repeat_is_not_answered_with_the_job_of_another_caller_that_has_the_id(gated: World) -> None:
    await submitted(gated, ALICE, **asked(connection="a"))
    await dropped(gated, ALICE, "x")
    await submitted(gated, BOB, **asked(connection="b"))

    request = backfill(**asked(connection="a"))
    with pytest.raises(grpc.RpcError) as caught:
        await gated.backfills.CreateBackfill(request, metadata=ALICE)
    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.NOT_FOUND, "JOB_DELETED")
    assert metadata_of(caught.value) == {"job": "jobs/x"}
    call: Any = gated.jobs.RunJob(pb.RunJobRequest(backfill=request), metadata=ALICE)
    assert await reason(call.read()) == "JOB_DELETED"


async def test_a_repeat_is_not_answered_with_the_callers_own_next_job_of_that_id(gated: World) -> None:
    first = await submitted(gated, ALICE, **asked(connection="a"))
    await dropped(gated, ALICE, "x")
    second = await submitted(gated, ALICE, job_id="x", connection="a", request_id="r-2")

    assert first.uid != second.uid
    assert await reason(submitted(gated, ALICE, **asked(connection="a"))) == "JOB_DELETED"
    assert (await submitted(gated, ALICE, job_id="x", connection="a", request_id="r-2")).uid == second.uid


@pytest.mark.parametrize("job_id", ["x", ""])
async def test_a_repeat_says_that_its_job_is_gone(world: World, job_id: str) -> None:
    job = await world.backfills.CreateBackfill(backfill(job_id=job_id, request_id="r"))
    await expired(world.redis, keys.job_id(job.name))

    assert await reason(world.backfills.CreateBackfill(backfill(job_id=job_id, request_id="r"))) == "JOB_DELETED"
    other = backfill(job_id=job_id, request_id="r", until=pb.UNTIL_ACCEPTED)
    assert await reason(world.backfills.CreateBackfill(other)) == "REQUEST_ID_REUSED"
    assert (await world.backfills.CreateBackfill(backfill(job_id=job_id, request_id="fresh"))).uid != job.uid


async def failed(world: World, job_id: str) -> pb.RetryJobRequest:
    """A failed job, and the request to retry it."""
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    await world.worker.move(job_id, pb.JOB_STATE_FAILED)
    return pb.RetryJobRequest(name=keys.job_name(job_id), request_id="again")


async def test_the_repeat_of_a_retry_is_about_the_job_that_was_retried(gated: World) -> None:
    await submitted(gated, ALICE, job_id="x", connection="a")
    retry = await failed(gated, "x")
    retried = await gated.jobs.RetryJob(retry, metadata=ALICE)
    assert (await gated.jobs.RetryJob(retry, metadata=ALICE)).revision == retried.revision
    await dropped(gated, ALICE, "x")
    assert await reason(gated.jobs.RetryJob(retry, metadata=ALICE)) == "JOB_DENIED", "as any job that is not there"

    await submitted(gated, ALICE, job_id="x", connection="a")
    await failed(gated, "x")
    assert await reason(gated.jobs.RetryJob(retry, metadata=ALICE)) == "JOB_DELETED"
    assert (await gated.worker.load("x")).revision == 3


async def test_the_repeat_of_a_retry_says_that_its_job_is_gone(world: World) -> None:
    await world.submit(job_id="x")
    retry = await failed(world, "x")
    await world.jobs.RetryJob(retry)
    await expired(world.redis, "x")

    assert await reason(world.jobs.RetryJob(retry)) == "JOB_DELETED"
    assert await reason(world.jobs.RetryJob(pb.RetryJobRequest(name="jobs/x", request_id="never"))) == "JOB_UNKNOWN"


async def test_who_joins_sees_a_job_of_a_connection_of_its_own_and_of_that_life(gated: World) -> None:
    first = await gated.backfills.CreateBackfill(
        wanting(2, pb.OVERLAP_REJECT, job_id="x", connection="c"), metadata=BOB
    )
    joining = wanting(2, connection="c", request_id="r")
    joined = await gated.backfills.CreateBackfill(joining, metadata=ALICE)
    assert (joined.uid, joined.creator) == (first.uid, "bob")
    assert (await gated.backfills.CreateBackfill(joining, metadata=ALICE)).uid == first.uid

    await gated.jobs.CancelJob(pb.CancelJobRequest(name="jobs/x"), metadata=BOB)
    await gated.worker.move("x", pb.JOB_STATE_CANCELLED)
    await gated.jobs.DeleteJob(pb.DeleteJobRequest(name="jobs/x"), metadata=BOB)
    await submitted(gated, BOB, job_id="x", connection="b")
    assert await reason(gated.backfills.CreateBackfill(joining, metadata=ALICE)) == "JOB_DELETED"


async def test_nobody_joins_on_a_connection_of_others(gated: World) -> None:
    await gated.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT, job_id="x", connection="b"), metadata=BOB)

    mine = await gated.backfills.CreateBackfill(wanting(2, connection="a"), metadata=ALICE)
    assert mine.name != "jobs/x"
    assert (
        await reason(gated.backfills.CreateBackfill(wanting(2, connection="b"), metadata=ALICE)) == "CONNECTION_DENIED"
    )


async def test_records_without_a_uid_are_believed_only_about_jobs_that_can_be_meant(gated: World) -> None:
    first = await submitted(gated, ALICE, **asked(connection="a"))
    await as_of_an_earlier_version(gated.redis, "x")
    assert (await submitted(gated, ALICE, **asked(connection="a"))).uid == first.uid

    await gated.worker.finish("x")
    await gated.jobs.DeleteJob(pb.DeleteJobRequest(name="jobs/x"), metadata=ALICE)
    await submitted(gated, BOB, job_id="x", connection="b")
    assert await reason(submitted(gated, ALICE, **asked(connection="a"))) == "JOB_DELETED"
    await dropped(gated, BOB, "x")
    await submitted(gated, known("full"), job_id="x", connection="a")
    assert await reason(submitted(gated, ALICE, **asked(connection="a"))) == "JOB_DELETED"


async def test_validate_only_is_told_that_an_id_is_taken_and_nothing_of_its_job(gated: World) -> None:
    await submitted(gated, BOB, **asked(connection="b"))

    with pytest.raises(grpc.RpcError) as caught:
        await submitted(gated, ALICE, **asked(connection="a", validate_only=True))
    assert metadata_of(caught.value) == {"job": "jobs/x", "state": ""}


async def next_life(world: World, job_id: str, who: Any, **given: Any) -> None:
    """Give the id to another job at once, as if the first had ended and been deleted."""
    await expired(world.redis, job_id)
    await submitted(world, who, job_id=job_id, **given)


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    link, clock = RedisLink(redis_url, timeout=3.0), StoreClock()
    writes, reads = (Pipeline(link.connection, timeout=3.0) for _ in range(2))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(pipe.run()) for pipe in (writes, reads)]
        yield RedisStore(writes=writes, reads=reads, clock=clock)
        for task in tasks:
            task.cancel()
    await link.close()


class Slow:
    """A store with a process before it that something overtakes between what it reads and what it writes."""

    def __init__(self, store: RedisStore, overtakes: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._overtakes: Callable[[], Awaitable[None]] | None = overtakes
        self.load, self.recorded, self.forget = store.load, store.recorded, store.forget

    async def _overtaken(self) -> None:
        overtakes, self._overtakes = self._overtakes, None
        if overtakes is not None:
            await overtakes()

    async def submit(self, change: commit.Commit) -> commit.CommitOutcome:
        await self._overtaken()
        return await self._store.submit(change)

    async def delete(self, job: pb.Job, *, revision: int, origin: Origin) -> bool:
        await self._overtaken()
        return await self._store.delete(job, revision=revision, origin=origin)


async def test_a_change_that_was_decided_on_one_job_is_not_made_to_the_next(gated: World, store: RedisStore) -> None:
    await submitted(gated, ALICE, job_id="x", connection="a")
    slow = Slow(store, lambda: next_life(gated, "x", BOB, connection="b"))

    with pytest.raises(Refused) as caught:
        await JobChanger(slow, StoreClock()).change(pb.CancelJobRequest(name="jobs/x"), transitions.cancel, Call())
    assert caught.value.reason is Reason.JOB_DELETED
    bobs = await gated.worker.load("x")
    assert (bobs.creator, bobs.revision) == ("bob", 1)


async def test_a_deletion_that_was_decided_on_one_job_is_not_made_to_the_next(gated: World, store: RedisStore) -> None:
    await submitted(gated, ALICE, job_id="x", connection="a")
    await gated.worker.finish("x")

    async def overtakes() -> None:
        await next_life(gated, "x", BOB, connection="b")
        await gated.worker.finish("x")

    with pytest.raises(Refused) as caught:
        await JobChanger(Slow(store, overtakes), StoreClock()).delete(pb.DeleteJobRequest(name="jobs/x"), Call())
    assert caught.value.reason is Reason.JOB_DELETED
    assert (await gated.worker.load("x")).creator == "bob"


@pytest.mark.parametrize("record", [True, False])
async def test_a_job_that_is_deleted_between_its_record_and_its_load_is_not_answered_with(
    gated: World, store: RedisStore, record: bool
) -> None:
    """A repeat finds the record, and before it loads the job, the id is another job's, or nobody's."""
    await submitted(gated, ALICE, **asked(connection="a"))

    class Overtaken(Slow):
        async def submit(self, change: commit.Commit) -> commit.CommitOutcome:
            answer = await self._store.submit(change)
            await self._overtaken()
            return answer

    async def overtakes() -> None:
        await expired(gated.redis, "x")
        if record:
            await submitted(gated, BOB, job_id="x", connection="b")

    submitter = Submitter(Overtaken(store, overtakes), StoreClock(), NoPlans(), ttl_seconds=60)
    alice = Call(caller=Caller("alice", frozenset(Right), frozenset({"a"})))
    with pytest.raises(Refused) as caught:
        await submitter.submit(backfill(**asked(connection="a")), alice)
    assert caught.value.reason is Reason.JOB_DELETED


class NoPlans:
    async def verify_token(self, request: pb.CreateBackfillRequest, call: Call) -> None:
        raise AssertionError("no submit of these tests has a plan")


@pytest.mark.parametrize("method", ["GetJob", "WatchJob", "ListJobEvents", "ExplainJob", "GetOperation"])
async def test_a_right_that_was_checked_for_one_job_opens_no_other(redis_url: str, tmp_path: Path, method: str) -> None:
    """The id becomes Bob's between the check of Alice's right and the read that answers her."""
    async with serving(redis_url, callers=write(tmp_path / "callers.toml", CALLERS)) as world:
        await submitted(world, ALICE, job_id="x", connection="a")
        full_name = next(name for name in METHODS if name.endswith(f".{method}"))
        check, overtaken = MethodGuard.check, []

        async def slow_check(guard: MethodGuard, request: Any, caller: Caller) -> str:
            uid = await check(guard, request, caller)
            if caller.name == "alice":
                await next_life(world, "x", BOB, connection="b")
                overtaken.append(uid)
            return uid

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MethodGuard, "check", slow_check)
            request = request_of(METHODS[full_name], connection="a", job_id="x")
            assert await outcome(world.channel, METHODS[full_name], request, ALICE) == "JOB_DELETED"
        assert len(overtaken) == 1


async def test_events_of_an_earlier_life_are_not_shown_to_who_sees_the_next(gated: World) -> None:
    await submitted(gated, ALICE, job_id="mine", connection="a")
    call: Any = gated.jobs.WatchJobs(pb.WatchJobsRequest(), metadata=ALICE)
    await call.read()
    await gated.worker.say("mine")
    token = ""
    async with asyncio.timeout(10):
        while not token:
            token = (await call.read()).resume_token
    call.cancel()
    await submitted(gated, BOB, job_id="x", connection="b")
    await gated.worker.say("x", "Bob's own")
    await dropped(gated, BOB, "x")
    await submitted(gated, ALICE, job_id="x", connection="a")

    again: Any = gated.jobs.WatchJobs(pb.WatchJobsRequest(resume_token=token), metadata=ALICE)
    heard: list[pb.WatchJobResponse] = []
    async with asyncio.timeout(10):
        while not heard or heard[-1].event.type != pb.EVENT_TYPE_ACCEPTED:
            message = await again.read()
            heard += [message] if message.job == "jobs/x" else []
    again.cancel()
    assert [(message.job, message.event.actor) for message in heard] == [("jobs/x", "alice")]


async def test_a_watcher_is_not_shown_the_next_job_of_the_id(world: World) -> None:
    first = await world.backfills.CreateBackfill(backfill(job_id="x"))
    call: Any = world.watch("x")
    await read(call, 1)
    await expired(world.redis, "x")
    second = await world.backfills.CreateBackfill(backfill(job_id="x"))
    await world.worker.say("x")

    messages: list[pb.WatchJobResponse] = []
    async with asyncio.timeout(20):
        while (message := await call.read()) is not grpc.aio.EOF:
            messages.append(message)
    assert first.uid != second.uid
    assert [message.end.reason for message in messages if message.HasField("end")] == [
        pb.STREAM_END_REASON_HISTORY_LOST
    ]
    assert not any(message.HasField("event") for message in messages)
