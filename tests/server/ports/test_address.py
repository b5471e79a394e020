"""Addresses of listeners."""

import pytest

from headgate_server.ports.address import parse_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:50051", "127.0.0.1", 50_051), ("[::1]:0", "::1", 0), ("example.org:65535", "example.org", 65_535)],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1",
        ":50051",
        "host:",
        "host:65536",
        "host:-1",
        "host:5x",
        "host:\u0665",
    ],
)
def test_what_is_no_address_says_what_is_needed(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        parse_address(text)
