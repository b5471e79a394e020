"""How many calls are served at once, and when there is room again."""

import pytest

from headgate_server.rpc.open_calls import OpenCalls


def test_there_is_room_again_only_when_a_good_part_is_free() -> None:
    calls = OpenCalls(10)
    for _ in range(10):
        calls.enter()
    assert not calls.is_full, "nobody was refused yet"

    seen = [(calls.has_room(), calls.is_full)]
    for _ in range(2):
        calls.leave()
        seen.append((calls.has_room(), calls.is_full))

    assert seen == [(False, True), (True, False), (True, False)]


@pytest.mark.parametrize("limit", [1, 2, 20_000])
def test_room_comes_back_with_the_last_call_at_the_latest(limit: int) -> None:
    calls = OpenCalls(limit)
    for _ in range(limit):
        calls.enter()
    calls.has_room()
    for _ in range(limit):
        calls.leave()

    assert (calls.has_room(), calls.is_full) == (True, False)
