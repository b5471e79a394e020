"""How a client connects: small frozen values, each knowing its form for grpc.

Nothing else in the client builds channel arguments or credentials.
"""

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import grpc

from headgate_client.rpc.backoff import RetryPolicy
from headgate_client.rpc.token_file import TokenFile

DEFAULT_TARGET = "127.0.0.1:50051"
"""Where a server listens by default."""

ChannelArguments = list[tuple[str, str | int]]


def target_of_environment(environ: Mapping[str, str] = os.environ) -> str:
    """Return the server's address: HEADGATE_TARGET, or 127.0.0.1:50051."""
    return environ.get("HEADGATE_TARGET") or DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Keepalive:
    """How a dead connection is noticed. All times in seconds.

    Args:
        interval: how often an idle connection with an open call is pinged; servers allow 20 s and more.
        timeout: how long the answer may take.
    """

    interval: float = 20.0
    timeout: float = 10.0

    def to_native(self) -> ChannelArguments:
        """Return channel arguments."""
        timeout = round(self.timeout * 1000)
        return [
            ("grpc.keepalive_time_ms", round(self.interval * 1000)),
            ("grpc.keepalive_timeout_ms", timeout),
            # The wait for a ping's answer has a bound of its own, 60 s, whatever keepalive_timeout_ms says.
            ("grpc.http2.ping_timeout_ms", timeout),
            # A watch may be silent for long; without this only two pings go out between messages.
            ("grpc.http2.max_pings_without_data", 0),
        ]


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """The connection itself.

    Args:
        keepalive: how a dead connection is noticed.
        max_message_bytes: longest message that is taken, in bytes.
        longest_reconnect_delay: longest wait between attempts to connect, in seconds.
        more: further channel arguments, which win.
    """

    keepalive: Keepalive = Keepalive()
    max_message_bytes: int = 4 << 20
    longest_reconnect_delay: float = 3.0
    more: tuple[tuple[str, str | int], ...] = ()

    def to_native(self) -> ChannelArguments:
        """Return channel arguments."""
        return [
            *self.keepalive.to_native(),
            ("grpc.max_receive_message_length", self.max_message_bytes),
            # Without the probe the window stays small, so that a slow reader of a watch is a few messages
            # behind the server, not some thousands.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", round(self.longest_reconnect_delay * 1000)),
            # Each client has connections of its own: what one does must not slow another down.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.primary_user_agent", "headgate-python"),
            *self.more,
        ]


@dataclass(frozen=True, slots=True)
class Tls:
    """An encrypted connection. All members are PEM text as bytes.

    Args:
        ca: certificates to trust; None means those that grpc trusts by itself.
        certificate: this client's certificate chain, for servers that ask for one.
        key: the private key that belongs to it.
        server_name: name to expect in the server's certificate; empty means the host of the target.
    """

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    server_name: str = ""

    def to_native(self) -> grpc.ChannelCredentials:
        """Return channel credentials."""
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)

    def arguments(self) -> ChannelArguments:
        """Return the channel arguments that go with them."""
        return [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How watches stay alive. All times in seconds.

    Args:
        progress_interval: longest silence that the server is asked for, 1 to 300.
        silence_factor: after how many such intervals without a message a stream counts as broken.
        patience: how long a watch goes on trying without a single sign of life before it raises.
        retry: the waits between tries; its attempts and budget do not apply, `patience` does.
    """

    progress_interval: float = 15.0
    silence_factor: float = 3.0
    patience: float = 900.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def longest_silence(self) -> float:
        """Seconds without a message after which a stream counts as broken."""
        return self.progress_interval * self.silence_factor


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Everything that can be chosen about a client. All times in seconds.

    Args:
        tls: None means an unencrypted connection.
        token: bearer token of every call, or a function that returns the present one; empty means none.
        allow_plaintext_token: send a token over an unencrypted connection to another machine, such as inside
        a mesh that encrypts by itself.
        timeout: deadline of one try of one call.
        connect_timeout: how long `Client.connect` waits for a server.
        channel: the connection itself.
        retry: how calls are tried again.
        watch: how watches stay alive.
    """

    tls: Tls | None = None
    token: str | Callable[[], str] = field(default="", repr=False)
    allow_plaintext_token: bool = False
    timeout: float = 10.0
    connect_timeout: float = 10.0
    channel: ChannelOptions = ChannelOptions()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    watch: WatchOptions = WatchOptions()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the options that the environment asks for.

        HEADGATE_TOKEN, else the token in the file HEADGATE_TOKEN_FILE; HEADGATE_TLS=1 for TLS. Raises OSError or
        ValueError when that file can't be used.
        """
        tls = Tls() if environ.get("HEADGATE_TLS", "") in ("1", "true", "yes") else None
        token, file = environ.get("HEADGATE_TOKEN", ""), environ.get("HEADGATE_TOKEN_FILE", "")
        return cls(tls=tls, token=TokenFile(file) if file and not token else token)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the metadata of a call: the bearer token, as it is now."""
        token = self.token() if callable(self.token) else self.token
        return (("authorization", f"Bearer {token}"),) if token else ()

    def to_native(self, target: str) -> grpc.aio.Channel:
        """Open a channel to `target`; it connects when it is first used.

        Raises ValueError when a token would travel unencrypted to another machine.
        """
        arguments = self.channel.to_native()
        if self.tls is not None:
            return grpc.aio.secure_channel(target, self.tls.to_native(), arguments + self.tls.arguments())
        if self.token and not self.allow_plaintext_token and not _is_local(target):
            raise ValueError(
                f"the token would travel unencrypted to {target}: give tls=Tls(), or allow_plaintext_token=True"
            )
        return grpc.aio.insecure_channel(target, arguments)


def _is_local(target: str) -> bool:
    """Whether a target is this machine, by its address and not by how its name begins."""
    if target.startswith("unix:"):
        return True
    addresses = target.removeprefix("dns:///").removeprefix("ipv4:").removeprefix("ipv6:").split(",")
    return all(_is_loopback(address) for address in addresses)


def _is_loopback(address: str) -> bool:
    host = address.removeprefix("[").partition("]")[0] if address.startswith("[") else address.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
