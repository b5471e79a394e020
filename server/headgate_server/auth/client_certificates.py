"""The names in a client's certificate, as a library reads them: what grpc hands out as a name ends at its first NUL.

One certificate names one client. Several names where one is meant, or invisible characters, name none. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

SCHEME: Final = "spiffe://"
"""How a SPIFFE id begins. It is looked for in URI names only, and no other name may look like one."""

MAX_NAMES: Final = 100
"""Most names of one certificate; one with more names no client."""

_PEM: Final = "x509_pem_cert"
_REMEMBERED: Final = 4_096
"""Certificates whose names are kept. Each was signed by an authority of the operator's."""


class _Unsound(ValueError):
    """The names of a certificate are not unique or not plain."""


def names(shown: Mapping[str, Sequence[bytes]]) -> tuple[str, ...] | None:
    """Common name, DNS names and SPIFFE id of a connection's certificate; empty without one, None for an unsound one.

    Args:
        shown: the connection's `auth_context`.
    """
    pem = shown.get(_PEM)
    return _names_of(pem[0]) if pem else ()


@lru_cache(maxsize=_REMEMBERED)
def _names_of(pem: bytes) -> tuple[str, ...] | None:
    # A certificate is read once, not with each call of its connection.
    try:
        found = tuple(dict.fromkeys(_read(x509.load_pem_x509_certificate(pem))))
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None
    return found if len(found) <= MAX_NAMES else None


def _read(certificate: x509.Certificate) -> Iterator[str]:
    common = [str(found.value) for found in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        others = x509.SubjectAlternativeName([])
    uris = others.get_values_for_type(x509.UniformResourceIdentifier)
    if len(common) > 1 or (len(uris) > 1 and any(uri.lower().startswith(SCHEME) for uri in uris)):
        raise _Unsound("several names where one is meant")
    for name in (*common, *others.get_values_for_type(x509.DNSName)):
        if "://" in name:
            raise _Unsound("a name that looks like an id")
        yield from _visible(name)
    for uri in uris:
        yield from (found for found in _visible(uri) if found.startswith(SCHEME))


def _visible(name: str) -> Iterator[str]:
    if not name.isprintable():
        raise _Unsound("a name with characters that can't be seen")
    if name:
        yield name
