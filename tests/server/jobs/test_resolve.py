"""ResolveJob: what a person says, and what a worker's core does with a job afterwards."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.job import event_log
from headgate.store import keys
from headgate_server.errors.exceptions import Refused
from headgate_server.jobs import resolve as jobs_resolve
from headgate_worker.core.model.calls import CreateInstances, GetInstance
from headgate_worker.core.model.steps import Act
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.planner import plan
from tests.server.world import World, backfill, fields_of, reason_of, status_of

NOW_MS = 1_739_019_600_000


async def in_doubt(world: World, request: pb.CreateBackfillRequest | None = None) -> pb.Job:
    """A backfill whose create got no answer, as a worker leaves it."""
    job_id = keys.job_id((await world.backfills.CreateBackfill(request or backfill())).name)
    job = await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    row = pb.UpstreamOperation(
        action="CreateWorkflowInstances",
        marker="seed",
        outcome=pb.OPERATION_OUTCOME_AMBIGUOUS,
        attempts=1,
        biz_dates=job.backfill.biz_dates,
    )
    runs = [pb.InstanceRun() for _ in job.runs]
    for run, before in zip(runs, job.runs, strict=True):
        run.CopyFrom(before)
        run.state, run.operation_index = pb.RUN_STATE_CREATING, 0
    doubt = Status(code=2, message="whether it was executed can't be told")
    return await world.worker.append(
        job_id,
        pb.JobEvent(type=pb.EVENT_TYPE_OPERATION_CHANGED, operations=[row], runs=runs),
        pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_NEEDS_ATTENTION, error=doubt),
    )


async def resolve(world: World, job: pb.Job, resolution: pb.Resolution.ValueType, **given: Any) -> pb.Job:
    request = pb.ResolveJobRequest(name=job.name, resolution=resolution, reason="I looked", **given)
    found: pb.Job = await world.jobs.ResolveJob(request)
    return found


def next_act(job: pb.Job) -> Act:
    step = plan(View(job, Hints(), NOW_MS))
    assert isinstance(step, Act), step
    return step


async def test_what_was_not_executed_is_sent_again(world: World) -> None:
    before = await in_doubt(world)

    job = await resolve(world, before, pb.RESOLUTION_NOT_EXECUTED)

    assert job.state == pb.JOB_STATE_RUNNING
    assert job.operations[0].outcome == pb.OPERATION_OUTCOME_NOT_SENT
    assert not job.HasField("error")
    act = next_act(job)
    assert isinstance(act.call, CreateInstances)
    assert (act.subject, act.drafts[0].operations[0].attempts) == (0, 2)


async def test_the_instances_of_what_was_executed_are_put_on_their_dates(world: World) -> None:
    before = await in_doubt(world)

    job = await resolve(world, before, pb.RESOLUTION_EXECUTED, workflow_instance_ids=[11, 12])

    assert job.state == pb.JOB_STATE_RUNNING
    assert job.operations[0].outcome == pb.OPERATION_OUTCOME_ADOPTED
    assert list(job.operations[0].workflow_instance_ids) == [11, 12]
    assert next_act(job).call == GetInstance(11)


async def test_a_job_that_is_given_up_fails_with_its_error(world: World) -> None:
    before = await in_doubt(world)

    job = await resolve(world, before, pb.RESOLUTION_ABANDON)

    assert job.state == pb.JOB_STATE_FAILED
    assert job.error == before.error
    assert {run.state for run in job.runs} == {pb.RUN_STATE_UNRESOLVED}
    assert job.counts.failed == 2
    assert job.HasField("end_time") and job.HasField("expire_time")
    assert await world.redis.zscore(keys.DUE, keys.job_id(job.name)) is None


async def test_a_job_that_is_given_up_gives_its_dates_back(world: World) -> None:
    request = backfill()
    request.spec.overlap = pb.OVERLAP_REJECT
    before = await in_doubt(world, request)
    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(request)
    assert reason_of(caught.value) == "BACKFILL_OVERLAP"

    await resolve(world, before, pb.RESOLUTION_ABANDON)

    assert (await world.backfills.CreateBackfill(request)).state == pb.JOB_STATE_QUEUED


async def test_the_word_stands_in_the_log_and_a_worker_is_woken_at_once(world: World) -> None:
    before = await in_doubt(world)
    await world.redis.delete(keys.TICKS, keys.kick(keys.TICKS))

    job = await resolve(world, before, pb.RESOLUTION_NOT_EXECUTED)

    raw: list[bytes] = await world.redis.lrange(keys.log(keys.job_id(job.name)), 0, -1)  # type: ignore[misc]
    events = [pb.JobEvent.FromString(event) for event in raw]
    assert events[-1].type == pb.EVENT_TYPE_RESOLVED
    assert events[-1].actor == "anonymous"
    assert "I looked" in events[-1].message
    assert event_log.replay(events) == job
    assert await world.redis.llen(keys.kick(keys.TICKS)) == 1  # type: ignore[misc]


async def test_a_job_whose_cancel_is_in_doubt_goes_on_being_cancelled(world: World) -> None:
    before = await in_doubt(world)
    cancelled = await world.jobs.CancelJob(pb.CancelJobRequest(name=before.name))
    assert cancelled.state == pb.JOB_STATE_CANCELLING
    error = Status(code=2, message="unconfirmed")
    change = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_NEEDS_ATTENTION, error=error)
    await world.worker.append(keys.job_id(before.name), change)

    job = await resolve(world, before, pb.RESOLUTION_NOT_EXECUTED)

    assert job.state == pb.JOB_STATE_CANCELLING
    act = next_act(job)
    assert act.call is None and {run.state for run in act.drafts[0].runs} == {pb.RUN_STATE_SKIPPED}


async def test_a_job_that_needs_no_attention_is_left_alone(world: World) -> None:
    job_id = await world.submit()

    with pytest.raises(grpc.RpcError) as caught:
        await resolve(world, pb.Job(name=keys.job_name(job_id)), pb.RESOLUTION_ABANDON)

    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(caught.value) == "STATE_CONFLICT"


@pytest.mark.parametrize(
    ("resolution", "given", "field"),
    [
        (pb.RESOLUTION_EXECUTED, {}, "workflow_instance_ids"),
        (pb.RESOLUTION_NOT_EXECUTED, {"workflow_instance_ids": [1]}, "workflow_instance_ids"),
        (pb.RESOLUTION_ABANDON, {"workflow_instance_ids": [1]}, "workflow_instance_ids"),
        (pb.RESOLUTION_NOT_EXECUTED, {"operation_index": 3}, "operation_index"),
    ],
)
async def test_what_does_not_go_together_is_refused(
    world: World, resolution: pb.Resolution.ValueType, given: dict[str, Any], field: str
) -> None:
    before = await in_doubt(world)

    with pytest.raises(grpc.RpcError) as caught:
        await resolve(world, before, resolution, **given)

    assert fields_of(status_of(caught.value)) == {field}


def attention(**members: Any) -> pb.Job:
    return pb.Job(name="jobs/x", revision=4, state=pb.JOB_STATE_NEEDS_ATTENTION, **members)


def test_an_operation_that_is_decided_already_is_not_decided_again() -> None:
    row = pb.UpstreamOperation(outcome=pb.OPERATION_OUTCOME_CONFIRMED, workflow_instance_ids=[5])
    request = pb.ResolveJobRequest(resolution=pb.RESOLUTION_NOT_EXECUTED)

    with pytest.raises(Refused, match="decided already: CONFIRMED"):
        jobs_resolve.resolve(attention(backfill=pb.BackfillSpec(), operations=[row]), request, "me", NOW_MS)


def test_an_instance_of_another_operation_is_not_named_twice() -> None:
    made = pb.UpstreamOperation(outcome=pb.OPERATION_OUTCOME_CONFIRMED, workflow_instance_ids=[5])
    lost = pb.UpstreamOperation(index=1, outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)
    request = pb.ResolveJobRequest(resolution=pb.RESOLUTION_EXECUTED, operation_index=1, workflow_instance_ids=[5])

    with pytest.raises(Refused, match="another operation"):
        jobs_resolve.resolve(attention(backfill=pb.BackfillSpec(), operations=[made, lost]), request, "me", NOW_MS)


def test_a_rerun_that_was_executed_names_no_instances_and_runs() -> None:
    row = pb.UpstreamOperation(outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)
    run = pb.InstanceRun(workflow_instance_id=7, state=pb.RUN_STATE_CREATED, operation_index=-1, attempt=1)
    job = attention(rerun=pb.RerunWorkflowInstancesSpec(ids=[7]), runs=[run], operations=[row])
    request = pb.ResolveJobRequest(resolution=pb.RESOLUTION_EXECUTED)

    after = event_log.fold(job, jobs_resolve.resolve(job, request, "me", NOW_MS))

    assert after.runs[0].state == pb.RUN_STATE_STARTING
    assert after.runs[0].started_by == pb.STARTED_BY_HEADGATE
    assert after.counts.running == 1


def test_the_flow_instance_of_a_trigger_cannot_be_named() -> None:
    row = pb.UpstreamOperation(outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)
    request = pb.ResolveJobRequest(resolution=pb.RESOLUTION_EXECUTED, workflow_instance_ids=[5])

    with pytest.raises(Refused, match="give the job up"):
        jobs_resolve.resolve(attention(trigger_flow=pb.TriggerFlowSpec(), operations=[row]), request, "me", NOW_MS)


@pytest.mark.parametrize("kind", ["rerun_tasks", "set_success_tasks"])
def test_a_call_about_tasks_that_was_executed_is_followed(kind: str) -> None:
    row = pb.UpstreamOperation(index=0, outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)
    run = pb.InstanceRun(index=0, state=pb.RUN_STATE_CREATING, task_instance_id=7)
    job = attention(runs=[run], operations=[row])
    getattr(job, kind).ids.append(7)
    request = pb.ResolveJobRequest(resolution=pb.RESOLUTION_EXECUTED)

    event = jobs_resolve.resolve(job, request, "me", NOW_MS)

    assert event.operations[0].outcome == pb.OPERATION_OUTCOME_ADOPTED
    assert [run.state for run in event.runs] == [pb.RUN_STATE_STARTING]
    assert (event.runs[0].started_by == pb.STARTED_BY_HEADGATE) == (kind == "rerun_tasks")
