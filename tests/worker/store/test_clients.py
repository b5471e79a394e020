"""Redis in every shape we say we take: one server with TLS and an ACL user, and a primary behind Sentinels."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.asyncio import Redis
from redis.exceptions import RedisError

from headgate import pb
from headgate_cli.dev.ports import free_port
from headgate_cli.dev.redis_server import RedisServer, find_redis_server
from headgate_worker.store.clients import UnfitStore, blocking_client, check_store, close, command_client
from headgate_worker.store.jobs import Store
from tests.worker.conftest import eventually
from tests.worker.store.test_jobs import RUNNING, change, taken
from tests.worker.submitting import backfill_job, seed_backfill, submit

USER = next(
    line
    for line in (Path(__file__).parents[3] / "docs/operations.md").read_text().splitlines()
    if line.startswith("user headgate ")
).split()
"""What the service's user needs, as docs/operations.md has it; tests/e2e/test_acl.py has it do everything."""


async def exercised(url: str) -> None:
    """Submit, take and commit a job, and wait on a list: everything a worker does with a store."""
    redis, blocking = command_client(url, connections=4), blocking_client(url, block_seconds=0.1)
    await check_store(redis)
    store = Store(redis, lease_ms=2_000)
    job_id = await submit(store, backfill_job(seed_backfill()))
    await store.commit(change(await taken(store, job_id), RUNNING))
    job = await store.load(job_id)
    assert job is not None
    assert job.state == pb.JOB_STATE_RUNNING
    assert await blocking.blpop(["hg:none"], timeout=1) is None  # type: ignore[misc]
    await close(redis)
    await close(blocking)


async def test_one_server_with_an_acl_user(redis_server: RedisServer, redis: Redis) -> None:
    await redis.execute_command("ACL", "SETUSER", "headgate", ">pa:ss@word", *USER[2:])  # type: ignore[no-untyped-call]
    host = redis_server.url.split("://")[1]
    await exercised(f"redis://headgate:pa%3Ass%40word@{host}")


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    certificate = builder.sign(key, hashes.SHA256())
    paths = folder / "tls.crt", folder / "tls.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@asynccontextmanager
async def tls_front(port: int, certificate: Path, key: Path) -> AsyncIterator[int]:
    """A TLS end in front of a plain port, since the bundled Redis is built without; its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, behind_writer), copy(behind_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_one_server_over_tls_is_verified(redis_server: RedisServer, tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    port = int(redis_server.url.rsplit(":", 1)[1].split("/")[0])
    async with tls_front(port, certificate, key) as front:
        await exercised(f"rediss://127.0.0.1:{front}/0?ssl_ca_certs={certificate}")
        stranger = command_client(f"rediss://127.0.0.1:{front}/0", connections=1)
        with pytest.raises(RedisError):
            await stranger.ping()
        await close(stranger)


@asynccontextmanager
async def sentinel(primary_port: int, folder: Path) -> AsyncIterator[int]:
    """A Sentinel that watches one primary by the name "headgate"; its port."""
    port = free_port()
    file = folder / "sentinel.conf"
    file.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor headgate 127.0.0.1 {primary_port} 1\nsentinel down-after-milliseconds headgate 500\n"
        "sentinel failover-timeout headgate 2000\n"
    )
    process = await asyncio.create_subprocess_exec(
        str(find_redis_server()), str(file), "--sentinel", stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield port
    finally:
        process.terminate()
        await process.wait()


async def test_a_primary_behind_sentinels_and_its_successor(tmp_path: Path) -> None:
    async with RedisServer() as old, RedisServer() as new:
        old_port, new_port = (int(server.url.rsplit(":", 1)[1].split("/")[0]) for server in (old, new))
        replica = command_client(new.url, connections=2)
        await replica.replicaof("127.0.0.1", old_port)
        async with sentinel(old_port, tmp_path) as port:
            url = f"redis+sentinel://127.0.0.1:{port}/headgate"
            asked = Redis(port=port)

            async def replica_known() -> bool:
                try:
                    return len(await asked.sentinel_slaves("headgate")) == 1  # type: ignore[no-untyped-call]
                except RedisError:
                    return False

            await eventually(replica_known)
            await exercised(url)
            client = command_client(url, connections=2)
            await client.set("hg:probe", "before")
            await old.kill()

            async def written_again() -> bool:
                try:
                    return bool(await client.set("hg:probe", "after"))
                except RedisError:
                    return False

            await eventually(written_again, seconds=30)
            assert await replica.get("hg:probe") == b"after"
            assert (await client.info("server"))["tcp_port"] == new_port
            for connection in (client, asked, replica):
                await close(connection)


async def test_a_replica_is_refused(redis_server: RedisServer) -> None:
    async with RedisServer() as other:
        client = command_client(other.url, connections=1)
        await client.replicaof("127.0.0.1", int(redis_server.url.rsplit(":", 1)[1].split("/")[0]))
        with pytest.raises(UnfitStore, match="read-only replica"):
            await check_store(client)
        await close(client)
