"""The values that decisions are made from: the numbers, the hints between ticks, and facts worked out once."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import headgate_worker
from headgate import pb
from headgate_worker.core.model.view import Hints, Inquiry, Policy, View, once


def test_every_number_of_the_policy_decides_something() -> None:
    sources = Path(headgate_worker.__file__).parent.rglob("*.py")
    read = {name for path in sources for name in re.findall(r"\bpolicy\.(\w+)", path.read_text())}

    assert {field.name for field in fields(Policy)} - read == set()


FULL = Hints(
    failures=3,
    retry_at_ms=9,
    poll_at_ms={0: 1, 1: 1},
    starts={0: 2, 1: 1},
    asked_at_ms={0: 1, 1: 1},
    idle_at_ms={0: 1, 1: 1},
    stop_asked_ms={0: 1, 1: 1},
    read_at_ms={0: 1, 1: 1},
    projects={0: 7, 1: 7},
    modify_users={0: ("ann", 1), 1: ("ann", 1)},
    stops_lost=frozenset({0, 1}),
    parents_doubted=frozenset({0, 1}),
    absent=frozenset({0, 1}),
    waits_since_ms=4,
)


def test_of_a_run_that_has_ended_nothing_is_kept_and_of_others_everything() -> None:
    kept = FULL.forget(0)

    for name in FULL.__dataclass_fields__:
        before, after = getattr(FULL, name), getattr(kept, name)
        if isinstance(before, dict | frozenset) and before:
            assert set(after) == {1}, name
        else:
            assert after == before, name
    assert kept.forget(0) == kept


def test_a_start_is_counted_and_waited_for_and_one_without_effect_is_not_counted() -> None:
    twice = Hints().started(3, 10).started(3, 20)

    assert (twice.starts, twice.asked_at_ms) == ({3: 2}, {3: 20})
    assert twice.unstarted(3).starts == {} and twice.unstarted(3).asked_at_ms == {3: 20}


def test_a_read_that_found_the_instance_ends_the_doubt_that_it_is_absent() -> None:
    found = Hints(absent=frozenset({0, 1})).looked(0, 5, 50)

    assert (found.read_at_ms, found.poll_at_ms) == ({0: 5}, {0: 50}) and found.absent == frozenset({1})
    assert found.doubted(2).cleared(2) == found


def test_a_wait_for_a_slot_goes_on_with_another_slot_and_ends_with_none() -> None:
    assert FULL.slot("write", 100, 2).waits_since_ms == 4
    used = FULL.slot("", 0)
    assert (used.slot_class, used.slot_at_ms, used.waits_since_ms) == ("", 0, 0)


def test_an_answer_ends_the_pause_after_failures_and_costs_nothing_without_one() -> None:
    quiet = Hints()

    assert (FULL.settled().failures, FULL.settled().retry_at_ms) == (0, 0)
    assert quiet.settled() is quiet


def test_an_inquiry_is_kept_by_its_run_until_it_is_over() -> None:
    asked = Hints().inquire(0, Inquiry(10)).inquire(1, Inquiry(20))

    assert asked.inquiries == {0: Inquiry(10), 1: Inquiry(20)}
    assert asked.inquire(0, None).inquiries == {1: Inquiry(20)} == asked.inquire(0, None).inquire(0, None).inquiries


def test_a_fact_is_worked_out_once_for_each_view() -> None:
    asked: list[str] = []

    @once
    def answer(of: View) -> str:
        asked.append(of.job.name)
        return of.job.name

    first, second = View(pb.Job(name="jobs/a"), Hints(), 0), View(pb.Job(name="jobs/b"), Hints(), 0)

    assert [answer(first), answer(first), answer(second)] == ["jobs/a", "jobs/a", "jobs/b"]
    assert asked == ["jobs/a", "jobs/b"] and first == View(pb.Job(name="jobs/a"), Hints(), 0)


def test_a_view_knows_the_kind_of_its_job_and_none_of_a_job_without_a_spec() -> None:
    job = pb.Job(stop=pb.StopWorkflowInstancesSpec(ids=[1]), runs=[pb.InstanceRun(index=0)])

    assert (View(job, Hints(), 0).kind, View(job, Hints(), 0).runs) == ("stop", tuple(job.runs))
    assert View(pb.Job(), Hints(), 0).kind == ""
