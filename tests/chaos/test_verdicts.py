"""The checkers find what they are there to find: each is shown a wrong that it must count."""

from __future__ import annotations

from dataclasses import replace

from bench.chaos import verdicts
from bench.chaos.results import Check, Report, ResultRow, at_most, misses, none, quantile, summary, table
from bench.chaos.truth import Stored
from bench.chaos.watches import Record
from google.rpc.code_pb2 import ALREADY_EXISTS

from headgate import pb
from headgate.job import event_log
from headgate_emulator.ledger import Ledger, LedgerRow


def stored(*states: pb.JobState.ValueType, job_id: str = "a") -> Stored:
    """A job that went through states."""
    accepted = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED)
    accepted.job.CopyFrom(pb.Job(name=f"jobs/{job_id}", uid="u", state=pb.JOB_STATE_QUEUED))
    events = [accepted]
    for number, state in enumerate(states, start=2):
        events.append(pb.JobEvent(revision=number, type=pb.EVENT_TYPE_STATE_CHANGED, state=state))
    job = event_log.replay(events)
    raw = tuple(event.SerializeToString(deterministic=True) for event in events)
    return Stored(job_id, len(events), job.state, job, raw, attempts=0, lease_ms=0)


def missed(checks: list[Check]) -> set[str]:
    return {check.what for check in checks if not check.held}


DONE = (pb.JOB_STATE_RUNNING, pb.JOB_STATE_SUCCEEDED)


def test_a_sound_job_is_sound() -> None:
    jobs = {"a": stored(*DONE)}

    assert not missed(verdicts.ends(jobs, ["a"]))
    assert not missed(verdicts.folds(jobs))


def test_lost_and_unfinished_jobs_are_counted() -> None:
    jobs = {"a": stored(pb.JOB_STATE_RUNNING)}

    assert missed(verdicts.ends(jobs, ["a", "b"])) == {"acknowledged jobs lost", "acknowledged jobs without an end"}


def test_two_ends_are_counted() -> None:
    jobs = {"a": stored(*DONE, *DONE)}

    assert missed(verdicts.ends(jobs, ["a"])) == {"jobs with more than one end"}


def test_a_state_that_is_not_the_fold_is_counted() -> None:
    sound = stored(*DONE)
    other = pb.Job()
    other.CopyFrom(sound.job)
    other.creator = "somebody"
    wrongs = [
        replace(sound, job=other),
        replace(sound, revision=2),
        replace(sound, events=sound.events[:1] + sound.events[2:]),
    ]

    for wrong in wrongs:
        assert missed(verdicts.folds({"a": wrong}))


def row(action: str, name: str, *, applied: bool = True) -> LedgerRow:
    return LedgerRow(
        at_ms=0,
        action=action,
        params={"Name": name},
        access_key="",
        protocol="",
        status=200,
        code="",
        request_id="",
        applied=applied,
    )


def test_a_doubled_and_an_absent_create_are_counted() -> None:
    ledger = Ledger(10)
    for name in ("twice", "twice", "a"):
        ledger.write(row("CreateWorkflowInstances", name))
    jobs = {"a": stored(*DONE), "absent": stored(*DONE, job_id="absent")}

    assert missed(verdicts.effects(jobs, ledger)) == {
        "upstream creates or executes done twice",
        "succeeded jobs without their create",
    }


def test_a_job_that_acts_on_instances_needs_no_create() -> None:
    stopped = stored(*DONE)
    stopped.job.stop.ids.append(1)

    assert not missed(verdicts.effects({"a": stopped}, Ledger(10)))


def test_a_create_counts_under_the_name_that_was_sent() -> None:
    ledger, job = Ledger(10), stored(*DONE)
    job.job.operations.add(action="CreateWorkflowInstances", marker="orders")
    assert missed(verdicts.effects({"a": job}, ledger)) == {"succeeded jobs without their create"}

    ledger.write(row("CreateWorkflowInstances", "orders"))
    assert not missed(verdicts.effects({"a": job}, ledger))


def test_each_of_several_creates_of_a_job_is_done_once() -> None:
    ledger, job = Ledger(10), stored(*DONE)
    for _ in range(2):
        job.job.operations.add(action="CreateWorkflowInstances", marker="orders")
        ledger.write(row("CreateWorkflowInstances", "orders"))
    assert not missed(verdicts.effects({"a": job}, ledger))

    ledger.write(row("CreateWorkflowInstances", "orders"))
    assert missed(verdicts.effects({"a": job}, ledger))


def test_a_job_whose_dates_all_had_instances_needs_no_create() -> None:
    job = stored(*DONE)
    job.job.runs.add(state=pb.RUN_STATE_SKIPPED).error.code = ALREADY_EXISTS

    assert not missed(verdicts.effects({"a": job}, Ledger(10)))


def test_a_refused_repeat_is_no_double() -> None:
    ledger = Ledger(10)
    ledger.write(row("ExecuteAdhocWorkflowInstance", "a"))
    ledger.write(row("ExecuteAdhocWorkflowInstance", "a", applied=False))

    assert not missed(verdicts.effects({"a": stored(*DONE)}, ledger))


def record_of(job: Stored) -> Record:
    record = Record(job.job_id, ended=True)
    for number, event in enumerate(job.events, start=1):
        record.take(number, pb.JobEvent.FromString(event))
    return record


def test_a_whole_watch_is_sound() -> None:
    job = stored(*DONE)

    assert not missed(verdicts.watched({"a": job}, [record_of(job)]))


def test_gaps_repeats_other_events_and_silence_are_counted() -> None:
    job = stored(*DONE)
    gap, repeat, other, silent = (record_of(job) for _ in range(4))
    del gap.revisions[1], gap.payloads[1]
    repeat.revisions.insert(1, 1)
    repeat.payloads.insert(1, repeat.payloads[0])
    other.payloads[2] = other.payloads[1]
    silent.ended = False

    for wrong in (gap, repeat, other, silent):
        assert missed(verdicts.watched({"a": job}, [wrong]))


def test_rows_are_told_as_they_are() -> None:
    report = Report("10 jobs", (none("lost", 1), at_most("p99, s", 2.0, 1.5)), {"kills": 3})
    told = ResultRow("name", "a fault", 7, 1.0, report)

    assert not report.held
    assert not Report("no criterion", ()).held
    assert "| `name` | 10 jobs | **no** | lost 1, p99, s 1.5, kills 3 |" in table([told])
    assert misses([told]) == "1 criteria held, 1 did not.\nname: lost: wanted 0, seen 1"
    assert "seed 7" in summary(told)
    assert told.plain()["report"]["checks"][0]["seen"] == 1


def test_quantiles() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0], 0.99) == 1.0
    assert quantile([], 0.5) != quantile([], 0.5)
