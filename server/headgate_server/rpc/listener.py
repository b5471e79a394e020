"""How the gRPC port is opened: limits, keepalive, TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Protocol

import grpc

from headgate_server.ports.address import parse_address
from headgate_server.requests import bounds
from headgate_server.rpc.tls_files import TlsFiles

MAX_REQUEST_BYTES: Final = 2 * bounds.MAX_REQUEST_BYTES
"""Largest request that is read at all. Above what one may have, so that the field that makes it too large is named."""

CONNECTION_AGE_MS: Final = 1_200_000
"""After this long clients are asked to connect again, so that they spread over the servers there are."""

SPARE_CALLS: Final = 5_000
"""Calls that are served besides all the streams there may be."""

WINDOW_BYTES: Final = 65_536
"""What a client may send before it is read, of a call and of a connection. The request that is being read may take as
much as it needs. Probing would make it 4 MiB for each call, whether anything is read of it or not."""

_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # this core waits a minute for a ping's answer otherwise
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
    ("grpc.max_metadata_size", 8_192),
    ("grpc.absolute_max_metadata_size", 16_384),
    ("grpc.server.max_pending_requests", 50_000),  # a storm of reconnects is shed with CANCELLED otherwise
    ("grpc.server.max_pending_requests_hard_limit", 100_000),
)


class PortSettings(Protocol):
    """What the settings of a process say about its gRPC port."""

    @property
    def listen(self) -> str:
        """Its address."""

    @property
    def processes(self) -> int:
        """How many processes share it."""

    @property
    def max_stream_age(self) -> float:
        """How long a stream lives, in seconds."""

    @property
    def max_connection_calls(self) -> int:
        """How many calls one connection may have open."""

    @property
    def tls_cert(self) -> Path | None:
        """The server's certificate."""

    @property
    def tls_key(self) -> Path | None:
        """The key of the certificate."""

    @property
    def tls_client_ca(self) -> Path | None:
        """The authorities of clients' certificates."""


def server_options(settings: PortSettings) -> list[tuple[str, Any]]:
    """Options of the gRPC server. A second process on the port is refused unless it is wanted."""
    # An aged connection takes no new calls, and its streams have the time to reach their own announced end.
    grace_ms = int(settings.max_stream_age * 1_100) + 60_000
    return [
        *_OPTIONS,
        ("grpc.max_concurrent_streams", settings.max_connection_calls),
        ("grpc.max_connection_age_ms", CONNECTION_AGE_MS),
        ("grpc.max_connection_age_grace_ms", grace_ms),
        ("grpc.so_reuseport", int(settings.processes > 1)),
    ]


def tls_files(settings: PortSettings) -> TlsFiles | None:
    """The files of TLS; None where it is off.

    Raises:
        UnsoundFiles: they can't be used.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return TlsFiles(settings.tls_cert, settings.tls_key, settings.tls_client_ca)


def bind(server: grpc.aio.Server, settings: PortSettings, tls: TlsFiles | None) -> int:
    """Open the gRPC port; the port.

    Raises:
        OSError: the port is taken.
    """
    host, port = parse_address(settings.listen)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if tls is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, tls.credentials())
    except RuntimeError:
        raise OSError(f"HEADGATE_LISTEN: the port of {address} can't be opened") from None
