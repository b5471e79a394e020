from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from blockbuster import BlockBusterFunction, blockbuster_ctx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from headgate_worker.core.model import calls
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.settings import DataWorksSettings
from tests.worker.upstream.conftest import MakeClient
from tests.worker.upstream.dataworks.specs import CREATE, GET, ask, failure_of
from tests.worker.upstream.scripted_server import Server, listening

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority of the test's own, in files."""

    folder: Path
    key: Key
    certificate: x509.Certificate

    @property
    def file(self) -> Path:
        """What a client that trusts it is given."""
        return self.folder / "ca.pem"

    def context(self, address: str, *, days: int = 1) -> ssl.SSLContext:
        """What a server at `address` shows: a certificate that ends in `days`."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        made = certificate("server", "authority", key, days).add_extension(name, critical=False)
        chain = self.folder / "server.pem"
        chain.write_bytes(pem(made.sign(self.key, hashes.SHA256())) + private_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context


def certificate(subject: str, issuer: str, key: Key, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=3))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def private_pem(key: Key) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    basic = x509.BasicConstraints(ca=True, path_length=None)
    builder = certificate("authority", "authority", key, 1).add_extension(basic, critical=True)
    made = builder.sign(key, hashes.SHA256())
    (tmp_path / "ca.pem").write_bytes(pem(made))
    return Authority(tmp_path, key, made)


@pytest.fixture
async def secure(authority: Authority) -> AsyncIterator[Server]:
    async with listening(authority.context("127.0.0.1")) as server:
        yield server


async def test_trusted_server_is_called_over_kept_and_fresh_connections(
    secure: Server, authority: Authority, client_of: MakeClient
) -> None:
    client = client_of(secure, ca_file=authority.file)

    for call in (GET, GET, CREATE, CREATE):
        assert isinstance(await ask(client, call), calls.Reply)

    assert [seen.connection for seen in secure.seen] == [1, 1, 2, 3]


async def refused(client: DataWorks) -> None:
    for call in (GET, CREATE):
        failure = failure_of(await ask(client, call))
        assert (failure.kind, failure.code) == (FailureKind.TRANSIENT, "connect_failed")
        assert "certificate" in failure.message


async def test_unknown_authority_is_refused_before_anything_is_sent(secure: Server, client_of: MakeClient) -> None:
    await refused(client_of(secure))

    assert not secure.seen


async def test_certificate_of_another_host_is_refused(authority: Authority, client_of: MakeClient) -> None:
    async with listening(authority.context("127.0.0.2")) as server:
        await refused(client_of(server, ca_file=authority.file))

        assert not server.seen


async def test_expired_certificate_is_refused(authority: Authority, client_of: MakeClient) -> None:
    async with listening(authority.context("127.0.0.1", days=-1)) as server:
        await refused(client_of(server, ca_file=authority.file))

        assert not server.seen


async def test_server_that_speaks_no_tls_gets_nothing(client_of: MakeClient) -> None:
    async def complain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(complain, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        client = client_of(Server(scheme="https", port=port))
        failure = failure_of(await ask(client, CREATE))

    assert (failure.kind, failure.code) == (FailureKind.TRANSIENT, "connect_failed")


async def test_handshake_that_never_ends_means_that_nothing_was_sent(client_of: MakeClient) -> None:
    async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(stay, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    client = client_of(Server(scheme="https", port=port))

    failure = failure_of(await ask(client, CREATE, 0.2))

    assert (failure.kind, failure.code) == (FailureKind.TRANSIENT, "connect_failed")
    listener.close()
    await listener.wait_closed()


async def test_missing_file_of_authorities_is_told_at_once(tmp_path: Path) -> None:
    client = DataWorks(DataWorksSettings(ca_file=tmp_path / "none.pem"))

    with pytest.raises(OSError):
        await client.open()
    await client.aclose()


async def test_authorities_are_read_off_the_loop(secure: Server, authority: Authority, client_of: MakeClient) -> None:
    with blockbuster_ctx() as detector:
        # The mark of a blocking read; the scripted server's own TLS is out of its reach.
        detector.functions["ssl.SSLContext.load_verify_locations"] = BlockBusterFunction(
            ssl.SSLContext, "load_verify_locations"
        )
        detector.functions["ssl.SSLContext.load_verify_locations"].activate()
        client = client_of(secure, ca_file=authority.file)
        await client.open()
        assert isinstance(await ask(client, GET), calls.Reply)
