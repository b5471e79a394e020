"""Certificates of one run: an authority with a server and a client, and every client it would not accept."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)

STRANGERS = ("another-authority", "namesake-authority", "expired", "not-yet-valid", "self-signed")
"""Clients with a certificate that is worth nothing; each has `NAME.pem` and `NAME.key`, as server and client have."""


@dataclass(frozen=True, slots=True)
class _Authority:
    """Who signs."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def called(cls, name: str) -> _Authority:
        return cls(_name(name), ec.generate_private_key(ec.SECP256R1()))


def make(folder: Path) -> None:
    """Write `authority.pem`, and a chain and a key for the server, the client and each of the strangers."""
    own, other, namesake = map(_Authority.called, ("ours", "another", "ours"))
    (folder / "authority.pem").write_bytes(_root(own))
    for name in ("server", "client"):
        _write(folder, name, own)
    _write(folder, "another-authority", other)
    _write(folder, "namesake-authority", namesake)
    _write(folder, "expired", own, begins=-9 * _DAY, ends=-_DAY)
    _write(folder, "not-yet-valid", own, begins=_DAY, ends=9 * _DAY)
    _write(folder, "self-signed", None)


def _write(
    folder: Path,
    name: str,
    authority: _Authority | None,
    *,
    begins: datetime.timedelta = -_DAY,
    ends: datetime.timedelta = _DAY,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signer = authority or _Authority(_name(name), key)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    unsigned = _certificate(_name(name), signer.name, key, begins, ends).add_extension(address, critical=False)
    signed = unsigned.sign(signer.key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))


def _root(authority: _Authority) -> bytes:
    basic = x509.BasicConstraints(ca=True, path_length=None)
    unsigned = _certificate(authority.name, authority.name, authority.key, -_DAY, _DAY)
    signed = unsigned.add_extension(basic, critical=True).sign(authority.key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime.timedelta,
    ends: datetime.timedelta,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
