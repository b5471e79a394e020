"""Which events rules are for: those of a type, and those that bring a job to a state."""

from __future__ import annotations

from headgate import pb
from headgate_worker.notifications import rules
from tests.worker.notifications.building import CHANGED, FAILED, PAUSED, RUNNING, WARNING, event, job, rule


def test_a_state_is_told_when_it_is_reached_and_not_again() -> None:
    found = [rule(states=(FAILED,))]

    assert rules.matching(found, event(FAILED), job(), RUNNING) == found
    assert rules.matching(found, event(FAILED, WARNING), job(), FAILED) == []


def test_a_type_of_event_is_told_each_time() -> None:
    found = [rule(events=(WARNING,))]

    assert rules.matching(found, event(RUNNING, WARNING), job(), RUNNING) == found
    assert rules.matching(found, event(FAILED, CHANGED), job(), RUNNING) == []


def test_a_filter_is_asked_of_the_job_as_the_event_left_it() -> None:
    found = [rule(events=(WARNING,), wanted='state = RUNNING AND labels.team = "orders"')]
    then = rules.as_of(job(FAILED, team="orders"), event(RUNNING, WARNING))

    assert rules.matching(found, event(RUNNING, WARNING), then, RUNNING) == found
    other = rules.as_of(job(FAILED, team="sales"), event(RUNNING, WARNING))
    assert rules.matching(found, event(RUNNING, WARNING), other, RUNNING) == []


def test_an_event_that_no_rule_may_be_for_needs_no_look_at_its_job() -> None:
    found = [rule(states=(FAILED,)), rule(events=(WARNING,))]

    assert rules.candidates(found, event(PAUSED, CHANGED)) == []
    assert rules.candidates(found, event(FAILED, CHANGED)) == found[:1]
    assert rules.candidates(found, event(PAUSED, WARNING)) == found[1:]


def test_a_job_that_went_on_is_told_as_it_was() -> None:
    then, now = event(RUNNING), job(FAILED)
    now.end_time.CopyFrom(then.event_time)
    then.ClearField("error")

    found = rules.as_of(now, then)

    assert (found.state, found.HasField("end_time"), found.HasField("error")) == (RUNNING, False, False)
    assert now.state == FAILED and now.HasField("error")


def test_an_error_of_a_failed_job_stays_and_counts_are_those_of_the_event() -> None:
    then = event(FAILED)
    then.ClearField("error")
    then.counts.CopyFrom(pb.RunCounts(total=2, failed=2))

    found = rules.as_of(job(), then)

    assert found.error.message == "load_orders failed" and found.counts.failed == 2


def test_addresses_and_secrets_are_not_shown() -> None:
    found = rules.WebhookEndpoint(name="e", url="https://hooks/T0K3N", secret="s3cret", robot_secret="r0bot")

    assert not {word for word in ("T0K3N", "s3cret", "r0bot") if word in repr(found)}
