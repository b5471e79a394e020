"""The default connection has two names where the workers' file gives it one, and is one connection by either."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.job import event_log
from headgate.quota import limits
from headgate.store import commit, connection_names, keys, queue_entries
from headgate.store.commit import Commit, Committed, Wake
from headgate.store.date_claims import hold_of
from tests.server.callers import entry, known, write
from tests.server.scenarios.test_overlap_join import wanting
from tests.server.world import World, backfill, metadata_of, reason_of, serving, until
from tests.worker.submitting import hold_of_submitted

NAME = "shanghai"
NAMES = [("", NAME), (NAME, "")]


async def announced(redis_url: str, *, default: str = NAME) -> None:
    """What workers say in a store whose default connection has a name."""
    redis: Any = Redis.from_url(redis_url)
    await redis.hset(keys.quota(""), mapping=limits.alias(default, 1))
    await redis.hset(keys.quota(default), mapping=limits.announcement(limits.EDITIONS["standard"], 1))
    await redis.aclose()


@pytest.fixture
async def named(redis_url: str) -> AsyncIterator[World]:
    await announced(redis_url)
    async with serving(redis_url) as world:
        yield world


@pytest.fixture
async def gated(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    await announced(redis_url)
    text = entry("empty", connections=[""]) + entry("own", connections=[NAME]) + entry("other", connections=["b"])
    async with serving(redis_url, callers=write(tmp_path / "callers.toml", text), read_timeout=0.2) as world:
        yield world


async def refusal(call: Any) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return caught.value


async def run(world: World, change: Commit, default: str = "") -> None:
    """Make a change as a process does that knows the default connection by that name, or by none."""
    names, redis = commit.script_keys(change, default), world.redis
    script = redis.register_script(commit.SCRIPT)
    assert isinstance(commit.parse_answer(await script(keys=names, args=commit.script_arguments(change))), Committed)


async def took(world: World, job_id: str, *, connection: str, days: int = 2) -> Commit:
    """A job as a server accepts it that knows of one name only: of an earlier version, or before any worker spoke."""
    request = wanting(days, pb.OVERLAP_REJECT)
    runs = [pb.InstanceRun(biz_date=one.start_biz_date) for one in request.spec.biz_dates]
    job = pb.Job(name=keys.job_name(job_id), uid=job_id, connection=connection, backfill=request.spec, runs=runs)
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, job=job)
    made = event_log.fold(None, event)
    tick = Wake(queue_entries.tick(job_id, nonce="n", now_ms=1))
    raw, unborn = (event.SerializeToString(),), pb.JOB_STATE_UNSPECIFIED
    change = Commit(unborn, made, 0, raw, wake=tick, hold=hold_of_submitted(made))
    await run(world, change)
    return change


@pytest.mark.parametrize(("first", "second"), NAMES)
async def test_backfills_by_both_names_do_not_hold_the_same_dates(named: World, first: str, second: str) -> None:
    held = await named.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT, connection=first))
    error = await refusal(named.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT, connection=second)))

    assert (reason_of(error), metadata_of(error)["job"]) == ("BACKFILL_OVERLAP", held.name)
    assert held.connection == NAME
    joined = await named.backfills.CreateBackfill(wanting(2, connection=second))
    assert joined.uid == held.uid


@pytest.mark.parametrize(("first", "second"), NAMES)
@pytest.mark.parametrize("ends", ["server", "worker"])
async def test_a_job_that_was_kept_under_one_name_is_seen_by_the_other_until_it_ends(
    named: World, first: str, second: str, ends: str
) -> None:
    await took(named, "old", connection=first)
    wanted = wanting(2, pb.OVERLAP_REJECT, connection=second)
    assert reason_of(await refusal(named.backfills.CreateBackfill(wanted))) == "BACKFILL_OVERLAP"

    if ends == "worker":  # of an earlier version, which gives back under no name, or under one
        await named.worker.finish("old")
    else:
        await named.jobs.CancelJob(pb.CancelJobRequest(name="jobs/old"))
        await named.worker.move("old", pb.JOB_STATE_CANCELLED)
    assert (await named.backfills.CreateBackfill(wanted)).connection == NAME


async def test_what_is_taken_by_one_name_stands_under_both_for_servers_of_an_earlier_version(named: World) -> None:
    job = await named.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT))
    hold = hold_of(job)
    assert hold is not None
    for key in (hold.keys(NAME)[0], hold.keys(NAME)[3]):
        assert len(await named.redis.hgetall(key)) == 2  # type: ignore[misc]

    await named.jobs.CancelJob(pb.CancelJobRequest(name=job.name))
    after = await named.worker.load(keys.job_id(job.name))
    event = pb.JobEvent(revision=after.revision + 1, state=pb.JOB_STATE_CANCELLED)
    ended = event_log.fold(after, event)
    change = Commit(after.state, ended, after.revision, (event.SerializeToString(),), hold=hold_of(ended))
    await run(named, change, NAME)
    assert await named.redis.exists(hold.keys(NAME)[0], hold.keys(NAME)[3]) == 0


@pytest.mark.parametrize(("first", "second"), NAMES)
async def test_one_line_has_the_waiting_of_both_names(named: World, first: str, second: str) -> None:
    holder = await named.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT, connection=first))
    one = await named.backfills.CreateBackfill(wanting(2, pb.OVERLAP_QUEUE_AFTER, connection=second))
    two = await named.backfills.CreateBackfill(wanting(2, pb.OVERLAP_QUEUE_AFTER, connection=first))

    for job, ahead in ((one, holder), (two, holder)):
        causes = (await named.jobs.ExplainJob(pb.ExplainJobRequest(name=job.name))).causes
        assert any(ahead.name in cause.description for cause in causes), causes
    await named.worker.finish(keys.job_id(holder.name))
    causes = (await named.jobs.ExplainJob(pb.ExplainJobRequest(name=two.name))).causes
    assert any(one.name in cause.description for cause in causes), causes


async def test_one_that_waits_under_one_name_only_and_one_under_both_do_not_wait_for_each_other(named: World) -> None:
    holder = await named.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT))
    spec = wanting(2, pb.OVERLAP_QUEUE_AFTER).spec
    runs = [pb.InstanceRun(biz_date=one.start_biz_date) for one in spec.biz_dates]
    job = pb.Job(name="jobs/old", uid="old", connection="", backfill=spec, runs=runs)
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, job=job)
    made = event_log.fold(None, event)
    change = Commit(pb.JOB_STATE_UNSPECIFIED, made, 0, (event.SerializeToString(),), hold=hold_of_submitted(made))
    await run(named, change)
    new = await named.backfills.CreateBackfill(wanting(2, pb.OVERLAP_QUEUE_AFTER))
    await named.worker.finish(keys.job_id(holder.name))

    causes = (await named.jobs.ExplainJob(pb.ExplainJobRequest(name="jobs/old"))).causes
    assert not any("jobs/" in cause.description for cause in causes), causes
    causes = (await named.jobs.ExplainJob(pb.ExplainJobRequest(name=new.name))).causes
    assert any("jobs/old" in cause.description for cause in causes), causes


@pytest.mark.parametrize(("first", "second"), NAMES)
async def test_names_of_instances_are_claimed_once_by_both_names(named: World, first: str, second: str) -> None:
    for connection, job_id in ((first, "one"), (second, "two"), ("b", "three")):
        await named.backfills.CreateBackfill(backfill(connection=connection, job_id=job_id))

    marked = [await named.redis.hget(keys.job(job_id), "marked") for job_id in ("one", "two", "three")]  # type: ignore[misc]
    assert marked == [None, b"1", None]


async def test_a_repeat_by_the_same_name_stays_one_when_the_default_becomes_known(redis_url: str) -> None:
    async with serving(redis_url) as world:
        first = await world.backfills.CreateBackfill(backfill(request_id="r"))
        assert first.connection == ""
        await announced(redis_url)
        again = backfill(request_id="r2")
        await until(lambda: _resolved(world, again))
        assert (await world.backfills.CreateBackfill(backfill(request_id="r"))).uid == first.uid


async def _resolved(world: World, request: pb.CreateBackfillRequest) -> bool:
    request.validate_only = True
    return (await world.backfills.CreateBackfill(request)).connection == NAME


@pytest.mark.parametrize("who", ["empty", "own"])
@pytest.mark.parametrize("connection", ["", NAME])
async def test_a_right_to_one_name_is_a_right_to_the_connection(gated: World, who: str, connection: str) -> None:
    job = await gated.backfills.CreateBackfill(backfill(connection=connection), metadata=known(who))

    for other in ("empty", "own"):
        assert (await gated.jobs.GetJob(pb.GetJobRequest(name=job.name), metadata=known(other))).uid == job.uid
        listed = await gated.jobs.ListJobs(pb.ListJobsRequest(), metadata=known(other))
        assert [one.uid for one in listed.jobs] == [job.uid]
    read = gated.jobs.GetJob(pb.GetJobRequest(name=job.name), metadata=known("other"))
    assert reason_of(await refusal(read)) == "JOB_DENIED"
    write_ = gated.backfills.CreateBackfill(backfill(connection=connection), metadata=known("other"))
    assert reason_of(await refusal(write_)) == "CONNECTION_DENIED"


async def test_rights_follow_a_default_that_becomes_known(redis_url: str, tmp_path: Path) -> None:
    text = entry("own", connections=[NAME]) + entry("full")
    async with serving(redis_url, callers=write(tmp_path / "callers.toml", text)) as world:
        job = await world.backfills.CreateBackfill(backfill(), metadata=known("full"))
        denied = world.jobs.GetJob(pb.GetJobRequest(name=job.name), metadata=known("own"))
        assert reason_of(await refusal(denied)) == "JOB_DENIED"
        await announced(redis_url)

        async def seen() -> bool:
            try:
                return bool((await world.jobs.GetJob(pb.GetJobRequest(name=job.name), metadata=known("own"))).uid)
            except grpc.RpcError:
                return False

        await until(seen)


@pytest.mark.parametrize("connection", ["", NAME])
async def test_observations_and_quota_are_those_of_the_connection(named: World, connection: str) -> None:
    row = pb.WorkflowInstance(id=7, status=pb.WORKFLOW_INSTANCE_STATUS_RUNNING)
    row.observe_time.GetCurrentTime()
    await named.redis.set(keys.observation(NAME, 7), row.SerializeToString())
    request = pb.GetWorkflowInstanceRequest(id=7, connection=connection)
    request.max_staleness.FromSeconds(60)

    assert (await named.instances.GetWorkflowInstance(request)).id == 7
    assert (await named.admin.GetQuota(pb.GetQuotaRequest(connection=connection))).edition == "standard"


@pytest.mark.parametrize(
    ("name", "default", "found"),
    [
        ("", "", ("", "")),
        ("a", "", ("a", "a")),
        ("", "a", ("a", "")),
        ("a", "a", ("a", "")),
        ("b", "a", ("b", "b")),
    ],
)
def test_a_connection_has_another_name_only_if_it_is_the_default_one(
    name: str, default: str, found: tuple[str, str]
) -> None:
    assert connection_names.both(name, default) == found
    assert connection_names.all_of([name], default) == frozenset(found)
