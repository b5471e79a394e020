"""Rows of the store as values, and what can't be read as the damage of one job."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.store import snapshot
from headgate_server.errors.exceptions import JobDamaged
from headgate_server.store import stored_rows
from headgate_server.store.stored_rows import MOST_NUMBER, count, indexed, is_event, page, stored

JOB = pb.Job(name="jobs/orders", uid="u", state=pb.JOB_STATE_RUNNING, revision=2)
EVENTS = [pb.JobEvent(revision=at, type=pb.EVENT_TYPE_WARNING, message="x").SerializeToString() for at in range(1, 6)]


def row(snap: bytes | None = JOB.SerializeToString(), first: bytes | None = None, **given: Any) -> list[Any]:
    columns = {"rev": b"2", "st": b"3", "uid": b"u", "bad": None, "snap": snap}
    counters = {"reads": b"4", "writes": b"1", "throttled": None, "waited": b"1500"}
    exists = given.pop("exists", True)
    return [*{**columns, **counters, **given}.values(), first, exists]


def test_a_job_is_its_snapshot_with_its_call_counters() -> None:
    found = stored("orders", row())

    assert found is not None and found.revision == 2
    assert (found.job.usage.upstream_reads, found.job.usage.upstream_writes) == (4, 1)
    assert found.job.usage.quota_wait.ToMilliseconds() == 1_500
    assert pb.Job.FromString(found.body) == found.job


def test_a_job_without_a_snapshot_is_its_first_event() -> None:
    accepted = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, job=JOB).SerializeToString()

    found = stored("orders", row(snap=None, first=accepted))

    assert found is not None and found.job.name == "jobs/orders"
    assert found.job.uid == pb.Job.FromString(snapshot.body_of(accepted)).uid


def test_no_row_and_no_key_is_no_job_but_a_key_without_one_is_damage() -> None:
    assert stored("orders", row(rev=None, exists=False)) is None
    with pytest.raises(JobDamaged):
        stored("orders", row(rev=None))


@pytest.mark.parametrize(
    "given",
    [
        {"rev": b"x"},
        {"snap": b"\xff\xff"},
        {"reads": b"many"},
        {"bad": b"1"},
        {"snap": pb.Job(name="jobs/other").SerializeToString()},
    ],
)
def test_a_row_that_can_not_be_read_is_the_damage_of_its_job(given: dict[str, bytes]) -> None:
    with pytest.raises(JobDamaged) as caught:
        stored("orders", row(**given))

    assert caught.value.job_id == "orders" and caught.value.seen == (given.get("rev", b"2"), b"u")


@given(st.lists(st.one_of(st.none(), st.binary(max_size=30)), min_size=11, max_size=11))
def test_no_row_ends_in_another_error(values: list[bytes | None]) -> None:
    with suppress(JobDamaged):
        stored("orders", values)


def part(
    first: int, events: list[bytes], *, length: int = 5, last: bytes | None = EVENTS[-1], **given: Any
) -> list[Any]:
    columns = {"rev": b"5", "st": b"3", "uid": b"u", "bad": None, "snap": JOB.SerializeToString()}
    counters = dict.fromkeys(("reads", "writes", "throttled", "waited"))
    return [[*{**columns, **counters, **given}.values()], length, events, [last] if last else [], True]


def test_a_part_of_a_log_says_what_the_log_has() -> None:
    found = page("orders", part(2, EVENTS[1:3], length=4), 2, with_job=True)

    assert found is not None
    assert (found.revision, found.kept_from, found.first, found.uid) == (5, 2, 2, "u")
    assert found.events == tuple(EVENTS[1:3]) and found.unreadable == () and found.last == EVENTS[-1]
    assert pb.Job.FromString(found.job).name == "jobs/orders"


def test_events_that_are_none_are_named() -> None:
    found = page("orders", part(1, [EVENTS[0], b"\xff", EVENTS[3], EVENTS[3]]), 1, with_job=False)

    assert found is not None and found.unreadable == (2, 3)


def test_a_log_that_is_gone_is_damage_and_a_job_that_was_given_up_says_so() -> None:
    with pytest.raises(JobDamaged):
        page("orders", part(1, [], length=0, last=None), 1, with_job=False)
    given_up = page("orders", part(1, EVENTS, bad=b"1"), 1, with_job=False)
    assert given_up is not None and given_up.given_up


def test_an_event_is_one_of_its_own_revision() -> None:
    assert is_event(EVENTS[2], 3) and not is_event(EVENTS[2], 4) and not is_event(b"\xff", 3)


def test_members_of_an_index_have_numbers_whatever_their_scores_are() -> None:
    assert indexed([b"a", b"7", b"b", b"-5", b"c", b"inf"]) == [("a", 7), ("b", 0), ("c", 2**62)]


@pytest.mark.parametrize(("value", "wanted"), [(b"5", 5), (None, 0), (b"x", 0), (b"-3", 0), (b"9" * 30, MOST_NUMBER)])
def test_a_count_is_a_number_that_fits(value: bytes | None, wanted: int) -> None:
    assert count(value) == wanted


def test_a_life_is_none_where_there_is_no_job_and_damage_where_it_can_not_be_read() -> None:
    assert stored_rows.life("orders", [None]) is None
    found = stored_rows.life("orders", [b"u", b"main"])
    assert found is not None and (found.uid, found.connection) == ("u", "main")
    with pytest.raises(JobDamaged):
        stored_rows.life("orders", [b"\xff", None])
