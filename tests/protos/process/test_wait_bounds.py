"""The waits that workers tell servers."""

import json

import pytest

from headgate.process.wait_bounds import FIELD, WaitBounds, announced, announcement

OWN = WaitBounds(1, 2, True, 3, 4, 5)


def test_what_a_worker_announces_is_what_a_server_reads() -> None:
    assert announced(announcement(OWN)) == OWN and announcement(OWN).keys() == {FIELD}


@pytest.mark.parametrize("text", [None, "", "[]", "7", "{}", '{"adopt_grace_ms": 1}', '{"adopt_grace_ms": "soon"}'])
def test_what_this_version_can_not_read_means_the_defaults(text: str | None) -> None:
    assert announced({} if text is None else {FIELD: text}) == WaitBounds()


def test_what_a_newer_worker_says_besides_is_passed_over() -> None:
    plain = {**json.loads(announcement(OWN)[FIELD]), "one_more": 9}

    assert announced({FIELD: json.dumps(plain)}) == OWN


@pytest.mark.parametrize(("retries", "ms"), [(0, 30_000), (1, 60_000), (4, 480_000), (5, 600_000), (10_000, 600_000)])
def test_the_wait_of_a_failed_date_doubles_up_to_its_bound(retries: int, ms: int) -> None:
    assert WaitBounds().retry_ms(retries) == ms
