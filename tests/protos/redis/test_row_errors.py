"""Errors of a real Redis that say that a key is not what a script takes it for."""

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from headgate_cli.dev.redis_server import RedisServer
from headgate_redis.row_errors import is_damage


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (("HGET", "text", "f"), True),
        (("INCR", "text"), True),
        (("HINCRBY", "hash", "f", "1"), True),
        (("EVAL", "return redis.call('HGET', KEYS[1], 'f')", "1", "text"), True),
        (("EVAL", "return redis.call('HGET', KEYS[1], 'f') + 1", "1", "hash"), True),
        (("EVAL", "return redis.call('HGET', KEYS[1], 'none') > 1", "1", "hash"), True),
        (("NOSUCHCOMMAND",), False),
        (("GET",), False),
    ],
)
def test_an_error_about_what_a_key_holds_is_told_from_others(
    redis_server: RedisServer, command: tuple[str, ...], wanted: bool
) -> None:
    with Redis.from_url(redis_server.url) as client:
        client.set("text", "x")
        client.hset("hash", "f", "x")
        with pytest.raises(ResponseError) as caught:
            client.execute_command(*command)

    assert is_damage(caught.value) is wanted
