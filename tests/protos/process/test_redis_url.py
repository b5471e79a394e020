"""HEADGATE_REDIS_URL, read, and shown without what is secret."""

import pytest

from headgate.process.redis_url import BadRedisUrl, mask, parse, sentinel_options, server_options

SENTINEL = "redis+sentinel://ada:p%40ss@a:1,b/main/3?sentinel_username=s&sentinel_password=t&ssl_ca_certs=ca.pem"


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://:p@h", "unix:///tmp/s"])
def test_one_server_is_left_to_the_library(url: str) -> None:
    assert parse(url) is None


def test_sentinels_a_primary_and_who_asks_them() -> None:
    found = parse(SENTINEL)

    assert found is not None
    assert found.sentinels == (("a", 1), ("b", 26_379)) and (found.primary, found.db) == ("main", 3)
    assert server_options(found) == {"db": 3, "username": "ada", "password": "p@ss", "ssl_ca_certs": "ca.pem"}
    assert sentinel_options(found) == {"username": "s", "password": "t", "ssl_ca_certs": "ca.pem"}
    assert "p@ss" not in repr(found) and "'t'" not in repr(found)


def test_over_tls_both_are_reached_so() -> None:
    found = parse("rediss+sentinel://a/main")

    assert found is not None and found.db == 0
    assert server_options(found) == {"db": 0, "ssl": True} and sentinel_options(found) == {"ssl": True}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "unknown scheme"),
        ("http://h", "unknown scheme 'http'"),
        ("redis+sentinel://:secret@/main", "a Sentinel URL is"),
        ("redis+sentinel://:secret@a", "a Sentinel URL is"),
        ("redis+sentinel://:secret@a/main/0/x", "a Sentinel URL is"),
        ("redis+sentinel://:secret@a/main/x", "'x' is not the number"),
        ("redis+sentinel://:secret@a:b/main", "'a:b' is not host:port"),
        ("redis+sentinel://:secret@a:70000/main", "is not host:port"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, said: str) -> None:
    with pytest.raises(BadRedisUrl, match=said) as caught:
        parse(url)

    assert "secret" not in str(caught.value) and str(caught.value).startswith("HEADGATE_REDIS_URL")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://:secret@h/0", "redis://:***@h/0"),
        ("redis://ada:secret@h", "redis://ada:***@h"),
        ("rediss://h?password=secret", "rediss://h?***"),
        (SENTINEL, "redis+sentinel://ada:***@a:1,b/main/3?***"),
    ],
)
def test_a_url_is_shown_without_password_and_query(url: str, shown: str) -> None:
    assert mask(url) == shown
