"""Addresses as settings and listeners name them. Pure."""

from __future__ import annotations


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of "host:port"; the host may be an IPv6 address in brackets.

    Raises:
        ValueError: it is not an address.
    """
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) <= 65_535):
        raise ValueError('needs "host:port" with a port from 0 to 65535')
    return host.strip("[]"), int(port)
