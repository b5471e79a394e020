"""An authority for one run, beside all of those that a machine trusts: verifying costs what it costs in earnest."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Files:
    """PEM files.

    Args:
        chain: certificate and key of a server on 127.0.0.1.
        trusted: every authority of the full set, and the one that signed it.
    """

    chain: Path
    trusted: Path


def make(folder: Path) -> Files:
    """Make both files in a folder."""
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    basic = x509.BasicConstraints(ca=True, path_length=None)
    root = _certificate("bench authority", authority).add_extension(basic, critical=True)
    signed = root.sign(authority, hashes.SHA256())
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = _certificate("bench", own).add_extension(address, critical=False).sign(authority, hashes.SHA256())
    files = Files(folder / "chain.pem", folder / "trusted.pem")
    files.chain.write_bytes(_pem(server) + _private(own))
    files.trusted.write_bytes(Path(certifi.where()).read_bytes() + _pem(signed))
    return files


def _certificate(subject: str, key: Key) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: Key) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
