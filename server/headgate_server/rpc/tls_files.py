"""The files of TLS: certificate, key and the authorities of clients, read again when they change.

A connection gets what was read last before its handshake; those that are open keep what they have. Files that can't be
used change nothing. Whether clients have to show certificates is settled at the start.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from headgate_ops.file_stamp import FileStamps

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""How often the files are looked at for changes."""

MAX_BYTES: Final = 4 * 1024 * 1024
"""Longest file that is read."""


class UnsoundFiles(OSError):
    """The files can't be read, or do not go together."""


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in the files, as PEM; `authorities` is None where clients show no certificates."""

    certificate: bytes
    key: bytes
    authorities: bytes | None = None


class TlsFiles:
    """What grpc is to show and to trust, by files that are followed while `run` runs.

    Args:
        certificate: the server's certificate chain.
        key: its private key.
        authorities: whose client certificates are accepted; None where none are asked for.

    Raises:
        UnsoundFiles: see there.
    """

    def __init__(self, certificate: Path, key: Path, authorities: Path | None) -> None:
        self._paths = (certificate, key, authorities)
        self._stamps = FileStamps(*(path for path in self._paths if path is not None))
        self._content = self._read()
        self._fresh: Any = None

    def credentials(self) -> grpc.ServerCredentials:
        """What a port is opened with."""
        # grpc asks before each handshake, in a thread of its own.
        mutual = self._content.authorities is not None
        return grpc.dynamic_ssl_server_credentials(_for_grpc(self._content), self._take, mutual)

    async def run(self) -> None:
        """Follow the files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except Exception:
                _log.exception("the TLS files can't be looked at, those of before stay")

    async def look(self) -> None:
        """Read the files if one has changed; broken ones change nothing."""
        if not await self._stamps.have_changed():
            return
        try:
            content = await asyncio.to_thread(self._read)
        except UnsoundFiles as error:
            _log.error("the TLS files have changed and can't be used, those of before stay: %s", error)
            return
        if content != self._content:
            self._content, self._fresh = content, _for_grpc(content)
            _log.info("the TLS files were read again")

    def _take(self) -> Any:
        fresh, self._fresh = self._fresh, None
        return fresh

    def _read(self) -> Content:
        content = self._bytes()
        _check(self._paths[0], self._paths[1], content.authorities)
        if self._bytes() != content:
            raise UnsoundFiles("they change while they are read")
        return content

    def _bytes(self) -> Content:
        certificate, key, authorities = self._paths
        return Content(_bytes_of(certificate), _bytes_of(key), _bytes_of(authorities) if authorities else None)


def _for_grpc(content: Content) -> Any:
    return grpc.ssl_server_certificate_configuration([(content.key, content.certificate)], content.authorities)


def _check(certificate: Path, key: Path, authorities: bytes | None) -> None:
    # Python's TLS reads the files more exactly than it says why grpc's could not use them. How strong a key has to be
    # is left to grpc.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise UnsoundFiles(f"certificate and key can't be used ({_told(error)})") from None
    if authorities is None:
        return
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    except (OSError, ValueError) as error:
        raise UnsoundFiles(f"the authorities of clients can't be used ({_told(error)})") from None


def _told(error: Exception) -> str:
    return getattr(error, "reason", None) or type(error).__name__


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnsoundFiles(f"{path} can't be read ({type(error).__name__})") from None
    if len(found) > MAX_BYTES:
        raise UnsoundFiles(f"{path} is longer than {MAX_BYTES} bytes")
    return found
