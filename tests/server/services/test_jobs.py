from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from headgate import pb
from headgate.backfill import dates
from headgate.store import keys
from headgate_server.requests.unbuilt import UNBUILT
from headgate_server.rpc import registry
from tests.server.world import DAY, World, backfill, metadata_of, reason_of, refusal


async def test_a_job_shows_what_it_has_cost_upstream(world: World) -> None:
    job_id = await world.submit()
    await world.redis.hset(keys.job(job_id), mapping={"reads": 5, "writes": 2, "throttled": 1})  # type: ignore[misc]

    usage = (await world.jobs.GetJob(pb.GetJobRequest(name=keys.job_name(job_id)))).usage

    assert (usage.upstream_reads, usage.upstream_writes, usage.throttled) == (5, 2, 1)


async def test_an_unknown_job_is_not_found(world: World) -> None:
    assert await refusal(world.jobs.GetJob(pb.GetJobRequest(name="jobs/nobody"))) == "JOB_UNKNOWN"


async def test_a_job_that_has_not_begun_is_shown_as_its_log_tells_it(world: World) -> None:
    job_id = await world.submit()
    name, log_key = keys.job_name(job_id), keys.log(job_id)
    accepted = pb.JobEvent.FromString((await world.redis.lrange(log_key, 0, -1))[0]).job  # type: ignore[misc]

    assert await world.redis.hexists(keys.job(job_id), "snap") == 0  # type: ignore[misc]
    assert await world.jobs.GetJob(pb.GetJobRequest(name=name)) == accepted
    assert list((await world.jobs.ListJobs(pb.ListJobsRequest())).jobs) == [accepted]

    await world.redis.delete(log_key)
    assert await refusal(world.jobs.GetJob(pb.GetJobRequest(name=name))) == "JOB_DAMAGED"


async def walk(world: World, **given: Any) -> list[str]:
    found, token = [], ""
    while True:
        page = await world.jobs.ListJobs(pb.ListJobsRequest(page_token=token, **given))
        found += [keys.job_id(job.name) for job in page.jobs]
        token = page.next_page_token
        if not token:
            return found


async def test_a_cancel_is_recorded_and_wakes_a_worker(world: World) -> None:
    job_id = await world.submit()
    await world.worker.append(job_id, pb.JobEvent(type=pb.EVENT_TYPE_WARNING), hints=b"scratch")
    kicks = await world.redis.llen(keys.kick(keys.TICKS))  # type: ignore[misc]

    job = await world.jobs.CancelJob(pb.CancelJobRequest(name=keys.job_name(job_id), reason="enough"))

    assert (job.state, job.cancel.reason, job.revision) == (pb.JOB_STATE_CANCELLING, "enough", 3)
    assert await world.worker.load(job_id) == job
    assert await world.redis.llen(keys.kick(keys.TICKS)) == kicks + 1  # type: ignore[misc]
    assert await world.redis.hget(keys.job(job_id), "hints") == b"scratch"  # type: ignore[misc]
    assert await world.jobs.CancelJob(pb.CancelJobRequest(name=job.name)) == job


async def test_pausing_and_resuming(world: World) -> None:
    name = keys.job_name(await world.submit())

    assert await refusal(world.jobs.ResumeJob(pb.ResumeJobRequest(name=name))) == "STATE_CONFLICT"
    paused = await world.jobs.PauseJob(pb.PauseJobRequest(name=name))
    assert paused.state == pb.JOB_STATE_PAUSED
    assert await world.jobs.PauseJob(pb.PauseJobRequest(name=name)) == paused
    assert (await world.jobs.ResumeJob(pb.ResumeJobRequest(name=name))).state == pb.JOB_STATE_RUNNING


async def test_only_a_finished_job_is_deleted_and_then_it_is_gone(world: World) -> None:
    job_id = await world.submit()
    request = pb.DeleteJobRequest(name=keys.job_name(job_id))
    assert await refusal(world.jobs.DeleteJob(request)) == "STATE_CONFLICT"
    await world.worker.finish(job_id)

    await world.jobs.DeleteJob(request)

    assert await refusal(world.jobs.DeleteJob(request)) == "JOB_UNKNOWN"
    assert await world.redis.exists(keys.log(job_id), keys.job(job_id)) == 0
    assert await walk(world) == []


async def events(world: World, job_id: str, **given: Any) -> pb.ListJobEventsResponse:
    reply: pb.ListJobEventsResponse
    reply = await world.jobs.ListJobEvents(pb.ListJobEventsRequest(name=keys.job_name(job_id), **given))
    return reply


async def test_the_server_tells_its_limits_and_what_is_not_built(world: World) -> None:
    info = await world.admin.GetServerInfo(pb.GetServerInfoRequest())

    assert set(info.unimplemented_methods) == UNBUILT
    assert info.limits["max_biz_dates_per_backfill"] == 1_100
    assert "workflow_instances" in info.features


async def reason_of_empty_call(world: World, method: MethodDescriptor) -> str:
    path = f"/{method.containing_service.full_name}/{method.name}"
    channel = world.channel
    open_: Callable[..., Any] = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = open_(path)(b"", timeout=5)
    try:
        await (call.read() if method.server_streaming else call)
    except grpc.RpcError as error:
        return reason_of(error)
    return ""


async def test_exactly_the_methods_listed_as_unbuilt_are_unbuilt(world: World) -> None:
    found = {method.full_name: await reason_of_empty_call(world, method) for method in registry.methods()}

    assert {name for name, reason in found.items() if reason == "METHOD_UNBUILT"} == UNBUILT
    assert set(found.values()) <= {"METHOD_UNBUILT", "FIELD_INVALID", "CONNECTION_UNKNOWN", ""}
    assert len(found) > len(UNBUILT)


async def test_run_job_runs_a_flow(world: World) -> None:
    flow = pb.TriggerFlowRequest(spec=pb.TriggerFlowSpec(flow_id=7))
    call = world.jobs.RunJob(pb.RunJobRequest(trigger_flow=flow))

    message: Any = await call.read()
    call.cancel()
    snapshot = message.snapshot

    assert snapshot.name.startswith("jobs/trigger-flow-")
    assert snapshot.trigger_flow.flow_id == 7


async def test_metadata_of_a_refusal_names_the_job(world: World) -> None:
    name = keys.job_name(await world.submit())
    with pytest.raises(grpc.RpcError) as caught:
        await world.jobs.DeleteJob(pb.DeleteJobRequest(name=name))

    assert metadata_of(caught.value) == {"job": name, "state": "QUEUED"}


async def test_a_trace_is_kept_with_the_first_event(world: World) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    job = await world.backfills.CreateBackfill(backfill(), metadata=(("traceparent", trace),))

    assert (await events(world, keys.job_id(job.name))).job_events[0].trace_parent == trace


async def test_call_counters_are_shown_and_never_written_into_the_job(world: World) -> None:
    job_id = await world.submit()
    await world.redis.hset(keys.job(job_id), "reads", "7")  # type: ignore[misc]

    shown = await world.jobs.PauseJob(pb.PauseJobRequest(name=keys.job_name(job_id)))

    assert shown.usage.upstream_reads == 7
    assert not (await world.worker.load(job_id)).HasField("usage")


async def test_a_read_tells_when_a_backfill_ends_and_a_list_does_not(world: World) -> None:
    job_id = await world.submit()
    run = pb.InstanceRun(index=0, biz_date=dates.to_message(DAY), state=pb.RUN_STATE_SUCCEEDED, attempt=1)
    run.started_time.FromSeconds(1_739_019_600)
    run.finished_time.FromSeconds(1_739_019_660)
    fresh = await world.jobs.GetJob(pb.GetJobRequest(name=keys.job_name(job_id)))
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    before = await world.worker.append(job_id, pb.JobEvent(type=pb.EVENT_TYPE_RUN_CHANGED, runs=[run]))

    seen = [
        await world.jobs.GetJob(pb.GetJobRequest(name=keys.job_name(job_id), view=view))
        for view in (pb.JOB_VIEW_FULL, pb.JOB_VIEW_BASIC)
    ]
    listed = (await world.jobs.ListJobs(pb.ListJobsRequest())).jobs[0]
    await world.worker.move(job_id, pb.JOB_STATE_PAUSED)
    paused = await world.jobs.GetJob(pb.GetJobRequest(name=keys.job_name(job_id)))

    for job in seen:
        assert (job.forecast.succeeded_dates, job.forecast.left_dates) == (1, 1)
        assert job.eta_time == job.forecast.p50_end_time
        ahead_ms = job.forecast.p50_end_time.ToMilliseconds() - job.forecast.forecast_time.ToMilliseconds()
        assert 50_000 < ahead_ms < 80_000, "one date of a minute is left"
        job.ClearField("forecast")
        job.ClearField("eta_time")
    assert seen[0] == before
    assert not any(job.HasField("forecast") or job.HasField("eta_time") for job in (fresh, listed, paused))
