"""Whom a client certificate names, over real mutual TLS: whole names only, and one client a certificate."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import grpc
import pytest
from cryptography import x509

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate_server import app
from headgate_server.auth import client_certificates
from tests.server.authority import Authority, Names
from tests.server.callers import entry, write
from tests.server.world import quick_settings, reason_of

DNS: Final = x509.DNSName
URI: Final = x509.UniformResourceIdentifier
SPIFFE: Final = "spiffe://prod.example/ns/etl/sa/loader"
MANY: Final = [DNS(f"host-{number}.example") for number in range(client_certificates.MAX_NAMES + 1)]

GOOD: Final[dict[str, tuple[str | list[str], Names, str]]] = {
    "a common name": ("dashboard.example", [], "dashboard"),
    "a DNS name": ("host", [DNS("other.example"), DNS("dashboard.example")], "dashboard"),
    "a SPIFFE id": ("host", [URI(SPIFFE)], "loader"),
    "a SPIFFE id and no common name": ([], [URI(SPIFFE)], "loader"),
    "a URI that is no SPIFFE id besides": ("dashboard.example", [URI("https://a.example"), URI("urn:b")], "dashboard"),
}
BAD: Final[dict[str, tuple[str | list[str], Names, str]]] = {
    "nobody's name": ("host", [DNS("host.example")], "TOKEN_MISSING"),
    "another end": ("dashboard.example.evil", [], "TOKEN_MISSING"),
    "a NUL in the common name": ("dashboard.example\0.evil", [], "TOKEN_INVALID"),
    "a NUL in a DNS name": ("host", [DNS("dashboard.example\0.evil")], "TOKEN_INVALID"),
    "a NUL in a SPIFFE id": ("host", [URI(SPIFFE + "\0/evil")], "TOKEN_INVALID"),
    "a NUL beside a good name": ("host\0", [DNS("dashboard.example")], "TOKEN_INVALID"),
    "a line break": ("dashboard.example\n", [], "TOKEN_INVALID"),
    "several common names": (["dashboard.example", "host"], [], "TOKEN_INVALID"),
    "a common name that looks like a SPIFFE id": (SPIFFE, [], "TOKEN_INVALID"),
    "a DNS name that looks like a SPIFFE id": ("host", [DNS(SPIFFE)], "TOKEN_INVALID"),
    "a SPIFFE id among other URIs": ("host", [URI("urn:a"), URI(SPIFFE)], "TOKEN_INVALID"),
    "a SPIFFE id in capitals": ("host", [URI(SPIFFE.upper())], "TOKEN_MISSING"),
    "a SPIFFE id and another's name": ("dashboard.example", [URI(SPIFFE)], "TOKEN_INVALID"),
    "names without end": ("dashboard.example", MANY, "TOKEN_INVALID"),
}

Ask = Callable[[str | list[str], Names], Awaitable[str]]


@pytest.fixture
async def who(redis_url: str, tmp_path: Path) -> AsyncIterator[Ask]:
    """Whom a server takes the owner of a certificate for, or why for nobody."""
    authority = Authority()
    authority.server().write(tmp_path / "cert.pem", tmp_path / "key.pem")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    text = entry("dashboard", certificates=["dashboard.example"]) + entry("loader", certificates=[SPIFFE])
    given = {name: tmp_path / file for name, file in (("tls_cert", "cert.pem"), ("tls_key", "key.pem"))}
    given |= {"tls_client_ca": tmp_path / "ca.pem", "callers": write(tmp_path / "callers.toml", text)}

    async with app.running(quick_settings(redis_url, **given)) as server:

        async def ask(common: str | list[str], others: Names) -> str:
            address = f"localhost:{server.grpc_port}"
            async with authority.channel(address, authority.sign(common, others)) as channel:
                try:
                    await JobServiceStub(channel).GetJob(pb.GetJobRequest(name="jobs/none"), timeout=10)
                except grpc.RpcError as error:
                    return reason_of(error)
            return ""

        yield ask


@pytest.mark.parametrize("case", BAD)
async def test_a_certificate_whose_names_are_not_sound_names_no_client(who: Ask, case: str) -> None:
    common, others, reason = BAD[case]

    assert await who(common, others) == reason


@pytest.mark.parametrize("case", GOOD)
async def test_a_certificate_names_a_caller(who: Ask, case: str) -> None:
    common, others, _ = GOOD[case]

    assert await who(common, others) == "JOB_UNKNOWN"


@pytest.mark.parametrize("case", GOOD)
def test_the_names_of_a_certificate_are_whole(case: str) -> None:
    common, others, caller = GOOD[case]
    pem = Authority().sign(common, others).certificate

    found = client_certificates.names({"x509_pem_cert": [pem], "x509_common_name": [b"evil"]})

    assert found is not None and {"dashboard": "dashboard.example", "loader": SPIFFE}[caller] in found


def test_what_is_no_certificate_names_no_client_and_none_names_nothing() -> None:
    assert client_certificates.names({"x509_pem_cert": [b"nonsense"]}) is None
    assert client_certificates.names({"transport_security_type": [b"ssl"]}) == ()


def test_a_certificate_is_read_once_however_many_calls_its_connection_makes() -> None:
    pem = Authority().sign("once.example").certificate
    before = client_certificates._names_of.cache_info()

    for _ in range(100):
        client_certificates.names({"x509_pem_cert": [bytes(bytearray(pem))]})

    assert client_certificates._names_of.cache_info().misses == before.misses + 1
