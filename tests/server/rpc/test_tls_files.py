"""Certificates that are renewed under a running server, over real TLS: for new connections."""

import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives import serialization

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate_server import app
from headgate_server.rpc import tls_files
from headgate_server.rpc.tls_files import TlsFiles, UnsoundFiles
from tests.server.authority import Authority, Pair
from tests.server.world import quick_settings, until

COUNT = pb.CountJobsRequest()


@dataclass(frozen=True, slots=True)
class Served:
    """A server with TLS, and the files that it follows."""

    address: str
    folder: Path

    def replace(self, name: str, content: bytes) -> None:
        """Change a file as a renewal does: aside, then renamed."""
        before = (self.folder / name).stat().st_mtime_ns
        fresh = self.folder / f"{name}.new"
        fresh.write_bytes(content)
        os.utime(fresh, ns=(before + 1_000_000_000, before + 1_000_000_000))
        fresh.rename(self.folder / name)

    def renew(self, pair: Pair) -> None:
        self.replace("cert.pem", pair.certificate)
        self.replace("key.pem", pair.key)

    async def lets_in(self, authority: Authority, client: Pair | None = None) -> bool:
        """Whether a new connection that trusts an authority comes about."""
        async with authority.channel(self.address, client) as channel:
            try:
                await JobServiceStub(channel).CountJobs(COUNT, timeout=5)
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE
                return False
        return True


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_files, "LOOK_SECONDS", 0.02)


@pytest.fixture
def old() -> Authority:
    return Authority("old")


@pytest.fixture
def new() -> Authority:
    return Authority("new")


@pytest.fixture
async def served(redis_url: str, tmp_path: Path, old: Authority) -> AsyncIterator[Served]:
    old.server().write(tmp_path / "cert.pem", tmp_path / "key.pem")
    files = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    async with app.running(quick_settings(redis_url, **files)) as server:
        yield Served(f"localhost:{server.grpc_port}", tmp_path)


@pytest.fixture
async def mutual(redis_url: str, tmp_path: Path, old: Authority) -> AsyncIterator[Served]:
    old.server().write(tmp_path / "cert.pem", tmp_path / "key.pem")
    (tmp_path / "ca.pem").write_bytes(old.pem)
    names = (("tls_cert", "cert.pem"), ("tls_key", "key.pem"), ("tls_client_ca", "ca.pem"))
    files = {name: tmp_path / file for name, file in names}
    async with app.running(quick_settings(redis_url, **files)) as server:
        yield Served(f"localhost:{server.grpc_port}", tmp_path)


async def test_a_renewed_certificate_is_shown_to_new_connections(
    served: Served, old: Authority, new: Authority
) -> None:
    async with old.channel(served.address) as open_before:
        before = JobServiceStub(open_before)
        await before.CountJobs(COUNT)

        served.renew(new.server())
        await until(lambda: served.lets_in(new))

        assert not await served.lets_in(old)
        assert await before.CountJobs(COUNT) == pb.CountJobsResponse(), "an open connection was cut"


async def test_certificates_are_renewed_again_and_again(served: Served) -> None:
    for number in range(3):
        authority = Authority(f"authority {number}")
        served.renew(authority.server())
        await until(lambda authority=authority: served.lets_in(authority))  # type: ignore[misc]


async def test_the_authorities_of_clients_are_renewed(mutual: Served, old: Authority, new: Authority) -> None:
    assert await mutual.lets_in(old, old.sign("client")) and not await mutual.lets_in(old, new.sign("client"))

    mutual.replace("ca.pem", old.pem + new.pem)
    await until(lambda: mutual.lets_in(old, new.sign("client")))
    assert await mutual.lets_in(old, old.sign("client"))

    mutual.replace("ca.pem", new.pem)

    async def old_is_out() -> bool:
        return not await mutual.lets_in(old, old.sign("client"))

    await until(old_is_out)
    assert await mutual.lets_in(old, new.sign("client"))
    assert not await mutual.lets_in(old), "a client without a certificate came in"


@pytest.mark.parametrize("name", ["cert.pem", "key.pem", "ca.pem"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
async def test_a_broken_file_changes_nothing_and_is_logged(
    mutual: Served, old: Authority, name: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    mutual.replace(name, content)

    await until(lambda: [row for row in caplog.records if "can't be used" in row.getMessage()])

    assert await mutual.lets_in(old, old.sign("client"))
    assert len([row for row in caplog.records if row.levelno >= logging.ERROR]) == 1


async def test_a_pair_is_taken_once_both_halves_are_there(
    served: Served, old: Authority, new: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    pair = new.server()
    served.replace("cert.pem", pair.certificate)
    await until(lambda: [row for row in caplog.records if "KEY_VALUES_MISMATCH" in row.getMessage()])
    assert await served.lets_in(old)

    served.replace("key.pem", pair.key)

    await until(lambda: served.lets_in(new))


def test_files_that_do_not_go_together_stop_a_start(tmp_path: Path, old: Authority, new: Authority) -> None:
    certificate, key, ca = (tmp_path / name for name in ("cert.pem", "key.pem", "ca.pem"))
    old.server().write(certificate, key)
    ca.write_bytes(b"nonsense")
    with pytest.raises(UnsoundFiles, match="authorities of clients"):
        TlsFiles(certificate, key, ca)

    key.write_bytes(new.server().key)
    with pytest.raises(UnsoundFiles, match="certificate and key"):
        TlsFiles(certificate, key, None)


def test_a_key_that_needs_a_password_is_refused_and_not_asked_for(tmp_path: Path, old: Authority) -> None:
    pair, (certificate, key) = old.server(), (tmp_path / "cert.pem", tmp_path / "key.pem")
    pair.write(certificate, key)
    locked = serialization.load_pem_private_key(pair.key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    )
    key.write_bytes(locked)

    with pytest.raises(UnsoundFiles):
        TlsFiles(certificate, key, None)
