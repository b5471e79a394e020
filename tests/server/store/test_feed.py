"""The feed carries no payloads: watchers of one job read them from its log, and nothing of them outlives the job."""

from typing import Any

from headgate import pb
from headgate.job import event_log
from headgate.messages import feed_view, views
from headgate.store import commit, keys
from tests.server.watching import read, stored
from tests.server.world import World, backfill, gather_until_end

CANARY = "canary-7f3a"
SECRET = f'{{"1023697426": "token={CANARY}"}}'


def secret_backfill(job_id: str) -> pb.CreateBackfillRequest:
    request = backfill(job_id=job_id, request_id=f"r-{job_id}")
    request.spec.task_parameters = SECRET
    request.spec.extra.update({"password": [{"is": CANARY}]})
    request.options.labels["kept"] = "yes"
    return request


def failed_run() -> pb.JobEvent:
    digest = pb.FailureDigest(task_name="load", log_tail=f"can't log in with {CANARY}")
    run = pb.InstanceRun(index=0, state=pb.RUN_STATE_FAILED, workflow_instance_id=7, failure_digest=digest)
    return pb.JobEvent(type=pb.EVENT_TYPE_RUN_CHANGED, runs=[run])


async def content(redis: Any, key: bytes) -> Any:
    """All of a key's value, whatever it is."""
    match (await redis.type(key)).decode():
        case "string":
            return await redis.get(key)
        case "list":
            return await redis.lrange(key, 0, -1)
        case "hash":
            return await redis.hgetall(key)
        case "zset":
            return await redis.zrange(key, 0, -1)
        case "stream":
            return await redis.xrange(key)
        case other:
            raise AssertionError(other)


async def with_canary(redis: Any) -> set[bytes]:
    """The keys of the whole store that hold the canary somewhere."""
    held = {key: repr(await content(redis, key)) async for key in redis.scan_iter()}
    return {key for key, text in held.items() if CANARY in text or CANARY in key.decode()}


async def test_nothing_of_a_deleted_jobs_payload_is_left(world: World) -> None:
    await world.backfills.CreateBackfill(secret_backfill("mine"))
    seen = pb.WorkflowInstance(id=7, workflow_parameters=CANARY)
    await world.redis.set(keys.observation("", 7), seen.SerializeToString())
    await world.worker.move("mine", pb.JOB_STATE_RUNNING)
    await world.worker.append("mine", failed_run())
    assert await with_canary(world.redis) == {
        keys.job("mine").encode(),
        keys.log("mine").encode(),
        keys.observation("", 7).encode(),
    }

    await world.worker.finish("mine")
    await world.jobs.DeleteJob(pb.DeleteJobRequest(name="jobs/mine"))
    assert await with_canary(world.redis) == set()


async def test_a_watcher_of_the_job_sees_every_event_whole_and_live(world: World) -> None:
    await world.backfills.CreateBackfill(secret_backfill("mine"))
    call = world.watch("mine", start_revision=1)
    first = (await read(call, 1))[0]
    assert first.event.job.backfill.task_parameters == SECRET

    await world.worker.move("mine", pb.JOB_STATE_RUNNING)
    await world.worker.append("mine", failed_run())
    await world.worker.finish("mine")
    messages = [first, *await gather_until_end(call)]
    events = [message for message in messages if message.HasField("event")]
    bodies = await stored(world, "mine")

    assert [message.event.SerializeToString(deterministic=True) for message in events] == [
        pb.JobEvent.FromString(body).SerializeToString(deterministic=True) for body in bodies
    ]
    assert [message.incarnation for message in events] == [event_log.incarnation(body) for body in bodies]
    assert CANARY in events[2].event.runs[0].failure_digest.log_tail
    assert messages[-1].end.reason == pb.STREAM_END_REASON_JOB_TERMINAL


async def test_a_watcher_of_all_jobs_sees_them_without_payloads_and_with_the_same_incarnations(world: World) -> None:
    call = world.jobs.WatchJobs(pb.WatchJobsRequest(filter='labels.kept = "yes"'))
    assert (await read(call, 1))[0].HasField("progress")
    await world.backfills.CreateBackfill(secret_backfill("mine"))
    await world.worker.move("mine", pb.JOB_STATE_RUNNING)
    await world.worker.append("mine", failed_run())

    messages = await read(call, 3)
    assert CANARY not in repr(messages)
    assert messages[0].event.job.backfill.project_id == 257880
    assert messages[2].event.runs[0].failure_digest.task_name == "load"
    assert [message.incarnation for message in messages] == [
        event_log.incarnation(b) for b in await stored(world, "mine")
    ]


async def test_servers_of_before_can_read_every_entry(world: World) -> None:
    await world.backfills.CreateBackfill(secret_backfill("mine"))
    await world.worker.append("mine", failed_run())
    await world.submit(job_id="plain")

    entries = [fields for _, fields in await world.redis.xrange(keys.FEED)]
    events = [pb.JobEvent.FromString(fields[b"e"]) for fields in entries]
    assert [(fields[b"i"], fields[b"r"]) for fields in entries] == [(b"mine", b"1"), (b"mine", b"2"), (b"plain", b"1")]
    assert [event.revision for event in events] == [1, 2, 1]
    assert [fields.get(b"d", b"") != b"" for fields in entries] == [True, True, False]
    assert entries[2][b"e"] == (await stored(world, "plain"))[0]


def test_an_event_without_payloads_is_shown_as_it_is() -> None:
    plain = pb.JobEvent(revision=2, type=pb.EVENT_TYPE_WARNING, message="w").SerializeToString()
    run = failed_run()
    whole = run.SerializeToString()

    assert feed_view.shown(1, (plain, plain)) == ()
    assert feed_view.shown(1, (plain, whole)) == (
        b"",
        event_log.incarnation(whole).encode() + views.basic_event(run).SerializeToString(),
    )


def test_what_a_submit_shows_is_what_anybody_would_show() -> None:
    job = pb.Job(name="jobs/mine", backfill=secret_backfill("mine").spec)
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, job=job)
    body = event.SerializeToString()
    change = commit.Commit(pb.JOB_STATE_UNSPECIFIED, job, 0, (body,))
    assert commit.script_arguments(change)[-1] == feed_view.shown_first(event, body)[0]
