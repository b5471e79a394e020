"""A client: where it connects to, and what it refuses to send."""

import socket

import grpc
import pytest

from headgate_client import Client, ClientOptions, HeadgateError


async def test_a_token_does_not_travel_unencrypted_to_another_machine() -> None:
    with pytest.raises(ValueError, match="unencrypted"):
        Client("headgate.example:50051", options=ClientOptions(token="t"))
    allowed = ClientOptions(token="t", allow_plaintext_token=True)
    await Client("headgate.example:50051", options=allowed).close()


async def test_connecting_where_nobody_listens_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(HeadgateError, match="no headgate server answers") as caught:
            await Client.connect(target, options=ClientOptions(connect_timeout=0.1))

    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("target", "local"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("dns:///localhost:1", True),
        ("ipv4:127.0.0.1:1", True),
        ("[::1]:1", True),
        ("ipv6:[::1]:1", True),
        ("unix:/run/headgate", True),
        ("127.0.0.1.example:1", False),
        ("localhost.example:1", False),
        ("10.0.0.1:1", False),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", True),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", False),
        ("[2001:db8::1]:1", False),
        ("headgate.example:1", False),
    ],
)
async def test_only_this_machine_gets_a_token_unencrypted(target: str, local: bool) -> None:
    options = ClientOptions(token="t")
    if local:
        await Client(target, options=options).close()
        return
    with pytest.raises(ValueError, match="unencrypted"):
        Client(target, options=options)
