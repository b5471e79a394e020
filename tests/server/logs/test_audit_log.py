"""Every call that writes leaves one line, and one record in the store when it has changed something."""

import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_grpc_pb2
from google.longrunning import operations_proto_pb2 as lro
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from headgate import pb
from headgate.backfill import dates
from headgate.store import audit, keys
from headgate_server.auth import permissions
from headgate_server.logs import audit_log
from headgate_server.logs.audit_log import Audited, value
from headgate_server.ports.caller import Right
from headgate_server.requests import operation_names
from tests.server.callers import METHODS, entry, known, outcome, request_of, write
from tests.server.scenarios.test_overlap_join import wanting
from tests.server.world import DAY, World, backfill, serving, until

WRITES = [method for name, method in METHODS.items() if permissions.RULES[name].right is Right.WRITE]
STATES = {
    "CancelJob": (),
    "CancelOperation": (),
    "PauseJob": (pb.JOB_STATE_RUNNING,),
    "ResumeJob": (pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED),
    "UpdateJob": (),
    "RetryJob": (pb.JOB_STATE_RUNNING, pb.JOB_STATE_FAILED),
    "ResolveJob": (pb.JOB_STATE_RUNNING, pb.JOB_STATE_NEEDS_ATTENTION),
    "DeleteJob": (pb.JOB_STATE_RUNNING, pb.JOB_STATE_SUCCEEDED),
    "DeleteOperation": (pb.JOB_STATE_RUNNING, pb.JOB_STATE_SUCCEEDED),
}
"""How a job comes to where each method that names one may change it. A new method has to be added here."""

SECRET = "hunter2-in-a-script"


TASK = pb.AdhocTask(
    client_unique_code="1", name="one", type="ODPS_SQL", owner="me", resource_group_id="g", script_content=SECRET
)
SPECS: dict[str, Any] = {
    "StartWorkflowInstances": {"ids": [5]},
    "StopWorkflowInstances": {"ids": [5]},
    "RerunWorkflowInstances": {"project_id": 1, "workflow_id": 1, "ids": [5]},
    "ExecuteAdhocWorkflowInstance": {
        "project_id": 1,
        "env_type": pb.ENV_TYPE_DEV,
        "name": "adhoc",
        "owner": "me",
        "biz_date": dates.to_message(DAY),
        "tasks": [TASK],
    },
    "TriggerFlow": {"flow_id": 7},
    "RerunTaskInstances": {"ids": [5]},
    "SetSuccessTaskInstances": {"ids": [5]},
    "StopTaskInstances": {"ids": [5]},
    "SuspendTaskInstances": {"ids": [5]},
    "ResumeTaskInstances": {"ids": [5]},
    "CancelFlowInstance": {"flow_instance_id": "2809-20190808093200"},
}
"""What methods ask for that take no backfill and name no job."""


def good_request(method: MethodDescriptor) -> Any:
    """A request that succeeds: about the job "x", or one that makes a job on connection "a"."""
    request: Any = request_of(method, connection="a", job_id="x")
    source = backfill(connection="a")
    if method.name == "CreateBackfill":
        return source
    if method.name == "RunJob":
        request.backfill.CopyFrom(source)
    elif method.name == "CreateWorkflowInstances":
        members: dict[str, Any] = {"project_id": 1, "name": "n", "type": pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA}
        request.spec.MergeFrom(pb.CreateWorkflowInstancesSpec(**members))
        request.spec.periods.biz_dates.extend(source.spec.biz_dates)
        request.spec.default_run_properties.CopyFrom(source.spec.default_run_properties)
    elif method.name == "ResolveJob":
        request.resolution, request.reason = pb.RESOLUTION_ABANDON, SECRET
    elif method.name in SPECS:
        request.spec.MergeFrom(type(request.spec)(**SPECS[method.name]))
    return request


@pytest.fixture
async def gated(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    text = entry("alice", connections=["a"]) + entry("full") + entry("reader", rights=["read"])
    async with serving(redis_url, callers=write(tmp_path / "callers.toml", text)) as world:
        yield world


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """The lines when there are so many; an error is sent before its line is written."""
    caplog.set_level(logging.INFO, logger="headgate_server.audit")

    def found() -> list[dict[str, str]]:
        messages = [record.getMessage() for record in caplog.records if record.name == "headgate_server.audit"]
        return [read_line(message) for message in messages]

    async def awaited(count: int) -> list[dict[str, str]]:
        await until(lambda: len(found()) >= count)
        assert len(found()) == count
        return found()

    return awaited


def read_line(line: str) -> dict[str, str]:
    """The values of a line, read as a program would."""
    found = re.findall(r'([a-z]+)=("(?:[^"\\]|\\.)*"|[^\s"]+)(?: |\Z)', line)
    assert "".join(f"{name}={text} " for name, text in found).rstrip() == line
    return {name: json.loads(text) if text.startswith('"') else text for name, text in found}


async def records(world: World) -> list[dict[str, str]]:
    found = await world.redis.xrange(keys.AUDIT)
    return [{name.decode(): text.decode() for name, text in fields.items()} for _, fields in found]


async def prepared(world: World, method: str, *, connection: str = "a") -> None:
    """The job "x" where the method may change it; what was noted of it so far is dropped."""
    if method in STATES:
        await world.backfills.CreateBackfill(backfill(job_id="x", connection=connection), metadata=known("full"))
        for state in STATES[method]:
            await world.worker.move("x", state)
    await world.redis.delete(keys.AUDIT)


@pytest.mark.parametrize("method", WRITES, ids=lambda method: method.name)
async def test_a_write_leaves_one_line_and_one_record(
    gated: World, lines: Any, caplog: pytest.LogCaptureFixture, method: MethodDescriptor
) -> None:
    assert (permissions.RULES[method.full_name].scope in (permissions.Scope.JOB, permissions.Scope.OPERATION)) == (
        method.name in STATES
    )
    await prepared(gated, method.name)
    caplog.clear()

    assert await outcome(gated.channel, method, good_request(method), known("alice")) == "OK"

    (line,), (record,) = await lines(1), await records(gated)
    assert (line["actor"], line["method"], line["connection"]) == ("alice", method.full_name, "a")
    assert (line["outcome"], line["changed"]) == ("OK", "yes")
    assert line["peer"].startswith("ipv4:127.0.0.1:") and re.fullmatch("[0-9a-f]{16}", line["uid"])
    assert set(record) == set(audit.FIELDS)
    for name in ("actor", "method", "job", "uid", "connection", "peer"):
        assert record[name] == line[name], name
    assert int(record["revision"]) >= 1
    assert SECRET not in str(record) and SECRET not in caplog.text


@pytest.mark.parametrize("method", WRITES, ids=lambda method: method.name)
async def test_a_write_that_is_denied_leaves_one_line_and_no_record(
    gated: World, lines: Any, caplog: pytest.LogCaptureFixture, method: MethodDescriptor
) -> None:
    await prepared(gated, method.name, connection="b")
    abroad = request_of(method, connection="b", job_id="x")
    for who, reason in ((known("reader"), "RIGHT_MISSING"), (known("alice"), ""), ((), "TOKEN_MISSING")):
        caplog.clear()
        found = await outcome(gated.channel, method, abroad, who)

        (line,) = await lines(1)
        assert found in (reason, "CONNECTION_DENIED", "JOB_DENIED")
        assert (line["method"], line["reason"], line["changed"]) == (method.full_name, found, "no")
        assert line["outcome"] in ("PERMISSION_DENIED", "UNAUTHENTICATED")
        assert line["uid"] == ""
        assert line["job"] == ("jobs/x" if found == "JOB_DENIED" else "")
    assert await records(gated) == []


@pytest.mark.parametrize("method", WRITES, ids=lambda method: method.name)
async def test_a_write_that_breaks_a_rule_leaves_one_line(world: World, lines: Any, method: MethodDescriptor) -> None:
    empty = GetMessageClass(method.input_type)()

    assert await outcome(world.channel, method, empty, ()) != "OK"

    (line,) = await lines(1)
    assert (line["actor"], line["outcome"], line["changed"]) == ("anonymous", "INVALID_ARGUMENT", "no")


async def test_reads_leave_none(world: World, lines: Any) -> None:
    await prepared(world, "")
    for name, method in METHODS.items():
        if permissions.RULES[name].right is Right.READ:
            await outcome(world.channel, method, request_of(method, connection="", job_id="nobody"), ())

    assert (await lines(0), await records(world)) == ([], [])


async def test_a_conflict_names_the_job_and_leaves_no_record(world: World, lines: Any) -> None:
    await prepared(world, "CancelJob")
    job = await world.worker.load("x")
    with pytest.raises(grpc.RpcError):
        await world.jobs.DeleteJob(pb.DeleteJobRequest(name="jobs/x"))

    line = (await lines(2))[-1]
    assert (line["outcome"], line["reason"]) == ("FAILED_PRECONDITION", "STATE_CONFLICT")
    assert (line["job"], line["uid"], line["connection"]) == ("jobs/x", job.uid, "a")
    assert await records(world) == []


async def test_what_changes_nothing_says_so(world: World, lines: Any) -> None:
    request = backfill(job_id="x", request_id="r")
    for given in (request, request, backfill(job_id="y", validate_only=True)):
        await world.backfills.CreateBackfill(given)
    for _ in range(2):
        await world.jobs.CancelJob(pb.CancelJobRequest(name="jobs/x"))

    assert [line["changed"] for line in await lines(5)] == ["yes", "no", "no", "yes", "no"]
    assert {line["outcome"] for line in await lines(5)} == {"OK"}
    assert [record["method"].rpartition(".")[2] for record in await records(world)] == ["CreateBackfill", "CancelJob"]


async def test_who_joins_is_recorded_with_the_job_that_is_joined(world: World, lines: Any) -> None:
    first = await world.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT))
    await world.backfills.CreateBackfill(wanting(2))

    assert [line["job"] for line in await lines(2)] == [first.name] * 2
    assert [(record["job"], record["uid"]) for record in await records(world)] == [(first.name, first.uid)] * 2


async def test_records_outlive_the_job_and_workers_leave_none(world: World) -> None:
    job = await world.backfills.CreateBackfill(backfill(job_id="x"))
    await world.worker.finish("x")
    operations = operations_grpc_pb2.OperationsStub(world.channel)
    await operations.DeleteOperation(lro.DeleteOperationRequest(name=operation_names.operation_name("x")))

    assert await world.redis.exists(keys.job("x")) == 0
    found = [(record["method"], record["uid"], record["revision"]) for record in await records(world)]
    assert found == [
        ("headgate.v1.BackfillService.CreateBackfill", job.uid, "1"),
        ("google.longrunning.Operations.DeleteOperation", job.uid, "3"),
    ]


async def test_a_change_is_made_even_where_it_cant_be_recorded(world: World) -> None:
    await world.redis.set(keys.AUDIT, "somebody's own")

    assert (await world.backfills.CreateBackfill(backfill())).revision == 1


async def test_the_line_of_run_job_comes_with_its_submit(world: World, lines: Any) -> None:
    call: Any = world.jobs.RunJob(pb.RunJobRequest(backfill=backfill(job_id="x")))
    await call.read()

    assert [(line["job"], line["outcome"], line["changed"]) for line in await lines(1)] == [("jobs/x", "OK", "yes")]
    call.cancel()


async def test_content_forges_no_line_and_adds_no_value(world: World, lines: Any) -> None:
    forged = "jobs/x\nactor=root outcome=OK changed=yes"
    for name in (forged, 'jobs/x" outcome=OK actor="root', "jobs/x\u2028outcome=OK", "\x1b[2J", "x" * 10_000):
        with pytest.raises(grpc.RpcError):
            await world.jobs.CancelJob(pb.CancelJobRequest(name=name))

    for line in await lines(5):
        assert (line["actor"], line["outcome"], len(line["job"]) <= audit_log.MAX_CHARS) == (
            "anonymous",
            "INVALID_ARGUMENT",
            True,
        )


@pytest.mark.parametrize("text", ["", " ", "a b", 'a"b', "a=b", "a\nb", "ä", "x" * 129, "a\\b"])
def test_a_value_that_is_more_than_plain_stands_in_quotes(text: str) -> None:
    written = value(text)

    assert json.loads(written) == text[: audit_log.MAX_CHARS]
    assert written.isascii() and "\n" not in written


def test_a_flood_of_refused_calls_has_few_lines_and_one_of_success_has_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="headgate_server.audit")
    origin = audit.Origin("alice", "headgate.v1.JobService.CancelJob", "ipv4:127.0.0.1:1")
    for code in ("NOT_FOUND", "OK"):
        for _ in range(1_000):
            Audited(origin).tell(code)

    outcomes = [read_line(record.getMessage())["outcome"] for record in caplog.records]
    assert outcomes.count("OK") == 1_000
    assert 1 <= outcomes.count("NOT_FOUND") <= 50
