"""The numbers of a worker's decisions, as its settings have them and as it tells servers."""

from dataclasses import fields

from headgate.process.wait_bounds import WaitBounds
from headgate_worker.app import policy_of, waits_of
from headgate_worker.core.model.view import Policy
from headgate_worker.process.settings import Settings


def test_settings_in_seconds_are_milliseconds_of_the_policy() -> None:
    found = policy_of(
        Settings(poll_min_seconds=0.5, poll_max_seconds=2, poll_far_seconds=9, settle_seconds=7, dry_run_seconds=1.5)
    )

    assert (found.poll_min_ms, found.poll_max_ms, found.poll_far_ms, found.settle_ms) == (500, 2_000, 9_000, 7_000)
    assert found.dry_run_ms == 1_500


def test_a_create_that_no_search_finds_is_sent_again_only_where_that_is_set() -> None:
    assert not policy_of(Settings()).resend_absent
    assert policy_of(Settings(ambiguous_create="resend")).resend_absent


def test_servers_are_told_the_waits_that_decide() -> None:
    policy = Policy(
        adopt_grace_ms=1, settle_ms=2, resend_absent=True, stop_watchdog_ms=3, retry_min_ms=4, retry_max_ms=5
    )

    assert waits_of(policy) == WaitBounds(1, 2, True, 3, 4, 5)
    assert {each.name for each in fields(WaitBounds)} <= {each.name for each in fields(Policy)}
