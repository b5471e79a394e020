"""Who may see jobs and not their payloads: every RPC whose answer can hold one, told from the descriptors."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.longrunning import operations_proto_pb2 as lro
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from headgate import pb
from headgate.store import keys
from headgate_server.auth import permissions
from headgate_server.ports.caller import Right
from headgate_server.rpc import payload_view, registry
from headgate_server.rpc.payload_view import PayloadView
from tests.server.callers import METHODS, Metadata, entry, known, request_of, write
from tests.server.world import World, backfill, serving

MARK: Final = b"s3cret-payload"
NAME: Final = "jobs/theirs"
OPERATION: Final = "operations/theirs"

READS: Final[dict[str, Any]] = {
    "GetJob": pb.GetJobRequest(name=NAME),
    "ListJobs": pb.ListJobsRequest(view=pb.JOB_VIEW_FULL),
    "ListJobEvents": pb.ListJobEventsRequest(name=NAME),
    "WatchJob": pb.WatchJobRequest(name=NAME, start_revision=1),
    "WatchJobs": pb.WatchJobsRequest(),
    "GetJobReport": pb.GetJobReportRequest(name=NAME),
    "GetOperation": lro.GetOperationRequest(name=OPERATION),
    "ListOperations": lro.ListOperationsRequest(name="operations"),
    "WaitOperation": lro.WaitOperationRequest(name=OPERATION, timeout=Duration(nanos=10_000_000)),
}
WITHOUT_FOR_ALL: Final = {"WatchJobs", "ListOperations", "GetJobReport"}
"""The feed, operations and reports show no payloads to anybody."""

STEERS: Final = ("UpdateJob", "PauseJob", "ResumeJob", "CancelJob", "RetryJob", "ResolveJob")
SUBMITS: Final = {
    *("CreateBackfill", "RunJob", "TriggerFlow", "CancelFlowInstance", "ExecuteAdhocWorkflowInstance"),
    *("CreateWorkflowInstances", "StartWorkflowInstances", "StopWorkflowInstances", "RerunWorkflowInstances"),
    *("RerunTaskInstances", "SetSuccessTaskInstances", "StopTaskInstances"),
    *("SuspendTaskInstances", "ResumeTaskInstances"),
}
"""They answer with their caller's own job, or with that of a backfill which was joined."""

ROWS: Final = {
    *("GetWorkflowInstance", "BatchGetWorkflowInstances", "ListWorkflowInstances", "WatchWorkflowInstances"),
    *("GetFlowInstance", "ListFlowInstances", "WatchFlowInstances", "ListTaskInstances", "GetTaskInstance"),
}
"""They show rows of upstream."""


def named(name: str) -> Any:
    return next(method for method in METHODS.values() if method.name == name)


def wanted(**given: Any) -> pb.CreateBackfillRequest:
    request = backfill(**given)
    request.spec.overlap = pb.OVERLAP_JOIN
    request.spec.workflow_parameters = f'{{"key": "{MARK.decode()}"}}'
    return request


@pytest.fixture
async def gated(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    rights = {"maker": ["write"], "other": ["write"], "reader": ["read"], "seer": ["read", "payloads"]}
    text = "".join(entry(name, rights=found) for name, found in rights.items())
    text += entry("near", rights=["read"], connections=[""])
    async with serving(redis_url, callers=write(tmp_path / "callers.toml", text)) as world:
        yield world


@pytest.fixture
async def job_id(gated: World) -> str:
    """A job of maker's, with payloads in its spec and in its log."""
    request = wanted(job_id="theirs")
    job = await gated.backfills.CreateBackfill(request, metadata=known("maker"))
    found = keys.job_id(job.name)
    await gated.worker.move(found, pb.JOB_STATE_RUNNING)
    run = pb.InstanceRun(workflow_instance_id=5, state=pb.RUN_STATE_FAILED)
    run.failure_digest.log_tail = MARK.decode()
    await gated.worker.append(found, pb.JobEvent(type=pb.EVENT_TYPE_RUN_CHANGED, runs=[run]))
    return found


async def answers(world: World, name: str, request: Any, who: Metadata) -> bytes:
    """All that a call is answered with, as bytes: of streams what is there by now."""
    method = named(name)
    path = f"/{method.containing_service.full_name}/{name}"
    kind = world.channel.unary_stream if method.server_streaming else world.channel.unary_unary
    call: Any = kind(path, type(request).SerializeToString, None)(request, metadata=who, timeout=20)
    if not method.server_streaming:
        return bytes(await call)
    if name == "GetJobReport":
        return b"".join([bytes(part) async for part in call])
    found = b""
    try:
        while True:
            message = pb.WatchJobResponse.FromString(await call.read())
            found += message.SerializeToString()
            if message.HasField("snapshot") or message.HasField("progress") or message.revision == 3:
                return found
    finally:
        call.cancel()


def test_every_rpc_whose_answer_can_hold_a_payload_is_tried_here() -> None:
    found = {method.name for method in registry.methods() if payload_view.holds(method.output_type)}

    plans = {"PlanBackfill", "PlanLargeBackfill"}  # which have Any in their warnings
    assert found == {*READS, *STEERS, *SUBMITS, *ROWS, *plans}


@pytest.mark.parametrize("name", READS)
async def test_payloads_are_shown_to_who_has_the_right_and_to_the_creator(gated: World, job_id: str, name: str) -> None:
    shown = {who: MARK in await answers(gated, name, READS[name], known(who)) for who in ("seer", "maker")}
    hidden = {who: MARK in await answers(gated, name, READS[name], known(who)) for who in ("reader", "other", "near")}

    assert not any(hidden.values()), hidden
    assert shown == dict.fromkeys(("seer", "maker"), name not in WITHOUT_FOR_ALL)


async def test_a_change_of_another_callers_job_does_not_show_its_payloads(gated: World, job_id: str) -> None:
    async def steered(name: str, who: str) -> bytes:
        request = request_of(named(name), connection="", job_id=job_id)
        if name == "ResolveJob":
            request.resolution, request.reason = pb.RESOLUTION_ABANDON, "tried"
        return await answers(gated, name, request, known(who))

    for name, who in (
        ("UpdateJob", "other"),
        ("PauseJob", "other"),
        ("ResumeJob", "maker"),
        ("PauseJob", "maker"),
        ("ResumeJob", "other"),
    ):
        assert (MARK in await steered(name, who)) == (who == "maker"), name
    assert MARK not in await steered("CancelJob", "other")
    await gated.worker.move(job_id, pb.JOB_STATE_NEEDS_ATTENTION)
    assert MARK not in await steered("ResolveJob", "other")
    await gated.worker.move(job_id, pb.JOB_STATE_FAILED)
    assert MARK not in await steered("RetryJob", "other")


@pytest.mark.parametrize("repeated", [False, True])
async def test_who_joins_a_job_is_not_shown_its_payloads(gated: World, job_id: str, repeated: bool) -> None:
    for _ in range(1 + repeated):
        joined = await answers(gated, "CreateBackfill", wanted(request_id="r"), known("other"))
        assert pb.Job.FromString(joined).name == NAME and MARK not in joined
    run = pb.RunJobRequest(backfill=wanted(request_id="s"))
    for _ in range(1 + repeated):
        found = await answers(gated, "RunJob", run, known("other"))
        assert NAME.encode() in found and MARK not in found


async def test_what_follows_a_join_does_not_show_them_either(gated: World, job_id: str) -> None:
    call = gated.jobs.RunJob(pb.RunJobRequest(backfill=wanted()), metadata=known("other"))
    first = await call.read()
    run = pb.InstanceRun(workflow_instance_id=6, state=pb.RUN_STATE_FAILED)
    run.failure_digest.log_tail, run.failure_digest.task_name = MARK.decode(), "load"
    await gated.worker.append(job_id, pb.JobEvent(type=pb.EVENT_TYPE_RUN_CHANGED, runs=[run]))
    second = await call.read()
    call.cancel()

    assert isinstance(first, pb.WatchJobResponse) and isinstance(second, pb.WatchJobResponse)
    assert second.event.runs[0].failure_digest.task_name == "load"
    assert MARK not in first.SerializeToString() + second.SerializeToString()


async def test_own_jobs_are_shown_whole(gated: World) -> None:
    assert MARK in await answers(gated, "CreateBackfill", wanted(request_id="r"), known("maker"))
    assert MARK in await answers(gated, "CreateBackfill", wanted(request_id="r"), known("maker"))
    assert MARK in await answers(gated, "RunJob", pb.RunJobRequest(backfill=wanted(request_id="r")), known("maker"))


async def test_an_id_that_is_used_again_shows_nothing_of_its_new_owner(gated: World, job_id: str) -> None:
    await gated.worker.finish(job_id)
    await gated.jobs.DeleteJob(pb.DeleteJobRequest(name=NAME), metadata=known("maker"))
    await gated.backfills.CreateBackfill(wanted(job_id="theirs"), metadata=known("other"))

    for name in ("GetJob", "WatchJob", "ListJobEvents"):
        request = READS[name]
        if name == "WatchJob":
            request = pb.WatchJobRequest(name=NAME)
        assert MARK not in await answers(gated, name, request, known("maker")), name


async def test_plans_and_logs_are_refused_to_who_may_only_read(gated: World) -> None:
    for name, right in (("PlanBackfill", "plan"), ("PlanLargeBackfill", "plan"), ("GetTaskInstanceLog", "payloads")):
        method = named(name)
        with pytest.raises(grpc.RpcError) as caught:
            await answers(gated, name, request_of(method, connection="", job_id=""), known("reader"))
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert permissions.RULES[method.full_name].right is Right(right)


def _kinds(kind: Descriptor, found: dict[str, Descriptor]) -> dict[str, Descriptor]:
    if kind.full_name not in found:
        found[kind.full_name] = kind
        for field in kind.fields:
            if field.message_type is not None:
                _kinds(field.message_type, found)
    return found


def test_no_field_that_sounds_like_a_payload_of_upstream_is_left_over() -> None:
    """Jobs and events have a test of their own in tests/protos."""
    kinds: dict[str, Descriptor] = {}
    for name in ROWS:
        _kinds(named(name).output_type, kinds)
    sounding = {"script", "parameters", "variables", "log", "secret", "password", "content"}
    for full_name, kind in kinds.items():
        for field in kind.fields:
            if sounding & set(field.name.split("_")):
                assert field.name in payload_view.UPSTREAM.get(full_name, ()), f"{full_name}.{field.name}"


def _filled(kind: Descriptor, make: Any) -> Any:
    message = make()
    for field in kind.fields:
        if field.name in payload_view.UPSTREAM.get(kind.full_name, ()):
            if field.type == FieldDescriptor.TYPE_STRING:
                setattr(message, field.name, MARK.decode())
            else:
                getattr(message, field.name).add().value = MARK.decode()
    return message


def test_rows_of_upstream_are_no_callers_own() -> None:
    task = _filled(pb.TaskInstance.DESCRIPTOR, pb.TaskInstance)
    flow = _filled(pb.FlowInstance.DESCRIPTOR, pb.FlowInstance)
    flow.graph.parameters, flow.flow_name = MARK.decode(), "kept"
    instance = _filled(pb.WorkflowInstance.DESCRIPTOR, pb.WorkflowInstance)
    for answer in (
        pb.ListTaskInstancesResponse(task_instances=[task]),
        pb.ListFlowInstancesResponse(flow_instances=[flow]),
        pb.WatchWorkflowInstancesResponse(workflow_instance=instance),
    ):
        assert MARK in answer.SerializeToString()
        shown = PayloadView(type(answer), "maker", own=True, one_job=False).of(answer.SerializeToString())
        assert (
            isinstance(shown, Message) and MARK not in shown.SerializeToString() and MARK in answer.SerializeToString()
        )
