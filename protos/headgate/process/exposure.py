"""What a process does in the open, and whether it is meant: a start refuses each unless a setting names it. Pure.

A fact is reported where it holds, not where it might: a process that listens on loopback only, or calls a cloud on
loopback only, is not exposed. The words are those of HEADGATE_ALLOW_INSECURE, which all processes share.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from enum import Enum
from typing import Final

VARIABLE: Final = "HEADGATE_ALLOW_INSECURE"


class Exposure(Enum):
    """Something that is open to others than those it is meant for."""

    OPEN = "open"
    """Every client that reaches the gRPC port from elsewhere may do everything."""
    PLAINTEXT_TOKENS = "plaintext-tokens"
    """Callers' tokens travel to the gRPC port from elsewhere, without TLS."""
    PLAINTEXT_UPSTREAM = "plaintext-upstream"
    """Calls to a cloud elsewhere are signed and not encrypted, and neither are its answers."""
    PLAINTEXT_WEBHOOK = "plaintext-webhook"
    """Notifications to an endpoint elsewhere are not encrypted."""


EXPLAINED: Final = {
    Exposure.OPEN: "everyone who reaches the gRPC port may do everything: name the callers (HEADGATE_CALLERS), ask for "
    "client certificates (HEADGATE_TLS_CLIENT_CA), or listen on 127.0.0.1 (HEADGATE_LISTEN)",
    Exposure.PLAINTEXT_TOKENS: "callers' tokens travel unencrypted: turn TLS on (HEADGATE_TLS_CERT, HEADGATE_TLS_KEY), "
    "or listen on 127.0.0.1 (HEADGATE_LISTEN)",
    Exposure.PLAINTEXT_UPSTREAM: "an upstream on another machine is called by http://, so that whoever stands between "
    "reads and changes the answers: give it an https:// address (HEADGATE_DATAWORKS_ENDPOINT, HEADGATE_CONNECTIONS)",
    Exposure.PLAINTEXT_WEBHOOK: "notifications go to another machine by http://, and can be read on their way: "
    "give the endpoint an https:// address (HEADGATE_NOTIFICATIONS)",
}
"""Each for people, with what to do about it."""


def parse(text: str) -> frozenset[Exposure]:
    """What is meant: words with commas between.

    Raises:
        ValueError: an unknown word.
    """
    words = {word.strip() for word in text.split(",")} - {""}
    known = {found.value: found for found in Exposure}
    if unknown := words - known.keys():
        raise ValueError(f"{min(unknown)[:40]!r} is none of {', '.join(known)}")
    return frozenset(known[word] for word in words)


def refusal(found: Collection[Exposure], meant: Collection[Exposure]) -> str:
    """Why a start is refused, for people; empty when all that was found is meant."""
    missing = [one for one in Exposure if one in found and one not in meant]
    return "; ".join(f"{EXPLAINED[one]}. If that is meant, say {VARIABLE}={one.value}" for one in missing)


def is_local(host: str) -> bool:
    """Whether a host is this machine, as seen from itself only. A name other than localhost may be any machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def of_server(host: str, *, named: bool, encrypted: bool, mutual: bool) -> frozenset[Exposure]:
    """What a server does in the open.

    Args:
        host: where it can be reached.
        named: whether a file names the callers.
        encrypted: whether TLS is on.
        mutual: whether clients have to show certificates.
    """
    if is_local(host):
        return frozenset()
    if not named:
        return frozenset() if mutual else frozenset({Exposure.OPEN})
    return frozenset() if encrypted else frozenset({Exposure.PLAINTEXT_TOKENS})


def of_upstream(url: str) -> frozenset[Exposure]:
    """What a worker does in the open with an upstream.

    Args:
        url: its address; what does not begin with http:// is called by https.
    """
    return frozenset({Exposure.PLAINTEXT_UPSTREAM}) if _is_open(url) else frozenset()


def of_webhook(url: str) -> frozenset[Exposure]:
    """What a worker does in the open with an endpoint of notifications."""
    return frozenset({Exposure.PLAINTEXT_WEBHOOK}) if _is_open(url) else frozenset()


def _is_open(url: str) -> bool:
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() != "http":
        return False
    authority = rest.partition("/")[0].rpartition("@")[2]
    host = authority.partition("]")[0].strip("[") if authority.startswith("[") else authority.partition(":")[0]
    # 0.0.0.0 as a destination is this machine.
    return not (is_local(host) or host == "0.0.0.0")
