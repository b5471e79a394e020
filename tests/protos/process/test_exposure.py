"""What is open to others than those it is meant for, and that a start names it."""

import pytest

from headgate.process import exposure
from headgate.process.exposure import Exposure

HERE = ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LOCALHOST"]
ELSEWHERE = ["0.0.0.0", "::", "[::]", "192.0.2.1", "10.0.0.1", "2001:db8::1", "example", "localhost.example", ""]


@pytest.mark.parametrize("host", HERE)
def test_what_only_this_machine_reaches_is_open_to_nobody(host: str) -> None:
    assert exposure.is_local(host)
    assert not exposure.of_server(host, named=False, encrypted=False, mutual=False)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_beyond_it_callers_are_named_and_tokens_are_encrypted(host: str) -> None:
    def found(**given: bool) -> frozenset[Exposure]:
        return exposure.of_server(host, **{"named": False, "encrypted": False, "mutual": False, **given})

    assert not exposure.is_local(host)
    assert found() == found(encrypted=True) == {Exposure.OPEN}
    assert found(named=True) == {Exposure.PLAINTEXT_TOKENS}
    assert not found(named=True, encrypted=True)
    assert not found(encrypted=True, mutual=True), "clients without a certificate do not come in"


@pytest.mark.parametrize(
    "url",
    ["", "dataworks.example", "https://a.example", "http://127.0.0.1:18080", "http://[::1]:1/a", "http://0.0.0.0:1/"],
)
def test_an_upstream_that_is_encrypted_or_here_is_not_in_the_open(url: str) -> None:
    assert not exposure.of_upstream(url) and not exposure.of_webhook(url)


@pytest.mark.parametrize(
    "url", ["http://a.example", "HTTP://a", "http://10.0.0.1:80", "http://127.0.0.1@evil.example", "http://[2001::1]/a"]
)
def test_any_other_upstream_is(url: str) -> None:
    assert exposure.of_upstream(url) == {Exposure.PLAINTEXT_UPSTREAM}
    assert exposure.of_webhook(url) == {Exposure.PLAINTEXT_WEBHOOK}


def test_only_what_is_not_meant_is_refused_and_told_with_the_word_for_it() -> None:
    found = {Exposure.OPEN, Exposure.PLAINTEXT_UPSTREAM}

    assert exposure.refusal(found, exposure.parse(" open, plaintext-upstream ,")) == ""
    told = exposure.refusal(found, exposure.parse("open"))
    assert told.endswith("If that is meant, say HEADGATE_ALLOW_INSECURE=plaintext-upstream")
    assert "everyone" not in told
    assert exposure.refusal((), ()) == ""


def test_a_word_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="'opne' is none of open, plaintext-tokens, plaintext-upstream"):
        exposure.parse("plaintext-tokens,opne")
