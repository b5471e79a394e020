"""Callers over time: tokens that come, go and end, open streams, limits, and client certificates, on a real server."""

import asyncio
import logging
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from bench.chaos import certificates
from google.longrunning import operations_proto_pb2 as lro
from google.longrunning.operations_pb2_grpc import OperationsStub
from google.rpc import error_details_pb2

from headgate import pb
from headgate.reasons import Reason
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate_server import app
from headgate_server.auth import access_control
from headgate_server.auth.denials import MAX_SECONDS
from headgate_server.auth.stream_shares import StreamShares
from headgate_server.errors.exceptions import Refused
from headgate_server.jobs import job_counts
from headgate_server.ports.caller import UNLIMITED
from headgate_server.process import settings
from tests.server.auth.test_permissions import refused, submit
from tests.server.callers import EXPIRED, USUAL, bearer, entry, known, token_entry, token_of, write
from tests.server.requests.test_bounds import adhoc
from tests.server.rpc.test_listener import make_certificate, needs_openssl
from tests.server.world import World, detail, metadata_of, quick_settings, reason_of, serving, status_of, until

COUNT = pb.CountJobsRequest()


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_control, "LOOK_SECONDS", 0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "callers.toml")


@pytest.fixture
async def gated(redis_url: str, path: Path) -> AsyncIterator[World]:
    async with serving(redis_url, callers=path) as world:
        yield world


async def may_count(world: World, token: str) -> bool:
    try:
        await world.jobs.CountJobs(COUNT, metadata=bearer(token))
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        return False
    return True


async def test_a_token_is_rotated_while_the_server_runs(gated: World, path: Path) -> None:
    both = entry("full", token_entry("old"), token_entry("new"))
    write(path, both)
    await until(lambda: may_count(gated, "new"))
    assert await may_count(gated, "old")

    write(path, entry("full", token_entry("new")))

    async def old_is_gone() -> bool:
        return not await may_count(gated, "old")

    await until(old_is_gone)
    assert await may_count(gated, "new")


@pytest.mark.parametrize("broken", ["[callers.full\n", entry("full", rights=["rule"]), ""])
async def test_a_broken_file_leaves_the_callers_of_before(
    gated: World, path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(path, broken)
    await until(lambda: any(record.levelno == logging.ERROR for record in caplog.records))

    assert await may_count(gated, token_of("full"))
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1 and errors[0].startswith("HEADGATE_CALLERS has changed and can't be used")
    write(path, USUAL + entry("fresh"))
    await until(lambda: may_count(gated, token_of("fresh")))


async def test_a_file_that_is_gone_leaves_the_callers_of_before(
    gated: World, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(path.unlink)
    await until(lambda: any("FileNotFoundError" in record.getMessage() for record in caplog.records))

    assert await may_count(gated, token_of("full"))


async def watching(world: World, who: Any) -> Any:
    job_id = await submit(world, "full", connection="a")
    request = pb.WatchJobRequest(name=f"jobs/{job_id}")
    request.progress_interval.FromSeconds(1)
    call: Any = world.jobs.WatchJob(request, metadata=who)
    assert (await call.read()).snapshot.name == f"jobs/{job_id}"
    return call


async def end_of(call: Any) -> str:
    async with asyncio.timeout(10):
        with pytest.raises(grpc.RpcError) as caught:
            while await call.read() is not grpc.aio.EOF:
                pass
    return reason_of(caught.value)


async def test_a_stream_ends_when_its_token_is_taken_back(gated: World, path: Path) -> None:
    call = await watching(gated, known("ours"))

    write(path, entry("full"))

    assert await end_of(call) == "TOKEN_INVALID"


async def test_a_stream_ends_when_its_token_does(gated: World, path: Path) -> None:
    call = await watching(gated, known("ours"))

    write(path, entry("ours", token_entry(token_of("ours"), EXPIRED)))

    assert await end_of(call) == "TOKEN_EXPIRED"


class Stage:
    """A call without a network: what was written, by a clock that stands."""

    def __init__(self, *metadata: tuple[str, str]) -> None:
        self.metadata = metadata
        self.written: list[bytes] = []
        self.now_ms = 0

    async def write(self, message: bytes) -> None:
        self.written.append(message)

    def peer(self) -> str:
        return "test"


async def test_a_stream_gets_no_message_after_its_token_has_expired(path: Path) -> None:
    end = datetime(2027, 1, 1, tzinfo=UTC)
    write(path, entry("brief", token_entry("brief", end)))
    stage, jobs = Stage(*bearer("brief")), cast("access_control.JobLookup", None)
    read = access_control.reader(mutual=False, usual=UNLIMITED)
    guarded = access_control.AccessControl(
        path, read, jobs, lambda: stage.now_ms, StreamShares(1, lambda: 0), mutual=False
    )
    permit = guarded.guard("headgate.v1.JobService.WatchJob").permit(stage.metadata, stage)
    assert isinstance(permit, access_control.StreamPermit)
    stage.now_ms = int(end.timestamp() * 1000) - 1
    await permit.write(b"in time")

    stage.now_ms += 1

    with pytest.raises(Refused) as caught:
        await permit.write(b"too late")
    assert (caught.value.reason, stage.written) == (Reason.TOKEN_EXPIRED, [b"in time"])


async def test_a_stream_ends_when_its_caller_may_do_less(gated: World, path: Path) -> None:
    call = await watching(gated, known("ours"))

    write(path, entry("full") + entry("ours", connections=["b"]))

    assert await end_of(call) == "RIGHT_MISSING"


async def test_a_stream_goes_on_when_the_file_changes_otherwise(gated: World, path: Path) -> None:
    call = await watching(gated, known("ours"))

    write(path, USUAL + entry("fresh"))
    await until(lambda: may_count(gated, token_of("fresh")))

    async with asyncio.timeout(10):
        for _ in range(2):
            assert (await call.read()).WhichOneof("payload") == "progress"
    call.cancel()


def quota_subject(error: grpc.RpcError) -> str:
    (violation,) = detail(status_of(error), error_details_pb2.QuotaFailure).violations
    return str(violation.subject)


async def test_a_caller_has_so_many_streams_and_no_more(redis_url: str, path: Path) -> None:
    write(path, USUAL + entry("few", max_watches=2))
    async with serving(redis_url, callers=path, caller_max_watches=3) as world:
        calls = [await watching(world, known("few")) for _ in range(2)]
        others = [await watching(world, known("ours")) for _ in range(3)]

        request = pb.WatchJobsRequest()
        few: Any = world.jobs.WatchJobs(request, metadata=known("few"))
        ours: Any = world.jobs.WatchJobs(request, metadata=known("ours"))
        errors = [await refused(few.read()), await refused(ours.read())]

        assert [reason_of(error) for error in errors] == ["CALLER_LIMIT"] * 2
        assert [metadata_of(error) for error in errors] == [{"quota": "watches", "limit": limit} for limit in "23"]
        assert quota_subject(errors[0]) == "caller:few"
        assert detail(status_of(errors[0]), error_details_pb2.RetryInfo).retry_delay.seconds > 0
        calls.pop().cancel()

        async def has_room() -> bool:
            call: Any = world.jobs.WatchJobs(request, metadata=known("few"))
            try:
                await call.read()
            except grpc.RpcError as error:
                assert reason_of(error) == "CALLER_LIMIT"
                return False
            calls.append(call)
            return True

        await until(has_room)
        for call in (*calls, *others):
            call.cancel()


async def test_a_caller_is_told_its_name_and_its_limits(redis_url: str, path: Path) -> None:
    write(path, entry("few", max_watches=2))
    async with serving(redis_url, callers=path) as world:
        found = await world.admin.GetServerInfo(pb.GetServerInfoRequest(), metadata=known("few"))

    assert found.caller == "few"
    usual = settings.load().caller_limits()
    assert found.caller_limits == pb.CallerLimits(**asdict(replace(usual, max_watches=2)))


async def test_who_has_no_limits_is_told_so(world: World) -> None:
    found = await world.admin.GetServerInfo(pb.GetServerInfoRequest())

    assert (found.caller, found.HasField("caller_limits")) == ("anonymous", True)
    assert found.caller_limits == pb.CallerLimits()


async def test_calls_that_wait_count_as_streams_and_a_hang_up_frees_them(redis_url: str, path: Path) -> None:
    write(path, USUAL + entry("few", max_watches=2))
    async with serving(redis_url, callers=path) as world:
        job_id = await submit(world, "full", connection="a")
        poll = pb.ListJobEventsRequest(name=f"jobs/{job_id}", start_revision=2)
        waits = pb.ListJobEventsRequest(name=poll.name, start_revision=2)
        waits.wait.FromSeconds(20)
        operation = lro.WaitOperationRequest(name=f"operations/{job_id}")
        operation.timeout.FromSeconds(20)
        operations: Any = OperationsStub(world.channel)
        calls: list[Any] = [
            world.jobs.ListJobEvents(waits, metadata=known("few"), timeout=30),
            operations.WaitOperation(operation, metadata=known("few"), timeout=30),
        ]

        async def is_full() -> bool:
            call: Any = world.jobs.WatchJobs(pb.WatchJobsRequest(), metadata=known("few"))
            try:
                await asyncio.wait_for(call.read(), 5)
            except grpc.RpcError as error:
                return reason_of(error) == "CALLER_LIMIT"
            finally:
                call.cancel()
            return False

        await until(is_full)
        assert reason_of(await refused(world.jobs.ListJobEvents(waits, metadata=known("few")))) == "CALLER_LIMIT"
        await world.jobs.ListJobEvents(poll, metadata=known("few"))
        others: Any = world.jobs.ListJobEvents(waits, metadata=known("full"))
        for call in calls:
            call.cancel()

        async def is_free() -> bool:
            return not await is_full()

        await until(is_free)
        others.cancel()


async def test_a_caller_may_call_so_often_and_others_go_on(redis_url: str, path: Path) -> None:
    write(path, USUAL + entry("busy", calls_per_second=0.01))
    async with serving(redis_url, callers=path) as world:
        await world.jobs.CountJobs(COUNT, metadata=known("busy"))
        error = await refused(world.jobs.CountJobs(COUNT, metadata=known("busy")))

        assert (error.code(), reason_of(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_LIMIT")
        assert metadata_of(error) == {"quota": "calls_per_second", "limit": "0.01"}
        assert quota_subject(error) == "caller:busy"
        assert 90 < detail(status_of(error), error_details_pb2.RetryInfo).retry_delay.seconds <= 100
        for _ in range(20):
            await world.jobs.CountJobs(COUNT, metadata=known("full"))


async def test_a_large_request_counts_as_several_calls(redis_url: str, path: Path) -> None:
    write(path, USUAL + entry("busy", calls_per_second=20.0))
    async with serving(redis_url, callers=path) as world:
        large = adhoc(40 * 4_096)
        await world.instances.ExecuteAdhocWorkflowInstance(large, metadata=known("busy"))
        error = await refused(world.jobs.CountJobs(COUNT, metadata=known("busy")))

        assert metadata_of(error) == {"quota": "calls_per_second", "limit": "20"}
        retry = detail(status_of(error), error_details_pb2.RetryInfo).retry_delay
        assert 500 < retry.ToMilliseconds() <= 1_200, "40 calls more than the 19 that were left, at 20 a second"
        await world.instances.ExecuteAdhocWorkflowInstance(adhoc(40 * 4_096), metadata=known("full"))


async def test_a_rate_next_to_nothing_is_told_as_a_limit(redis_url: str, path: Path) -> None:
    write(path, entry("rare", calls_per_second=1e-300))
    async with serving(redis_url, callers=path) as world:
        await world.jobs.CountJobs(COUNT, metadata=known("rare"))
        error = await refused(world.jobs.CountJobs(COUNT, metadata=known("rare")))

    assert detail(status_of(error), error_details_pb2.RetryInfo).retry_delay.seconds == MAX_SECONDS


async def test_without_a_file_everyone_is_anonymous_and_no_token_is_looked_at(world: World) -> None:
    job_id = await world.submit()

    assert (await world.worker.load(job_id)).creator == "anonymous"
    await world.jobs.CountJobs(COUNT, metadata=bearer("whatever"))


async def test_counts_of_a_caller_are_right_when_little_is_kept(gated: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_counts, "CHUNK", 2)
    monkeypatch.setattr(job_counts, "MAX_KEPT", 3)
    for number in range(7):
        await submit(gated, "full", connection="ab"[number % 2])

    for _ in range(2):
        found = await gated.jobs.CountJobs(COUNT, metadata=known("ours"))
        assert [row.count for row in found.counts] == [4]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates.make(tmp_path)
    return tmp_path


async def counted(address: str, folder: Path, name: str, who: Any) -> str:
    chain, key, roots = ((folder / file).read_bytes() for file in (f"{name}.pem", f"{name}.key", "authority.pem"))
    credentials = grpc.ssl_channel_credentials(roots, key, chain)
    async with grpc.aio.secure_channel(address, credentials) as channel:
        try:
            await JobServiceStub(channel).CountJobs(COUNT, metadata=who, timeout=10)
        except grpc.RpcError as error:
            return reason_of(error)
    return "OK"


async def test_a_client_certificate_names_a_caller_unless_a_token_does(redis_url: str, folder: Path) -> None:
    path = write(folder / "callers.toml", USUAL + entry("robot", certificates=["client"]))
    tls = {
        "tls_cert": folder / "server.pem",
        "tls_key": folder / "server.key",
        "tls_client_ca": folder / "authority.pem",
    }
    async with app.running(quick_settings(redis_url, callers=path, **tls)) as server:
        address = f"127.0.0.1:{server.grpc_port}"

        assert await counted(address, folder, "client", ()) == "OK"
        assert await counted(address, folder, "server", ()) == "TOKEN_MISSING"
        assert await counted(address, folder, "server", known("full")) == "OK"
        assert await counted(address, folder, "client", bearer("nonsense")) == "TOKEN_INVALID"


@needs_openssl
async def test_a_dns_name_of_a_certificate_names_a_caller(redis_url: str, tmp_path: Path) -> None:
    names = ["-subj", "/CN=nobody", "-addext", "subjectAltName=DNS:robot.example,IP:127.0.0.1,URI:spiffe://full"]
    make_certificate(tmp_path, names)
    for name in ("client", "authority"):
        shutil.copy(tmp_path / "cert.pem", tmp_path / f"{name}.pem")
    shutil.copy(tmp_path / "key.pem", tmp_path / "client.key")
    path = write(tmp_path / "callers.toml", entry("robot", certificates=["robot.example"]))
    tls = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem", "tls_client_ca": tmp_path / "cert.pem"}
    async with app.running(quick_settings(redis_url, callers=path, **tls)) as server:
        assert await counted(f"127.0.0.1:{server.grpc_port}", tmp_path, "client", ()) == "OK"


async def test_a_process_does_not_start_on_a_broken_file(clean_environment: dict[str, str], path: Path) -> None:
    secret = "hg_pastedbymistake"
    write(path, entry("etl", f'{{sha256 = "{secret}"}}'))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate_server"),
        stderr=asyncio.subprocess.PIPE,
        env={**clean_environment, "HEADGATE_CALLERS": str(path)},
    )

    _, said = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 2
    assert said.decode().startswith("headgate server: HEADGATE_CALLERS: callers.etl.tokens.0.sha256: ")
    assert secret not in said.decode()
