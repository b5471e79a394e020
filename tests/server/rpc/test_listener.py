"""The gRPC port: TLS, client certificates, reflection, limits."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate_server import app
from headgate_server.requests.unbuilt import UNBUILT
from headgate_server.rpc import listener
from tests.server.world import World, quick_settings, serving

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make certificates with")


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A self-signed certificate for localhost, which is its own authority."""
    make_certificate(tmp_path, ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
    return tmp_path


def make_certificate(folder: Path, names: Sequence[str]) -> None:
    """Write cert.pem and key.pem: a certificate of these names, its own authority."""
    out = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *out]
    subprocess.run(command, check=True, capture_output=True)


@asynccontextmanager
async def secure(redis_url: str, folder: Path, *, mutual: bool) -> AsyncIterator[str]:
    files = {"tls_cert": folder / "cert.pem", "tls_key": folder / "key.pem"}
    if mutual:
        files["tls_client_ca"] = folder / "cert.pem"
    async with app.running(quick_settings(redis_url, **files)) as server:
        yield f"localhost:{server.grpc_port}"


async def count(address: str, credentials: grpc.ChannelCredentials) -> pb.CountJobsResponse:
    async with grpc.aio.secure_channel(address, credentials) as opened:
        reply: pb.CountJobsResponse = await JobServiceStub(opened).CountJobs(pb.CountJobsRequest(), timeout=5)
        return reply


@needs_openssl
async def test_calls_are_encrypted(redis_url: str, certificates: Path) -> None:
    authority = (certificates / "cert.pem").read_bytes()
    async with secure(redis_url, certificates, mutual=False) as address:
        assert await count(address, grpc.ssl_channel_credentials(authority)) == pb.CountJobsResponse()

        async with grpc.aio.insecure_channel(address) as opened:
            with pytest.raises(grpc.RpcError):
                await JobServiceStub(opened).CountJobs(pb.CountJobsRequest(), timeout=2)


@needs_openssl
async def test_clients_without_a_certificate_are_refused_when_one_is_needed(redis_url: str, certificates: Path) -> None:
    authority, key = ((certificates / name).read_bytes() for name in ("cert.pem", "key.pem"))
    async with secure(redis_url, certificates, mutual=True) as address:
        own = grpc.ssl_channel_credentials(authority, key, authority)
        assert await count(address, own) == pb.CountJobsResponse()

        with pytest.raises(grpc.RpcError):
            await count(address, grpc.ssl_channel_credentials(authority))


async def list_services(world: World) -> set[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(world.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    async for reply in call:
        return {service.name for service in reply.list_services_response.service}
    return set()


async def test_reflection_shows_the_services(world: World) -> None:
    found = await list_services(world)

    assert {"headgate.v1.JobService", "grpc.health.v1.Health", "google.longrunning.Operations"} <= found
    assert {name.rpartition(".")[0] for name in UNBUILT} <= found


async def test_reflection_can_be_turned_off(redis_url: str) -> None:
    async with serving(redis_url, reflection=False) as world:
        # Nothing is written: a request that crosses the server's answer is now and then INTERNAL in grpc's client.
        call = reflection_pb2_grpc.ServerReflectionStub(world.channel).ServerReflectionInfo()
        assert await asyncio.wait_for(call.code(), 5) is grpc.StatusCode.UNIMPLEMENTED


def test_ports_are_shared_only_among_processes_that_are_meant_to() -> None:
    alone, several = (
        dict(listener.server_options(quick_settings("redis://localhost", processes=number))) for number in (1, 2)
    )

    assert (alone["grpc.so_reuseport"], several["grpc.so_reuseport"]) == (0, 1)


def test_a_connection_has_as_many_open_calls_as_the_settings_say() -> None:
    usual, few = (
        dict(listener.server_options(quick_settings("redis://localhost", **given)))
        for given in ({}, {"max_connection_calls": 7})
    )

    assert (usual["grpc.max_concurrent_streams"], few["grpc.max_concurrent_streams"]) == (250, 7)


def test_streams_outlive_the_age_of_their_connection() -> None:
    settings = quick_settings("redis://localhost", max_stream_age=1_000)

    options = dict(listener.server_options(settings))

    assert options["grpc.max_connection_age_grace_ms"] >= 1.1 * 1_000 * 1_000


async def test_a_request_above_the_limit_is_refused_by_the_transport(world: World) -> None:
    huge = pb.GetJobRequest(name="x" * (listener.MAX_REQUEST_BYTES + 1))

    with pytest.raises(grpc.RpcError) as caught:
        await world.jobs.GetJob(huge)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
