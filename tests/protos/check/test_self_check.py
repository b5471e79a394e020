"""Whether what is kept of a job is the fold of its log, in the indexes of its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.check.self_check import COLUMNS, EVENTS_AT_ONCE, MOST_FINDINGS, STATES, JobCheck, check, differences
from headgate.job import event_log


def test_every_field_of_a_job_is_compared() -> None:
    plain = event_log.fold(
        None, pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, job=pb.Job(name="jobs/a"))
    )
    for field in pb.Job.DESCRIPTOR.fields:
        other = pb.Job()
        other.CopyFrom(plain)
        if field.name == "labels":
            other.labels["a"] = "b"
        elif field.is_repeated:
            getattr(other, field.name).add()
        elif field.message_type is Timestamp.DESCRIPTOR:
            getattr(other, field.name).FromSeconds(7)
        elif field.message_type is not None and field.name == "counts":
            other.ClearField("counts")
        elif field.message_type is not None:
            getattr(other, field.name).SetInParent()
        else:
            setattr(other, field.name, "x" if field.cpp_type == field.CPPTYPE_STRING else 5)
        found = [path.partition(".")[0] for path in differences(other, plain)]
        assert found == [field.name], field.name


class Store:
    """What is kept of one job, as the reads of a check find it; `later` is what the second look finds."""

    def __init__(self, job: pb.Job | None, events: list[bytes]) -> None:
        self.events_kept = events
        self.columns: dict[str, bytes | None] = dict.fromkeys(COLUMNS)
        self.indexes: dict[str, bytes | None] = dict.fromkeys(("jobs", "due", "expiring", "damaged"))
        self.states: dict[int, bytes] = {}
        self.looks = 0
        self.heal = False
        if job is not None:
            self.columns |= {
                "rev": b"%d" % job.revision,
                "st": b"%d" % job.state,
                "snap": job.SerializeToString(),
                "lb": b"%d" % sum(map(len, events)),
                "seq": b"5",
            }
            self.indexes |= {"jobs": b"5", "due": b"1"}
            self.states = {job.state: b"5"}

    async def row(self, job_id: str) -> list[Any]:
        self.looks += 1
        if self.heal and self.looks > 1:
            self.columns["st"] = b"1"
        states = [self.states.get(state) for state in STATES]
        first = self.events_kept[0] if self.events_kept else None
        return [list(self.columns.values()), len(self.events_kept), first, list(self.indexes.values()), states]

    async def events(self, job_id: str, first: int, last: int) -> list[bytes]:
        return self.events_kept[first : last + 1]

    async def holders(self, key: str, days: Sequence[str]) -> list[bytes | None]:
        return [None for _ in days]


def stored(length: int = 3) -> Store:
    """A queued job with a log of so many events."""
    accepted = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED)
    accepted.job.name = "jobs/a"
    rest = [
        pb.JobEvent(revision=n, type=pb.EVENT_TYPE_WARNING, state=pb.JOB_STATE_QUEUED) for n in range(2, length + 1)
    ]
    log = [accepted, *rest]
    return Store(event_log.replay(log), [event.SerializeToString() for event in log])


def subjects(found: JobCheck) -> list[str]:
    return [one.subject for one in found.findings]


@pytest.mark.parametrize("length", [1, 3, EVENTS_AT_ONCE, EVENTS_AT_ONCE + 1])
async def test_a_job_that_is_as_its_log_makes_it_costs_one_look(length: int) -> None:
    store = stored(length)

    assert await check(store, "a") == JobCheck((), length, exists=True) and store.looks == 1


async def test_what_a_second_look_does_not_find_again_is_none() -> None:
    store = stored()
    store.columns["st"], store.heal = b"2", True

    assert (await check(store, "a")).findings == () and store.looks == 2


@pytest.mark.parametrize(
    ("column", "value", "subject"),
    [
        ("st", b"2", "column st"),
        ("st", None, "column st"),
        ("lb", b"1", "column lb"),
        ("conn", b"x", "column conn"),
        ("snap", b"\xff", "snapshot"),
        ("rev", b"2", "log"),
        ("rev", b"no", "log"),
        ("seq", b"6", "index jobs"),
        ("bad", b"1", "index damaged"),
    ],
)
async def test_a_column_that_is_not_what_the_log_makes_is_named(column: str, value: bytes | None, subject: str) -> None:
    store = stored()
    store.columns[column] = value

    assert subject in subjects(await check(store, "a"))


async def test_columns_that_jobs_of_earlier_versions_lack_are_no_findings() -> None:
    store = stored()
    store.columns |= {"uid": None, "lb": None, "conn": None}

    assert subjects(await check(store, "a")) == []


async def test_indexes_have_the_job_where_its_state_says_so() -> None:
    store = stored()
    store.indexes |= {"due": None, "expiring": b"1"}
    store.states = {pb.JOB_STATE_RUNNING: b"5"}

    assert [(one.subject, one.said) for one in (await check(store, "a")).findings] == [
        ("index due", "lacks the job"),
        ("index expiring", "has the job and should not"),
        ("index of QUEUED", "lacks the job"),
        ("index of RUNNING", "has the job and should not"),
    ]


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        (b"4", "has 3 events, and the job is at revision 4"),
        (b"9" * 18, f"has 3 events, and the job is at revision {'9' * 18}"),
        (b"9" * 19, "has 3 events, and the job is at revision 0"),
    ],
)
async def test_a_log_of_another_length_than_the_revision_says_both(revision: bytes, said: str) -> None:
    store = stored()
    store.columns["rev"] = revision

    assert [(one.subject, one.said) for one in (await check(store, "a")).findings] == [("log", said)]


async def test_a_log_is_folded_until_it_can_not_be() -> None:
    second = pb.JobEvent(revision=2, type=pb.EVENT_TYPE_WARNING, state=pb.JOB_STATE_QUEUED).SerializeToString()
    unreadable, doubled = stored(), stored()
    unreadable.events_kept[1] = b"\xff"
    doubled.events_kept[2] = second

    assert subjects(await check(unreadable, "a")) == ["event 2"]
    assert [one.said for one in (await check(doubled, "a")).findings] == ["says that it is event 2"]


async def test_of_a_job_that_is_gone_only_indexes_tell() -> None:
    store = Store(None, [])
    assert await check(store, "a") == JobCheck((), 0, exists=False)
    store.indexes["due"], store.states = b"1", {pb.JOB_STATE_FAILED: b"1"}

    found = await check(store, "a")
    assert (subjects(found), found.exists) == (["index due", "index of FAILED"], False)


async def test_findings_about_one_job_are_bounded() -> None:
    store = stored()
    job = pb.Job.FromString(store.columns["snap"] or b"")
    job.runs.extend(pb.InstanceRun(index=n) for n in range(2 * MOST_FINDINGS))
    accepted = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, job=job)
    for run in job.runs:
        run.index += 1
    store.columns |= {"rev": b"1", "snap": job.SerializeToString(), "lb": None}
    store.events_kept = [accepted.SerializeToString()]

    assert len((await check(store, "a")).findings) == MOST_FINDINGS
