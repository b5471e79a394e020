"""How many streams a caller, and all callers together, have open in one process."""

from collections.abc import Callable

import pytest

from headgate_server.auth.stream_shares import STREAM_SECONDS, StreamShares
from headgate_server.errors.exceptions import Refused
from headgate_server.ports.caller import Caller, CallerLimits

ADA, BEN = (Caller(name, frozenset(), limits=CallerLimits(max_watches=2)) for name in ("ada", "ben"))
FREE = Caller("free", frozenset())


def shares(*, most: int = 10, open_now: Callable[[], int] = lambda: 0) -> StreamShares:
    return StreamShares(most, open_now)


def test_a_caller_has_as_many_streams_as_its_limit_says_and_others_have_their_own() -> None:
    found = shares()

    assert [found.enter(ADA) for _ in range(3)] == [True, True, False]
    assert found.enter(BEN)


def test_a_stream_that_ends_makes_room_for_one() -> None:
    found = shares()
    assert found.enter(ADA) and found.enter(ADA)

    found.leave(ADA)

    assert found.enter(ADA) and not found.enter(ADA)


def test_a_caller_without_a_limit_has_any_number() -> None:
    found = shares()

    assert all(found.enter(FREE) for _ in range(1_000))


def test_a_process_without_room_refuses_every_stream() -> None:
    found = shares(most=3, open_now=lambda: 3)

    with pytest.raises(Refused) as caught, found.waiting(FREE):
        pass

    assert caught.value.metadata == {"quota": "watches", "limit": "3"}
    assert caught.value.retry_seconds == STREAM_SECONDS


def test_a_waiting_call_is_a_stream_until_it_ends_even_by_an_error() -> None:
    found = shares()
    assert found.enter(ADA)
    with pytest.raises(KeyError), found.waiting(ADA):
        assert not found.enter(ADA)
        raise KeyError

    assert found.enter(ADA)
    with pytest.raises(Refused) as caught, found.waiting(ADA):
        pass
    assert "caller:ada" in caught.value.message
