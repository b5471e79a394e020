"""How long a child is left to upstream, by what is known of it, and what children show."""

from __future__ import annotations

from typing import Any

import pytest

from headgate import pb
from headgate.process.child_release import HOLDS_MS, UNKNOWN, ChildRelease, ReleaseFact
from headgate_worker.core.facts.child_release import evidence, grace_ms, unasked_ms
from headgate_worker.core.model.calls import GetInstance, PerInstance, StartInstances
from headgate_worker.core.model.steps import Act, timestamp
from headgate_worker.core.model.view import Hints, Policy, View
from tests.worker.core.building import NOW_MS, RUNNING, blocked_on, confirmed, job, reply, row, seen, spec

LONGEST_MS = Policy().adopt_grace_ms
ENDED_MS = NOW_MS - 20_000
SUCCEEDED, FAILED = pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED
YES, NO = ReleaseFact(True, NOW_MS - 60_000), ReleaseFact(False, NOW_MS - 60_000)
OLD_NO = ReleaseFact(False, NOW_MS - HOLDS_MS - 1)


def _view(parent: pb.RunState.ValueType, known: ChildRelease = UNKNOWN, hints: Hints | None = None, **of: Any) -> View:
    """A parent that has ended 20 s ago, which was seen at once, and its child."""
    before = row(0, parent, finished_time=timestamp(ENDED_MS))
    child = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100, parent_end_time=timestamp(ENDED_MS))
    made = job(before, child, operations=[confirmed(0, 1)], backfill=spec(2, **of))
    return View(made, hints or Hints(starts={1: 1}), NOW_MS, release=known)


@pytest.mark.parametrize(
    ("parent", "known", "expected_ms"),
    [
        (SUCCEEDED, UNKNOWN, LONGEST_MS),
        (FAILED, UNKNOWN, LONGEST_MS),
        (SUCCEEDED, ChildRelease(after_success=YES), LONGEST_MS),
        (SUCCEEDED, ChildRelease(after_success=NO), 0),
        (FAILED, ChildRelease(after_success=YES, after_failure=NO), 0),
        (pb.RUN_STATE_STOPPED, ChildRelease(after_success=YES, after_failure=NO), 0),
        (FAILED, ChildRelease(after_failure=YES), LONGEST_MS),
        (FAILED, ChildRelease(after_failure=OLD_NO), LONGEST_MS),
        # What begins children after a success at once does so after a failure, or does not: that shows soon.
        (FAILED, ChildRelease(after_success=YES, lag_ms=1_000), 5_000),
        (FAILED, ChildRelease(after_success=YES, lag_ms=8_000), 32_000),
        (FAILED, ChildRelease(after_success=YES, lag_ms=60_000), LONGEST_MS),
        (FAILED, ChildRelease(after_success=NO), LONGEST_MS),
    ],
)
def test_the_grace_is_spent_only_while_nothing_is_known(
    parent: pb.RunState.ValueType, known: ChildRelease, expected_ms: int
) -> None:
    of = _view(parent, known)

    assert grace_ms(of, of.runs[1]) == expected_ms


def test_a_grace_that_the_caller_wants_is_kept() -> None:
    of = _view(FAILED, ChildRelease(after_failure=NO))
    of.job.backfill.adopt_grace.FromSeconds(7)

    assert grace_ms(of, of.runs[1]) == unasked_ms(of, of.runs[1]) == 7_000


def test_a_parent_of_another_job_is_waited_for_as_ever() -> None:
    of = _view(FAILED, ChildRelease(after_failure=NO))
    stranger = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=9)

    assert grace_ms(of, stranger) == LONGEST_MS


@pytest.mark.parametrize(
    ("fact", "expected_ms"),
    [
        (YES, LONGEST_MS),
        (NO, 0),
        (OLD_NO, 0),
        # It was learnt after the parent's end: another worker may have started the child before, by what it knew.
        (ReleaseFact(True, ENDED_MS + 1), 0),
    ],
)
def test_a_start_that_may_have_been_sent_under_other_knowledge_counts(fact: ReleaseFact, expected_ms: int) -> None:
    of = _view(FAILED, ChildRelease(after_failure=fact))

    assert unasked_ms(of, of.runs[1]) == expected_ms


def _read(of: View, **fields: Any) -> Any:
    fields = {"started_time": timestamp(ENDED_MS + 300), **fields}
    return evidence(of, Act(call=GetInstance(101), subject=1), reply(seen(101, RUNNING, **fields)))


@pytest.mark.parametrize("parent", [SUCCEEDED, FAILED])
def test_a_child_that_began_by_itself_shows_that_upstream_begins_children(parent: pb.RunState.ValueType) -> None:
    found = _read(_view(parent))

    assert (found.succeeded, found.fact.released, found.lag_ms) == (parent == SUCCEEDED, True, 300)
    assert (found.fact.job, found.fact.instance_id) == ("jobs/t", 101)


@pytest.mark.parametrize(
    ("hints", "fields"),
    [
        (Hints(starts={1: 2}), {}),
        (Hints(starts={1: 1}, failures=1), {}),
        (None, {"started_time": timestamp(ENDED_MS - 1)}),
        (None, {"started_time": timestamp(ENDED_MS + LONGEST_MS + 1)}),
        (None, {"create_user": "1", "modify_user": "2"}),
    ],
)
def test_a_child_that_others_may_have_begun_shows_nothing(hints: Hints | None, fields: dict[str, Any]) -> None:
    assert _read(_view(SUCCEEDED, hints=hints), **fields) is None


def _started(of: View, answer: PerInstance) -> Any:
    return evidence(of, Act(call=StartInstances((101,))), reply({101: answer}))


def test_a_child_that_had_to_be_started_shows_that_upstream_begins_none() -> None:
    found = _started(_view(FAILED, hints=Hints(idle_at_ms={1: ENDED_MS + 5_000})), PerInstance(success=True))

    assert (found.succeeded, found.fact.released) == (False, False)


@pytest.mark.parametrize(
    ("idle_ms", "answer"),
    [
        (ENDED_MS + 4_999, PerInstance(success=True)),
        (ENDED_MS + 5_000, PerInstance(success=False, message="its status is Running")),
        (ENDED_MS + 5_000, blocked_on(99)),
    ],
)
def test_a_start_at_once_or_in_vain_shows_nothing(idle_ms: int, answer: PerInstance) -> None:
    assert _started(_view(FAILED, hints=Hints(idle_at_ms={1: idle_ms})), answer) is None
