from pathlib import Path

import pytest

from headgate_client import ChannelOptions, ClientOptions, Keepalive, Tls, TokenFile
from headgate_client.rpc.options import target_of_environment


def test_the_target_comes_from_the_environment() -> None:
    assert target_of_environment({}) == "127.0.0.1:50051"
    assert target_of_environment({"HEADGATE_TARGET": "h:1"}) == "h:1"


def test_options_come_from_the_environment() -> None:
    options = ClientOptions.from_environment({"HEADGATE_TOKEN": "t", "HEADGATE_TLS": "1"})

    assert options == ClientOptions(token="t", tls=Tls())
    assert ClientOptions.from_environment({}) == ClientOptions()


def test_keepalive_sets_the_time_the_timeout_and_the_wait_for_the_ping() -> None:
    arguments = dict(Keepalive(interval=20, timeout=10).to_native())

    assert arguments == {
        "grpc.keepalive_time_ms": 20_000,
        "grpc.keepalive_timeout_ms": 10_000,
        "grpc.http2.ping_timeout_ms": 10_000,
        "grpc.http2.max_pings_without_data": 0,
    }


def test_the_channel_has_a_small_window_and_a_bound_on_messages() -> None:
    arguments = dict(ChannelOptions(more=(("grpc.x", 1),)).to_native())

    assert arguments["grpc.http2.bdp_probe"] == 0
    assert arguments["grpc.max_receive_message_length"] == 4 << 20
    assert arguments["grpc.x"] == 1


def test_secrets_are_not_shown() -> None:
    text = repr(ClientOptions(token="s3cret", tls=Tls(key=b"k3y")))

    assert "s3cret" not in text and "k3y" not in text


def test_a_token_is_asked_for_with_every_call() -> None:
    tokens = iter(["a", "b"])
    options = ClientOptions(token=lambda: next(tokens))

    assert options.metadata() == (("authorization", "Bearer a"),)
    assert options.metadata() == (("authorization", "Bearer b"),)


def replace(path: Path, text: str) -> None:
    """Write a file aside and rename it, so that it is another one."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(path)


def test_a_token_is_taken_from_a_file_and_anew_when_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "token"
    replace(path, " first\n")
    options = ClientOptions.from_environment({"HEADGATE_TOKEN_FILE": str(path)})
    assert options.metadata() == (("authorization", "Bearer first"),)

    replace(path, "second")
    assert options.metadata() == (("authorization", "Bearer second"),)

    path.unlink()
    assert options.metadata() == (("authorization", "Bearer second"),)
    replace(path, "two words")
    assert options.metadata() == (("authorization", "Bearer second"),)
    replace(path, "third")
    assert options.metadata() == (("authorization", "Bearer third"),)
    assert "third" not in repr(options) + repr(options.token)


def test_a_token_of_the_environment_comes_before_a_file(tmp_path: Path) -> None:
    environ = {"HEADGATE_TOKEN_FILE": str(tmp_path / "nothing"), "HEADGATE_TOKEN": "t"}

    assert ClientOptions.from_environment(environ).token == "t"


@pytest.mark.parametrize("content", ["", " \n", "s3cret s3cret", "s3cret\nmore", "s3crét", "s3cret" * 200])
def test_a_file_that_holds_no_token_is_told_without_what_it_holds(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)

    with pytest.raises(ValueError, match="holds no token") as caught:
        TokenFile(path)

    assert "s3cr" not in str(caught.value)
    with pytest.raises(OSError, match="No such file"):
        TokenFile(tmp_path / "nothing")
