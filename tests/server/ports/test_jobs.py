"""A part of a log with events that can't be read: what is shown of it, and which event is lost."""

import pytest

from headgate import pb
from headgate_server.ports.jobs import LogPage, StoredJob


def page(*unreadable: int, given_up: bool = False) -> LogPage:
    events = tuple(f"event {number}".encode() for number in range(3, 8))
    return LogPage(7, pb.JOB_STATE_RUNNING, 1, 3, events, events[-1], unreadable=unreadable, given_up=given_up)


@pytest.mark.parametrize(
    ("first", "unreadable", "wanted"),
    [
        (3, (), [3, 4, 5, 6, 7]),
        (6, (), [6, 7]),
        (3, (5,), [3, 4]),
        (6, (5,), [6, 7]),
        (5, (5,), []),
        (3, (7, 4), [3]),
        (8, (), []),
    ],
)
def test_events_are_readable_up_to_one_that_is_not(first: int, unreadable: tuple[int, ...], wanted: list[int]) -> None:
    assert page(*unreadable).readable(first) == tuple(f"event {number}".encode() for number in wanted)


@pytest.mark.parametrize(
    ("first", "given_up", "wanted"), [(5, False, 5), (6, False, None), (8, False, None), (8, True, 0), (7, True, None)]
)
def test_damage_is_the_next_event_or_a_log_that_was_given_up(first: int, given_up: bool, wanted: int | None) -> None:
    assert page(5, given_up=given_up).damage(first) == wanted


def test_a_stored_job_tells_its_life() -> None:
    life = StoredJob(1, b"", pb.Job(uid="u", connection="orders")).life

    assert (life.uid, life.connection) == ("u", "orders")
