"""An authority of tests: signs certificates of any name, good or bad, and says how a client shows one."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY: Final = datetime.timedelta(days=1)

Names = Sequence[x509.GeneralName]


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes

    def write(self, certificate: Path, key: Path) -> None:
        certificate.write_bytes(self.certificate)
        key.write_bytes(self.key)


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs with a key of its own."""

    name: str = "authority"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        basic = x509.BasicConstraints(ca=True, path_length=None)
        unsigned = _unsigned(_subject([self.name]), self, self.key).add_extension(basic, critical=True)
        return _pem(unsigned.sign(self.key, hashes.SHA256()))

    def sign(self, common: str | Sequence[str], others: Names = ()) -> Pair:
        """A certificate with common names and subject alternative names."""
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = _unsigned(_subject([common] if isinstance(common, str) else common), self, key)
        if others:
            unsigned = unsigned.add_extension(x509.SubjectAlternativeName(others), critical=False)
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return Pair(
            _pem(unsigned.sign(self.key, hashes.SHA256())),
            key.private_bytes(serialization.Encoding.PEM, form, plain),
        )

    def server(self) -> Pair:
        """A certificate for localhost."""
        return self.sign("localhost", [x509.DNSName("localhost")])

    def channel(self, address: str, client: Pair | None = None) -> grpc.aio.Channel:
        """A channel that trusts this authority, and shows the client's certificate."""
        key, certificate = (None, None) if client is None else (client.key, client.certificate)
        return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(self.pem, key, certificate))


def _subject(common: Sequence[str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _unsigned(subject: x509.Name, authority: Authority, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_subject([authority.name]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )
