"""What goes into the commit script, and what comes out."""

from __future__ import annotations

import re

import pytest

from headgate import commit, entries, keys, late, leases, pb
from headgate.charges import Exceeded
from headgate.commit import Commit, Committed, Damaged, Duplicate, Fenced, NoRoom, Stale, Usage, Wake


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


def _numbers(array: str) -> set[int]:
    return {int(found) for found in re.findall(rf"{array}\[(\d+)\]", commit.SCRIPT)}


def test_the_script_uses_every_key_it_is_given_and_no_other() -> None:
    assert _numbers("KEYS") == set(range(1, len(commit.script_keys(_commit())) + 1))


def test_the_events_begin_where_the_script_looks_for_them() -> None:
    found = re.search(r"local first, count = (\d+)", commit.SCRIPT)
    assert found is not None
    first = int(found.group(1))
    arguments = commit.script_arguments(_commit())

    assert arguments[first - 1 :] == [b"e2", b"e3"]
    assert max(_numbers("ARGV")) < first


def test_the_first_arguments_are_what_is_compared() -> None:
    arguments = commit.script_arguments(_commit(fence=9))

    assert arguments[:4] == ["t", 1, 9, 0]
    assert commit.script_arguments(_commit())[2] == ""


def test_the_job_goes_in_as_bytes_with_its_hints() -> None:
    arguments = commit.script_arguments(_commit(hints=b"{}"))

    assert pb.Job.FromString(bytes(arguments[4])) == _job()  # type: ignore[arg-type]
    assert arguments[5] == b"={}"
    assert commit.script_arguments(_commit(hints=b""))[5] == b"="


def test_a_change_without_hints_leaves_them() -> None:
    assert commit.script_arguments(_commit())[5] == b""


def test_a_job_that_runs_on_under_a_lease_is_late_only_after_it() -> None:
    assert commit.script_arguments(_commit(lease_ms=4_000))[11] == 4_000 + commit.GRACE_MS
    waking = _commit(lease_ms=0, wake=Wake(entries.tick("t", nonce="0123456789ab", now_ms=1), 250))
    assert commit.script_arguments(waking)[11] == commit.GRACE_MS


def test_a_wake_is_an_entry_and_a_delay() -> None:
    entry = entries.tick("t", nonce="0123456789ab", now_ms=1)
    waking = _commit(wake=Wake(entry, 250))

    arguments = commit.script_arguments(waking)
    assert arguments[7:10] == [entry.id, entry.definition, 250]
    assert keys.arq_job(entry.id) in commit.script_keys(waking)
    assert commit.script_arguments(_commit())[7:10] == ["", "", 0]


@pytest.mark.parametrize("state", pb.JobState.values()[1:])
def test_an_end_sets_the_expiry_and_everything_else_the_grace(state: pb.JobState.ValueType) -> None:
    arguments = commit.script_arguments(_commit(_job(state)))

    ended = state in (pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_FAILED, pb.JOB_STATE_CANCELLED)
    assert (arguments[3], arguments[11]) == ((1, 60_000) if ended else (0, commit.GRACE_MS))
    assert arguments[14] == state


def test_usage_and_lease_are_told_apart_from_nothing() -> None:
    assert commit.script_arguments(_commit(usage=Usage(1, 2, 3), lease_ms=0))[15:19] == [1, 2, 3, 0]
    assert commit.script_arguments(_commit())[15:19] == [0, 0, 0, ""]


def test_a_job_stands_in_the_index_of_its_state() -> None:
    found = commit.script_keys(_commit())

    assert found[0:2] == [keys.job("t"), keys.log("t")]
    assert found[6:8] == [keys.state(pb.JOB_STATE_QUEUED), keys.state(pb.JOB_STATE_RUNNING)]


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
def test_every_answer_has_a_meaning(raw: list[int | bytes], answer: commit.Answer) -> None:
    assert commit.parse_answer(raw) == answer


@pytest.mark.parametrize(
    "script",
    [
        commit.SCRIPT,
        leases.BEGIN_SCRIPT,
        leases.RENEW_SCRIPT,
        leases.RELEASE_SCRIPT,
        late.REAP_SCRIPT,
    ],
)
def test_the_only_clock_is_the_stores(script: str) -> None:
    assert "os.time" not in script
    if "now" in script:
        assert "redis.call('TIME')" in script


def test_nothing_that_refuses_comes_after_the_first_write() -> None:
    first_write = commit.SCRIPT.index("RPUSH")

    refusals = [found.start() for found in re.finditer(r"return \{-\d", commit.SCRIPT)]
    assert refusals
    assert max(refusals) < first_write
