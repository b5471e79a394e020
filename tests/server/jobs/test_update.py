"""UpdateJob: what of a job that goes on can change, to what, and that each change is told once with what was before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.backfill import dates
from headgate.job import event_log, job_update
from headgate.store import keys
from headgate_server.errors.exceptions import Refused
from headgate_server.jobs.update import LONGEST_MS, update
from headgate_server.watch.feed_filter import apply_event, summary_of
from headgate_worker.core.facts.job_kinds import expected_parent
from tests.server.world import DAY, World, backfill, fields_of, reason_of, status_of

NOW_MS = 1_739_019_600_000
PARALLELISM = "backfill.default_run_properties.parallelism"


def at(ms: int) -> Timestamp:
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def wanted(job: str, *paths: str, request_id: str = "", **members: Any) -> pb.UpdateJobRequest:
    """A request that changes `paths`; `members` are those of the job."""
    request = pb.UpdateJobRequest(job=pb.Job(name=job, **members), request_id=request_id)
    if paths:
        request.update_mask.paths.extend(paths)
    return request


def parallel(count: int) -> pb.BackfillSpec:
    return pb.BackfillSpec(default_run_properties=pb.DefaultRunProperties(parallelism=count))


async def events(world: World, name: str) -> list[pb.JobEvent]:
    raw: list[bytes] = await world.redis.lrange(keys.log(keys.job_id(name)), 0, -1)  # type: ignore[misc]
    return [pb.JobEvent.FromString(event) for event in raw]


async def submitted(world: World, **given: Any) -> str:
    return keys.job_name(await world.submit(**given))


@pytest.mark.parametrize(
    ("path", "members", "said"),
    [
        ("priority", {"priority": 7}, "updated: priority 0 -> 7"),
        ("labels", {"labels": {"team": "orders"}}, "updated: labels none -> team=orders"),
        ("ttl_after_end", {"ttl_after_end": {"seconds": 600}}, "updated: ttl_after_end 2592000s -> 600s"),
        (PARALLELISM, {"backfill": parallel(3)}, "updated: parallelism 1 -> 3"),
        (
            "backfill.max_attempts_per_date",
            {"backfill": pb.BackfillSpec(max_attempts_per_date=3)},
            "updated: max_attempts_per_date 0 -> 3",
        ),
        (
            "backfill.on_failure",
            {"backfill": pb.BackfillSpec(on_failure=pb.ON_FAILURE_CONTINUE)},
            "updated: on_failure ON_FAILURE_UNSPECIFIED -> ON_FAILURE_CONTINUE",
        ),
    ],
)
async def test_each_field_changes_and_is_told_with_what_was_before(
    world: World, path: str, members: Mapping[str, Any], said: str
) -> None:
    name = await submitted(world)
    before = await world.jobs.GetJob(pb.GetJobRequest(name=name))

    after = await world.jobs.UpdateJob(wanted(name, path, **members))

    told = (await events(world, name))[-1]
    assert (told.type, told.actor, told.message) == (pb.EVENT_TYPE_UPDATED, "anonymous", said)
    assert told.update.update_mask.paths == [path]
    assert told.update.before == job_update.only([path], before)
    assert told.update.after == job_update.only([path], after) == job_update.only([path], pb.Job(**members))
    untouched = pb.Job()
    untouched.CopyFrom(before)
    job_update.copy(path, after, untouched)
    for changing in ("revision", "etag", "update_time"):
        after.ClearField(changing)
        untouched.ClearField(changing)
    assert after == untouched
    assert event_log.replay(await events(world, name)) == await world.jobs.GetJob(pb.GetJobRequest(name=name))


async def test_a_deadline_changes_for_readers_of_before_too(world: World) -> None:
    name = await submitted(world)
    job = await world.jobs.GetJob(pb.GetJobRequest(name=name))
    sooner = at(job.create_time.ToMilliseconds() + 3_600_000)

    after = await world.jobs.UpdateJob(wanted(name, "deadline_time", deadline_time=sooner))

    told = (await events(world, name))[-1]
    assert after.deadline_time == sooner == told.deadline_time == told.update.after.deadline_time
    assert told.update.before.deadline_time == job.deadline_time


async def test_several_fields_are_one_event(world: World) -> None:
    name = await submitted(world)

    job = await world.jobs.UpdateJob(wanted(name, "priority", PARALLELISM, priority=2, backfill=parallel(4)))

    assert (job.priority, job.backfill.default_run_properties.parallelism, job.revision) == (2, 4, 2)
    assert (await events(world, name))[-1].message == "updated: priority 0 -> 2, parallelism 1 -> 4"
    assert job.backfill.name == "seed", "what is not named stays"


async def test_without_a_mask_what_has_a_value_changes(world: World) -> None:
    name = await submitted(world)
    await world.jobs.UpdateJob(wanted(name, "labels", labels={"a": "1"}))

    job = await world.jobs.UpdateJob(wanted(name, priority=5, creator="somebody", state=pb.JOB_STATE_FAILED))

    assert (job.priority, dict(job.labels), job.creator, job.state) == (5, {"a": "1"}, "anonymous", pb.JOB_STATE_QUEUED)


async def test_a_star_names_all_that_can_change(world: World) -> None:
    name = await submitted(world)
    job = await world.jobs.UpdateJob(wanted(name, "labels", labels={"a": "1"}))
    job.priority = 9
    job.ClearField("labels")

    after = await world.jobs.UpdateJob(pb.UpdateJobRequest(job=job, update_mask=FieldMask(paths=["*"])))

    assert (after.priority, dict(after.labels)) == (9, {})
    assert (await events(world, name))[-1].update.update_mask.paths == ["priority", "labels"]


async def test_what_is_so_already_is_not_recorded(world: World) -> None:
    name = await submitted(world)

    job = await world.jobs.UpdateJob(wanted(name, "priority", PARALLELISM, backfill=parallel(1)))

    assert job.revision == 1


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (wanted("jobs/x", "priority", priority=10), {"job.priority"}),
        (wanted("jobs/x", "priority", priority=-1), {"job.priority"}),
        (wanted("jobs/x", "labels", labels={"Team": "x"}), {'job.labels["Team"]'}),
        (wanted("jobs/x", "labels", labels={f"k{n}": "" for n in range(21)}), {"job.labels"}),
        (wanted("jobs/x", "ttl_after_end", ttl_after_end={"seconds": 59}), {"job.ttl_after_end"}),
        (wanted("jobs/x", "ttl_after_end"), {"job.ttl_after_end"}),
        (wanted("jobs/x", "deadline_time"), {"job.deadline_time"}),
        (wanted("jobs/x", PARALLELISM, backfill=parallel(11)), {f"job.{PARALLELISM}"}),
        (wanted("jobs/x", PARALLELISM), {f"job.{PARALLELISM}"}),
        (
            wanted("jobs/x", "backfill.max_attempts_per_date", backfill=pb.BackfillSpec(max_attempts_per_date=11)),
            {"job.backfill.max_attempts_per_date"},
        ),
        (wanted("jobs/x", "backfill.on_failure", backfill={"on_failure": 77}), {"job.backfill.on_failure"}),
        (wanted("jobs/x", "backfill.name", "state", "labels.team"), {"update_mask"}),
        (wanted("jobs/x", "priority", "*"), {"update_mask"}),
        (wanted("jobs/x"), {"update_mask"}),
        (wanted("x", "priority"), {"job.name"}),
        (wanted("", "priority"), {"job.name"}),
        (wanted("jobs/x", "priority", etag="e" * 65), {"job.etag"}),
        (wanted("jobs/x", "priority", "labels", priority=10, labels={"": ""}), {"job.priority", 'job.labels[""]'}),
    ],
)
async def test_what_breaks_a_rule_is_refused_by_name(
    world: World, request_: pb.UpdateJobRequest, fields: set[str]
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await world.jobs.UpdateJob(request_)

    assert reason_of(caught.value) == "FIELD_INVALID"
    assert fields_of(status_of(caught.value)) == fields


@pytest.mark.parametrize("ahead_ms", [-1, 0, LONGEST_MS + 1])
def test_a_deadline_lies_ahead_and_not_too_far(ahead_ms: int) -> None:
    job = pb.Job(name="jobs/x", state=pb.JOB_STATE_RUNNING, deadline_time=at(NOW_MS))

    with pytest.raises(Refused, match=r"job\.deadline_time"):
        update(job, wanted("jobs/x", "deadline_time", deadline_time=at(NOW_MS + ahead_ms)), "me", NOW_MS)
    assert update(job, wanted("jobs/x", "deadline_time", deadline_time=at(NOW_MS + LONGEST_MS)), "me", NOW_MS)


async def test_an_ended_job_does_not_change(world: World) -> None:
    name = await submitted(world)
    await world.worker.finish(keys.job_id(name))

    with pytest.raises(grpc.RpcError) as caught:
        await world.jobs.UpdateJob(wanted(name, "priority", priority=3))

    assert reason_of(caught.value) == "STATE_CONFLICT"


async def test_a_job_that_is_no_backfill_has_no_field_of_one(world: World) -> None:
    request = pb.StartWorkflowInstancesRequest(spec=pb.StartWorkflowInstancesSpec(ids=[5]))
    name = (await world.instances.StartWorkflowInstances(request)).name

    with pytest.raises(grpc.RpcError) as caught:
        await world.jobs.UpdateJob(wanted(name, PARALLELISM, backfill=parallel(2)))
    assert reason_of(caught.value) == "STATE_CONFLICT"
    assert (await world.jobs.UpdateJob(wanted(name, "priority", priority=2))).priority == 2


async def test_there_is_nothing_to_change_where_there_is_no_job(world: World) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await world.jobs.UpdateJob(wanted("jobs/none", "priority", priority=3))

    assert reason_of(caught.value) == "JOB_UNKNOWN"


async def test_a_stale_etag_is_refused(world: World) -> None:
    name = await submitted(world)
    job = await world.jobs.GetJob(pb.GetJobRequest(name=name))
    fresh = await world.jobs.UpdateJob(wanted(name, "priority", priority=3, etag=job.etag))

    with pytest.raises(grpc.RpcError) as caught:
        await world.jobs.UpdateJob(wanted(name, "priority", priority=4, etag=job.etag))

    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert (await world.jobs.UpdateJob(wanted(name, "priority", priority=4, etag=fresh.etag))).priority == 4


async def test_a_repeat_changes_nothing_twice(world: World) -> None:
    name = await submitted(world)
    change = wanted(name, "priority", priority=3, request_id="r")

    answers = await asyncio.gather(*(world.jobs.UpdateJob(change) for _ in range(8)))
    other = await world.jobs.UpdateJob(wanted(name, "priority", priority=8))
    late = await world.jobs.UpdateJob(change)

    assert {(job.revision, job.priority) for job in answers} == {(2, 3)}
    assert late == other, "the second change stands"
    with pytest.raises(grpc.RpcError) as caught:
        await world.jobs.UpdateJob(wanted(name, "priority", priority=4, request_id="r"))
    assert reason_of(caught.value) == "REQUEST_ID_REUSED"


async def test_changes_and_a_worker_that_commits_do_not_lose_each_other(world: World) -> None:
    name = await submitted(world)
    job_id = keys.job_id(name)
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)

    async def say() -> None:
        for _ in range(30):
            try:
                await world.worker.say(job_id)
            except AssertionError as error:
                assert "STALE" in str(error) or "1," in str(error)

    async def change() -> None:
        for priority in (1, 2, 3, 4, 5):
            await world.jobs.UpdateJob(wanted(name, "priority", priority=priority))

    await asyncio.gather(say(), change())

    found = await events(world, name)
    assert [event.update.after.priority for event in found if event.type == pb.EVENT_TYPE_UPDATED] == [1, 2, 3, 4, 5]
    assert event_log.replay(found).priority == 5


async def test_a_filter_over_all_jobs_goes_by_the_new_labels(world: World) -> None:
    watch: Any = world.jobs.WatchJobs(pb.WatchJobsRequest(filter='labels.team = "b"'))
    assert (await watch.read()).HasField("progress")
    name = await submitted(world, options=pb.JobOptions(labels={"team": "a"}))

    await world.jobs.UpdateJob(wanted(name, "labels", labels={"team": "b"}))
    comes = await watch.read()
    await world.jobs.UpdateJob(wanted(name, "labels", labels={"team": "c"}))
    goes = await watch.read()

    assert [message.event.update.after.labels["team"] for message in (comes, goes)] == ["b", "c"]
    watch.cancel()


def test_a_summary_follows_what_changes() -> None:
    summary = summary_of(pb.Job(name="jobs/x", labels={"a": "1"}, priority=1, revision=1, backfill=pb.BackfillSpec()))
    event = pb.JobEvent(revision=2, type=pb.EVENT_TYPE_UPDATED, state=pb.JOB_STATE_RUNNING)
    event.update.update_mask.paths.extend(["priority", "newer.than.this"])
    event.update.after.priority = 4

    apply_event(summary, event)

    assert (summary.priority, dict(summary.labels)) == (4, {"a": "1"})


def test_what_was_created_before_keeps_the_parallelism_it_was_sent_with() -> None:
    runs = [
        pb.InstanceRun(
            index=n,
            biz_date=dates.to_message(DAY.replace(day=1 + n)),
            state=pb.RUN_STATE_CREATED,
            workflow_instance_id=11 + n,
            operation_index=n // 4,
        )
        for n in range(8)
    ]
    first = pb.UpstreamOperation(index=0, outcome=pb.OPERATION_OUTCOME_CONFIRMED)
    job = pb.Job(
        name="jobs/x", state=pb.JOB_STATE_RUNNING, revision=5, backfill=backfill().spec, runs=runs, operations=[first]
    )

    event = update(job, wanted("jobs/x", PARALLELISM, backfill=parallel(2)), "me", NOW_MS)
    assert event is not None
    after = event_log.fold(job, event)
    after.operations.add(index=1)

    def parents(run: pb.InstanceRun) -> int | None:
        parent = expected_parent(after, run)
        return None if parent is None else parent.index

    assert [parents(run) for run in after.runs] == [None, 0, 1, 2, None, None, 4, 5]
    again = update(after, wanted("jobs/x", PARALLELISM, backfill=parallel(3)), "me", NOW_MS)
    assert again is not None and [row.index for row in again.operations] == [1]
    assert [row.parallelism for row in event_log.fold(after, again).operations] == [1, 2]
