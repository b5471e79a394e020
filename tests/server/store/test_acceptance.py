"""Which commits the script of new jobs can make, and the keys and arguments that it is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate import pb
from headgate.store import commit, date_claims, keys
from headgate.store.commit import Commit, NameClaim
from headgate_server.store.acceptance import is_first, script_arguments, script_keys
from tests.contract.script_stories import new


def first(**fields: Any) -> Commit:
    """A submit that holds its dates."""
    return replace(new("x", pb.OVERLAP_REJECT), **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"expected_revision": 1},
        {"fence": 1},
        {"events": ()},
        {"events": (b"1", b"2")},
        {"wake": None},
        {"hints": b"x"},
        {"lease_ms": 5},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_only_a_jobs_first_commit_with_one_event_and_a_tick_is_one(fields: dict[str, Any]) -> None:
    assert is_first(first()) and not is_first(first(**fields))


def test_what_a_submit_does_not_have_stands_under_keys_of_its_own() -> None:
    bare = script_keys(first(request=None, claim=None, hold=None))
    arguments = script_arguments(first(request=None, claim=None, hold=None))

    assert (bare.request, bare.request_uid) == (keys.NO_REQUEST, keys.request_life(keys.NO_REQUEST))
    assert (bare.name, bare.other_name) == commit.NO_NAMES
    assert bare[-8:-2] == tuple(date_claims.NO_KEYS)
    assert (arguments.request_record, arguments.name_uid, arguments.days, arguments.dates_mode) == ("", "", "", "")


def test_a_submit_names_its_dates_its_request_and_its_claim() -> None:
    change = first(claim=NameClaim("eu", 1, "seed", "uid-1"))
    names, arguments = script_keys(change), script_arguments(change)
    job_id = keys.job_id(change.job.name)

    assert change.hold is not None and change.request is not None and change.wake is not None
    assert (names.job, names.log, names.state) == (keys.job(job_id), keys.log(job_id), keys.state(change.job.state))
    assert names.request == change.request.key and arguments.request_record == f"{job_id} {change.request.digest}"
    assert names.definition == keys.arq_job(change.wake.entry.id) and arguments.wake_id == change.wake.entry.id
    assert (arguments.name_uid, arguments.days.split(",")) == ("uid-1", list(change.hold.days))
    assert names.dates == change.hold.key and names.other_dates == change.hold.keys("").other_dates


def test_what_the_feed_shows_is_written_only_where_it_differs_from_the_event() -> None:
    assert script_arguments(first(shown=())).shown == b""
    assert script_arguments(first(shown=(b"short",))).shown == b"short"
