"""Every RPC, made by every kind of caller, on a real server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import ClientSession
from google.longrunning import operations_grpc_pb2
from google.longrunning import operations_proto_pb2 as lro
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis.asyncio import Redis

from headgate import pb
from headgate.process.caller_rules import MAX_TOKEN
from headgate.store import keys
from headgate_server.auth import permissions
from headgate_server.ports.caller import Right
from headgate_server.rpc import registry
from tests.server.callers import METHODS, bearer, known, outcome, request_of, status_and_details, token_of, write
from tests.server.rpc.test_listener import list_services
from tests.server.world import World, backfill, metadata_of, reason_of, serving, status_of

DENIED = {"TOKEN_MISSING", "TOKEN_INVALID", "TOKEN_EXPIRED", "RIGHT_MISSING", "CONNECTION_DENIED", "JOB_DENIED"}
NAMED = {permissions.Scope.JOB, permissions.Scope.OPERATION}
EVERY = pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)


@pytest.fixture
async def gated(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(redis_url, callers=write(tmp_path / "callers.toml"), read_timeout=0.3) as world:
        yield world


async def submit(world: World, who: str, **given: Any) -> str:
    job = await world.backfills.CreateBackfill(backfill(**given), metadata=known(who))
    return keys.job_id(job.name)


async def refused(call: Awaitable[Any]) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return caught.value


def test_every_rpc_has_a_rule_and_a_field_that_goes_with_it() -> None:
    assert set(permissions.RULES) == {method.full_name for method in registry.methods()}
    for method in registry.methods():
        fields, scope = method.input_type.fields_by_name, permissions.RULES[method.full_name].scope
        assert ("connection" in fields) == (scope is permissions.Scope.CONNECTION), method.full_name
        if method.containing_service.name == "JobService":
            assert ("name" in fields or "job" in fields) == (scope is permissions.Scope.JOB), method.full_name


def test_what_changes_something_needs_the_right_to_write() -> None:
    """Told by the names, so that a method of tomorrow is not open to readers by mistake."""
    harmless = ("Get", "BatchGet", "List", "Count", "Watch", "Explain", "Plan", "Wait", "Check")

    for method in registry.methods():
        reads = method.name.startswith(harmless)
        assert (permissions.RULES[method.full_name].right is not Right.WRITE) == reads, method.full_name


def test_plans_and_logs_need_rights_of_their_own() -> None:
    rights = {method.name: permissions.RULES[method.full_name].right for method in registry.methods()}

    assert {name for name, right in rights.items() if right is Right.PLAN} == {"PlanBackfill", "PlanLargeBackfill"}
    assert {name for name, right in rights.items() if right is Right.PAYLOADS} == {
        name for name in rights if name.startswith("Get") and name.endswith("Log")
    }


@EVERY
async def test_no_call_is_let_in_without_a_token_that_holds(gated: World, method: MethodDescriptor) -> None:
    request = request_of(method, connection="a", job_id="none")
    malformed = (
        "",
        "Bearer",
        "Bearer ",
        f"Basic {token_of('full')}",
        token_of("full"),
        "Bearer " + "x" * MAX_TOKEN * 2,
    )

    assert await outcome(gated.channel, method, request, ()) == "TOKEN_MISSING"
    assert await outcome(gated.channel, method, request, bearer("nonsense")) == "TOKEN_INVALID"
    assert await outcome(gated.channel, method, request, known("late")) == "TOKEN_EXPIRED"
    for value in malformed:
        assert await outcome(gated.channel, method, request, (("authorization", value),)) == "TOKEN_INVALID"
    twice = (*known("full"), *known("full"))
    assert await outcome(gated.channel, method, request, twice) == "TOKEN_INVALID"


@EVERY
async def test_a_reader_may_read_and_a_full_caller_may_do_all(gated: World, method: MethodDescriptor) -> None:
    job_id = await submit(gated, "full", connection="b")
    request = request_of(method, connection="b", job_id=job_id)

    reads = permissions.RULES[method.full_name].right is Right.READ
    found = await outcome(gated.channel, method, request, known("reader"))
    assert found not in DENIED if reads else found == "RIGHT_MISSING"
    assert await outcome(gated.channel, method, request, known("full")) not in DENIED


@EVERY
async def test_a_caller_of_some_connections_stays_on_them(gated: World, method: MethodDescriptor) -> None:
    theirs, own = await submit(gated, "full", connection="b"), await submit(gated, "full", connection="a")
    scope = permissions.RULES[method.full_name].scope
    denied = "JOB_DENIED" if scope in NAMED else "CONNECTION_DENIED"
    tied = scope in NAMED or scope in (permissions.Scope.CONNECTION, permissions.Scope.CARRIED)

    abroad = request_of(method, connection="b", job_id=theirs)
    at_home = request_of(method, connection="a", job_id=own)

    assert (await outcome(gated.channel, method, abroad, known("ours")) == denied) == tied
    assert await outcome(gated.channel, method, at_home, known("ours")) not in DENIED
    if tied:
        assert pb.Job.FromString((await gated.worker.load(theirs)).SerializeToString()).revision == 1


@pytest.mark.parametrize(
    "method",
    [method for name, method in METHODS.items() if permissions.RULES[name].scope in NAMED],
    ids=lambda m: m.name,
)
async def test_a_name_tells_nothing_of_jobs_elsewhere(gated: World, method: MethodDescriptor) -> None:
    await submit(gated, "full", connection="b", job_id="theirs")
    answers = []
    for job_id in ("theirs", "nobody"):
        request = request_of(method, connection="", job_id=job_id)
        error = await status_and_details(gated.channel, method, request, known("ours"))
        found = status_of(error)
        text = found.SerializeToString().replace(job_id.encode(), b"X" * 6)
        answers.append((error.code(), error.details().replace(job_id, "X" * 6), text))

    assert answers[0] == answers[1]
    assert answers[0][0] is grpc.StatusCode.PERMISSION_DENIED


async def commands(redis: Redis) -> dict[str, int]:
    """How often each command that reads or runs a script has run; probes of health write."""
    found = await redis.info("commandstats")
    names = ("evalsha", "eval", "hmget", "hget", "hgetall", "get", "mget", "lindex", "lrange", "llen", "exists")
    return {name: found.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in names}


@pytest.mark.parametrize("method", ["GetJob", "CancelJob", "WatchJob", "DeleteJob", "ListJobEvents"])
async def test_a_denial_takes_as_many_steps_for_a_job_elsewhere_as_for_none(gated: World, method: str) -> None:
    await submit(gated, "full", connection="b", job_id="large", options=pb.JobOptions(labels={"a": "b"}))
    for _ in range(50):
        await gated.worker.say("large", "x" * 1_000)
    found = METHODS[f"headgate.v1.JobService.{method}"]
    taken = []
    for job_id in ("nobody", "large", "nobody", "large"):
        before = await commands(gated.redis)
        request = request_of(found, connection="", job_id=job_id)
        assert await outcome(gated.channel, found, request, known("ours")) == "JOB_DENIED"
        after = await commands(gated.redis)
        taken.append({name: after[name] - before[name] for name in after})

    assert taken[2] == taken[3] and sum(taken[3].values()) == 2, "one script, which reads once"


@pytest.mark.parametrize("began", [False, True])
async def test_a_job_of_an_earlier_version_is_denied_by_what_it_says_itself(gated: World, began: bool) -> None:
    for job_id, connection in (("theirs", "b"), ("own", "a")):
        await submit(gated, "full", connection=connection, job_id=job_id)
        if began:
            await gated.worker.say(job_id)
        await gated.redis.hdel(keys.job(job_id), "uid", "conn")  # type: ignore[misc]

    assert (await gated.jobs.GetJob(pb.GetJobRequest(name="jobs/own"), metadata=known("ours"))).connection == "a"
    denied = gated.jobs.GetJob(pb.GetJobRequest(name="jobs/theirs"), metadata=known("ours"))
    assert reason_of(await refused(denied)) == "JOB_DENIED"


async def test_a_name_that_is_none_is_told_as_such(gated: World) -> None:
    error = await refused(gated.jobs.GetJob(pb.GetJobRequest(name="jobs/NO"), metadata=known("ours")))

    assert reason_of(error) == "FIELD_INVALID"


async def test_a_job_that_is_not_there_is_denied_to_readers_before_it_is_missed(gated: World) -> None:
    request = pb.CancelJobRequest(name="jobs/nobody")

    assert reason_of(await refused(gated.jobs.CancelJob(request, metadata=known("reader")))) == "RIGHT_MISSING"
    assert reason_of(await refused(gated.jobs.CancelJob(request, metadata=known("full")))) == "JOB_UNKNOWN"


async def test_lists_and_counts_show_the_callers_own_connections(gated: World) -> None:
    await submit(gated, "full", connection="b", job_id="theirs")
    for job_id, connection in (("one", "a"), ("two", ""), ("three", "a")):
        await submit(gated, "full", connection=connection, job_id=job_id)
    await gated.worker.finish("three")
    who = known("ours")

    listed = await gated.jobs.ListJobs(pb.ListJobsRequest(), metadata=who)
    filtered = await gated.jobs.ListJobs(pb.ListJobsRequest(filter='connection = "b" OR state = QUEUED'), metadata=who)
    operations = await operations_grpc_pb2.OperationsStub(gated.channel).ListOperations(
        lro.ListOperationsRequest(), metadata=who
    )
    counted = [await gated.jobs.CountJobs(pb.CountJobsRequest(), metadata=who) for _ in range(2)]

    assert [job.name for job in listed.jobs] == ["jobs/three", "jobs/two", "jobs/one"]
    assert [job.name for job in filtered.jobs] == ["jobs/two", "jobs/one"]
    assert [row.name for row in operations.operations] == ["operations/three", "operations/two", "operations/one"]
    for found in counted:
        assert {row.state: row.count for row in found.counts} == {
            pb.JOB_STATE_QUEUED: 2,
            pb.JOB_STATE_SUCCEEDED: 1,
        }


async def test_the_feed_shows_the_callers_own_connections(gated: World) -> None:
    await submit(gated, "full", connection="b", job_id="theirs")
    await submit(gated, "full", connection="a", job_id="own")
    call: Any = gated.jobs.WatchJobs(pb.WatchJobsRequest(), metadata=known("ours"))
    first = await call.read()
    await gated.worker.say("theirs")
    await submit(gated, "full", connection="b", job_id="theirs-too")
    await gated.worker.say("own")

    heard: list[pb.WatchJobResponse] = []
    async with asyncio.timeout(10):
        while not (heard and heard[-1].revision == 2):
            message = await call.read()
            heard += [message] if message.job else []

    call.cancel()
    assert first.job == "jobs/own"
    assert {message.job for message in heard} == {"jobs/own"}


async def test_who_did_it_stands_in_job_and_log(gated: World) -> None:
    job = await gated.backfills.CreateBackfill(backfill(connection="a"), metadata=known("ours"))
    await gated.jobs.PauseJob(pb.PauseJobRequest(name=job.name), metadata=known("full"))
    after = await gated.jobs.CancelJob(pb.CancelJobRequest(name=job.name), metadata=known("ours"))

    log = await gated.jobs.ListJobEvents(pb.ListJobEventsRequest(name=job.name), metadata=known("reader"))
    assert job.creator == "ours"
    assert [event.actor for event in log.job_events] == ["ours", "full", "ours"]
    assert after.cancel.actor == "ours"


async def test_a_request_id_is_its_callers_own(gated: World) -> None:
    mine = await submit(gated, "full", request_id="r", connection="a")

    theirs = await submit(gated, "ours", request_id="r", connection="a")
    again = await submit(gated, "full", request_id="r", connection="a")

    assert mine == again != theirs


async def test_a_request_id_of_a_change_is_its_callers_own(gated: World) -> None:
    job_id = await submit(gated, "full", connection="a")
    await gated.worker.move(job_id, pb.JOB_STATE_RUNNING)
    await gated.worker.move(job_id, pb.JOB_STATE_FAILED)
    request = pb.RetryJobRequest(name=keys.job_name(job_id), request_id="r")
    first = await gated.jobs.RetryJob(request, metadata=known("full"))

    again = await gated.jobs.RetryJob(request, metadata=known("full"))
    error = await refused(gated.jobs.RetryJob(request, metadata=known("ours")))

    assert first.revision == again.revision
    assert reason_of(error) == "STATE_CONFLICT", "the other caller's repeat was taken for its own"


@pytest.mark.parametrize("validate_only", [False, True])
async def test_of_a_job_elsewhere_that_has_an_id_nothing_else_is_told(gated: World, validate_only: bool) -> None:
    await submit(gated, "full", connection="b", job_id="taken")
    wanted = {"job_id": "taken", "connection": "a", "validate_only": validate_only}

    error = await refused(submit(gated, "ours", **wanted))
    full = await refused(submit(gated, "full", **wanted))

    assert (reason_of(error), metadata_of(error)) == ("JOB_EXISTS", {"job": "jobs/taken", "state": ""})
    assert metadata_of(full)["state"] == "QUEUED"


async def test_an_ordinary_submit_may_be_repeated_and_run_by_a_caller_of_its_connection(gated: World) -> None:
    run = pb.RunJobRequest(backfill=backfill(connection="a", job_id="run"))
    call: Any = gated.jobs.RunJob(run, metadata=known("ours"))

    first = await call.read()

    call.cancel()
    assert first.job == "jobs/run"


async def test_health_and_reflection_need_no_right(gated: World) -> None:
    health = health_pb2_grpc.HealthStub(gated.channel)
    found = await health.Check(health_pb2.HealthCheckRequest(), metadata=bearer("nonsense"))

    assert found.status == health_pb2.HealthCheckResponse.SERVING
    assert "headgate.v1.JobService" in await list_services(gated)


async def test_neither_logs_nor_errors_nor_metrics_hold_a_token(gated: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "hg_wrongwrongwrongwrongwrongwrongwrongwrongwro"
    said = []
    for who in (bearer(wrong), known("late"), known("reader"), known("ours"), known("full")):
        for name in ("CancelJob", "GetJob", "WatchJob"):
            method = METHODS[f"headgate.v1.JobService.{name}"]
            request = request_of(method, connection="", job_id="nobody")
            error = await status_and_details(gated.channel, method, request, who)
            said.append(str(error) + str(status_of(error)))
    async with ClientSession() as session, session.get(f"{gated.ops}/metrics") as page:
        said.append(await page.text())

    text = "\n".join([*said, *(record.getMessage() for record in caplog.records)])
    for token in (wrong, *map(token_of, ("late", "reader", "ours", "full"))):
        assert token not in text


async def test_the_access_log_names_the_caller(gated: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await refused(gated.jobs.GetJob(pb.GetJobRequest(name="jobs/nobody"), metadata=known("reader")))

    lines = [record.getMessage() for record in caplog.records if record.name == "headgate_server.access"]
    assert any(line.startswith("headgate.v1.JobService.GetJob NOT_FOUND reader ") for line in lines)


async def test_refusals_are_counted_and_logged_a_few_times_only(gated: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    request = pb.GetJobRequest(name="jobs/nobody")
    await asyncio.gather(*(refused(gated.jobs.GetJob(request, metadata=bearer("no"))) for _ in range(200)))

    async with ClientSession() as session, session.get(f"{gated.ops}/metrics") as page:
        metrics = await page.text()
    assert 'headgate_rpc_total{code="UNAUTHENTICATED",method="headgate.v1.JobService.GetJob"} 200.0' in metrics
    assert 1 <= len([record for record in caplog.records if record.levelno >= logging.INFO]) <= 5
    assert not [record for record in caplog.records if record.exc_info]


async def test_failures_of_a_known_caller_are_logged_a_few_times_only(
    gated: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    request = pb.GetJobRequest(name="jobs/nobody")
    for _ in range(20):
        await asyncio.gather(*(refused(gated.jobs.GetJob(request, metadata=known("reader"))) for _ in range(20)))

    assert 1 <= len([record for record in caplog.records if record.levelno >= logging.INFO]) <= 20


async def test_nothing_is_parsed_for_who_may_not_call(gated: World) -> None:
    raw: Any = gated.channel.unary_unary("/headgate.v1.JobService/GetJob", None, None)

    assert reason_of(await refused(raw(b"\xff", metadata=bearer("no")))) == "TOKEN_INVALID"
    assert reason_of(await refused(raw(b"\xff", metadata=known("full")))) == "MESSAGE_MALFORMED"
