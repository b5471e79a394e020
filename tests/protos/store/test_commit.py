"""What goes into the commit script, and what comes out."""

from __future__ import annotations

import re
from typing import Any

import pytest

from headgate import pb
from headgate.job import log_bounds
from headgate.store import commit, date_claims, keys, late_ticks, leases, queue_entries, snapshot
from headgate.store.audit import Origin
from headgate.store.charges import Exceeded, Shares
from headgate.store.commit import (
    Commit,
    Committed,
    Damaged,
    Duplicate,
    Fenced,
    NameClaim,
    NoRoom,
    Polls,
    RequestRecord,
    Stale,
    Usage,
    Wake,
)
from headgate.store.date_claims import Hold


def _job(state: pb.JobState.ValueType = pb.JOB_STATE_RUNNING) -> pb.Job:
    job = pb.Job(name="jobs/t", uid="u", state=state)
    job.ttl_after_end.FromSeconds(60)
    return job


def _commit(job: pb.Job | None = None, **fields: object) -> Commit:
    chosen: dict[str, object] = {
        "before": pb.JOB_STATE_QUEUED,
        "job": job or _job(),
        "expected_revision": 1,
        "events": (b"e2", b"e3"),
        **fields,
    }
    return Commit(**chosen)  # type: ignore[arg-type]


EVERYTHING: dict[str, Any] = {
    "job": pb.Job(name="jobs/t", uid="u", state=pb.JOB_STATE_RUNNING, connection="eu", creator="alice"),
    "fence": 9,
    "hints": b"{}",
    "wake": Wake(queue_entries.QueueEntry("tick:t:1", b"definition"), 250),
    "request": RequestRecord("hg:request:r", "digest"),
    "usage": Usage(1, 2, 3, 4),
    "lease_ms": 5,
    "claim": NameClaim("eu", 1, "n", "uid-n"),
    "hold": Hold("eu", "work", ("20250101", "20250102"), "queue"),
    "polls": Polls(6, 7),
    "body": b"body",
    "origin": Origin("alice", "method", "peer"),
    "shares": Shares(11, 12, 13, 14),
}


def test_every_key_stands_at_its_name() -> None:
    change = _commit(**EVERYTHING)
    name, other_name = change.claim.keys("eu") if change.claim else ("", "")
    held = change.hold.keys("eu") if change.hold else date_claims.NO_KEYS

    assert other_name != name and held.other_dates != held.dates
    assert commit.script_keys(change, "eu")._asdict() == {
        "job": keys.job("t"),
        "log": keys.log("t"),
        "feed": keys.FEED,
        "due": keys.DUE,
        "jobs": keys.JOBS,
        "sequence": keys.SEQUENCE,
        "state_before": keys.state(pb.JOB_STATE_QUEUED),
        "state_after": keys.state(pb.JOB_STATE_RUNNING),
        "request": "hg:request:r",
        "request_uid": keys.request_life("hg:request:r"),
        "expiring": keys.EXPIRING,
        "definition": keys.arq_job("tick:t:1"),
        "queue": keys.TICKS,
        "kick": keys.kick(keys.TICKS),
        "name": name,
        "other_name": other_name,
        "audit": keys.AUDIT,
        "stored": keys.STORED,
        "recount": keys.RECOUNT,
        **held._asdict(),
    }


def test_every_argument_stands_at_its_name() -> None:
    change = _commit(**EVERYTHING)

    assert commit.named_arguments(change)._asdict() == {
        "job_id": "t",
        "expected_revision": 1,
        "fence": 9,
        "is_terminal": 0,
        "snapshot": snapshot.to_keep(change.job, 1, change.events, b"body"),
        "hints": b"={}",
        "feed_length": commit.FEED_LENGTH,
        "wake_id": "tick:t:1",
        "wake_definition": b"definition",
        "wake_delay_ms": 250,
        "definition_ttl_ms": queue_entries.DEFINITION_TTL_MS,
        "grace_ms": commit.GRACE_MS,
        "request_record": "t digest",
        "request_ttl_ms": commit.REQUEST_TTL_MS,
        "state": int(pb.JOB_STATE_RUNNING),
        "reads": 1,
        "writes": 2,
        "throttled": 3,
        "lease_ms": 5,
        "name_uid": "uid-n",
        "days": "20250101,20250102",
        "job_prefix": keys.job(""),
        "waited_ms": 4,
        "polled_ms": 6,
        "next_poll_ms": 7,
        "dates_mode": "queue",
        "most_waiting": date_claims.MOST_WAITING,
        "uid": "u",
        "connection": "eu",
        "actor": "alice",
        "method": "method",
        "peer": "peer",
        "most_events": log_bounds.WORKERS.events,
        "most_bytes": log_bounds.WORKERS.bytes,
        "memory": "reserve",
        "creator": "alice",
        "caller_jobs": 11,
        "caller_bytes": 12,
        "connection_jobs": 13,
        "connection_bytes": 14,
        "event_count": 2,
    }


def test_the_events_follow_the_named_arguments() -> None:
    arguments = commit.script_arguments(_commit())

    named = commit.named_arguments(_commit())
    assert arguments == [*named, b"e2", b"e3"]
    assert named.event_count == 2


def test_the_first_arguments_are_what_is_compared() -> None:
    arguments = commit.named_arguments(_commit(fence=9))

    assert arguments[:4] == ("t", 1, 9, 0)
    assert commit.named_arguments(_commit()).fence == ""


def test_the_job_goes_in_as_bytes_with_its_hints() -> None:
    arguments = commit.named_arguments(_commit(hints=b"{}"))

    assert pb.Job.FromString(arguments.snapshot) == _job()
    assert arguments.hints == b"={}"
    assert commit.named_arguments(_commit(hints=b"")).hints == b"="


def test_a_change_without_hints_leaves_them() -> None:
    assert commit.named_arguments(_commit()).hints == b""


def test_a_job_that_runs_on_under_a_lease_is_late_only_after_it() -> None:
    assert commit.named_arguments(_commit(lease_ms=4_000)).grace_ms == 4_000 + commit.GRACE_MS
    waking = _commit(lease_ms=0, wake=Wake(queue_entries.tick("t", nonce="0123456789ab", now_ms=1), 250))
    assert commit.named_arguments(waking).grace_ms == commit.GRACE_MS


def test_a_wake_is_an_entry_and_a_delay() -> None:
    entry = queue_entries.tick("t", nonce="0123456789ab", now_ms=1)
    waking = _commit(wake=Wake(entry, 250))

    arguments = commit.named_arguments(waking)
    assert arguments[7:10] == (entry.id, entry.definition, 250)
    assert commit.script_keys(waking).definition == keys.arq_job(entry.id)
    assert commit.named_arguments(_commit())[7:10] == ("", "", 0)


@pytest.mark.parametrize("state", pb.JobState.values()[1:])
def test_an_end_sets_the_expiry_and_everything_else_the_grace(state: pb.JobState.ValueType) -> None:
    arguments = commit.named_arguments(_commit(_job(state)))

    ended = state in (pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_FAILED, pb.JOB_STATE_CANCELLED)
    assert (arguments.is_terminal, arguments.grace_ms) == ((1, 60_000) if ended else (0, commit.GRACE_MS))
    assert arguments.state == state


def test_usage_and_lease_are_told_apart_from_nothing() -> None:
    assert commit.named_arguments(_commit(usage=Usage(1, 2, 3), lease_ms=0))[15:19] == (1, 2, 3, 0)
    assert commit.named_arguments(_commit())[15:19] == (0, 0, 0, "")


def test_a_job_stands_in_the_index_of_its_state() -> None:
    found = commit.script_keys(_commit())

    assert found.state_before == keys.state(pb.JOB_STATE_QUEUED)
    assert found.state_after == keys.state(pb.JOB_STATE_RUNNING)


def test_the_name_of_a_job_is_checked_before_it_becomes_a_key() -> None:
    bad = _job()
    bad.name = "jobs/../x"

    with pytest.raises(ValueError, match="not the name of a job"):
        commit.script_keys(_commit(bad))


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ([1, 7, 1000], Committed(7, 1000)),
        ([-1, 8, 1000], Stale(8)),
        ([-2, 8, 1000], Fenced()),
        ([-3, b"t 0123", 1000, b"u"], Duplicate("t", "0123", "u")),
        ([-3, b"t 0123", 1000, b""], Duplicate("t", "0123")),
        ([-4, 8, 1000], Damaged(8)),
        ([-11, b"log_events 30000 ", 1000], Exceeded("log_events", 30_000)),
        ([-11, b"stored_jobs 5 caller:alice", 1000], Exceeded("stored_jobs", 5, "caller:alice")),
        ([-12, 8, 1000], NoRoom()),
    ],
)
def test_every_answer_has_a_meaning(raw: list[int | bytes], answer: commit.CommitOutcome) -> None:
    assert commit.parse_answer(raw) == answer


@pytest.mark.parametrize(
    "script",
    [
        commit.SCRIPT,
        leases.BEGIN_SCRIPT,
        leases.RENEW_SCRIPT,
        leases.RELEASE_SCRIPT,
        late_ticks.REAP_SCRIPT,
    ],
)
def test_the_only_clock_is_the_stores(script: str) -> None:
    assert "os.time" not in script
    if "now" in script:
        assert "redis.call('TIME')" in script


def test_nothing_that_refuses_comes_after_the_first_write() -> None:
    first_write = commit.SCRIPT.index("RPUSH")

    refusals = [found.start() for found in re.finditer(r"return \{(?!COMMITTED)[A-Z]", commit.SCRIPT)]
    assert refusals
    assert max(refusals) < first_write
