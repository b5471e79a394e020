"""When to look again: intervals between reads, and waits after failures. Jitter is passed in.

What runs is read by what is known of its end: rarely while the end is far, often around it, and less often again when
it is overdue. Before anything is known, the interval grows with the time it has been running.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from headgate import pb
from headgate_worker.core.facts.durations import Window, expectation
from headgate_worker.core.facts.runs import NOT_YET_STARTED
from headgate_worker.core.model.calls import Failure, FailureKind
from headgate_worker.core.model.view import Hints, Policy, View

_SHANGHAI = timezone(timedelta(hours=8))

FAR_SHARE: Final = 0.25
"""Time between two reads while the end is far, as a share of the expected duration."""

LOOKS_IN_WINDOW: Final = 12
"""How often an instance is read while its end is expected, as long as the bounds of the policy allow."""


def poll_interval_ms(running_ms: int, policy: Policy) -> int:
    """Time until the next read of an instance that has been running for `running_ms`."""
    return int(min(policy.poll_max_ms, max(policy.poll_min_ms, running_ms * policy.poll_share)))


def expected_interval_ms(running_ms: int, expected: Sequence[Window], policy: Policy) -> int:
    """Time until the next read of an instance that has been running for `running_ms`.

    `expected` are the windows in which it may well end, in ascending order.
    """
    window = next((window for window in expected if running_ms < window.latest_ms), None)
    if window is None:
        return poll_interval_ms(running_ms, policy)
    width_ms, left_ms = window.latest_ms - window.soonest_ms, window.soonest_ms - running_ms
    near = int(min(policy.poll_max_ms, max(policy.poll_min_ms, width_ms / LOOKS_IN_WINDOW)))
    if left_ms <= near:
        return near
    longest = max(policy.poll_far_ms, policy.poll_max_ms)
    return int(min(left_ms, longest, max(policy.poll_max_ms, window.typical_ms * FAR_SHARE)))


def _by_expectation_ms(view: View, run: pb.InstanceRun) -> int | None:
    """When to read what runs, by how long earlier dates took; None when nothing can be expected of it.

    10 % earlier at most, so that runs of one start spread out and none is noticed later for it. Upstream's clock may
    be ahead of ours, so that whichever is earlier counts: its start, or when it was first seen running.
    """
    known = [getattr(run, name).ToMilliseconds() for name in ("started_time", "observe_time") if run.HasField(name)]
    if run.state != pb.RUN_STATE_RUNNING or run.HasField("stop_time") or not known:
        return None
    expected = expectation(view)
    if not expected:
        return None
    running_ms = max(0, view.now_ms - min(known))
    interval = expected_interval_ms(running_ms, expected, view.policy)
    return view.now_ms + max(1, int(interval * (0.9 + 0.1 * view.jitter)))


def next_poll_ms(view: View, run: pb.InstanceRun) -> int:
    """When to read a run again, jittered by +-10 % so that runs of one start spread out, and never beyond the longest.

    Without anything to expect, the longer nothing has changed, the longer the interval; upstream's clock and ours may
    differ, so that a time of either only ever shortens it.
    """
    expected_at_ms = _by_expectation_ms(view, run)
    if expected_at_ms is not None:
        return expected_at_ms
    known = [getattr(run, name) for name in ("started_time", "parent_end_time", "stop_time") if run.HasField(name)]
    since = max([moment.ToMilliseconds() for moment in known], default=0)
    since = max(since, view.hints.asked_at_ms.get(run.index, 0)) or view.now_ms
    behind_parent = run.state == pb.RUN_STATE_BLOCKED and not run.HasField("parent_end_time")
    idle = run.state in NOT_YET_STARTED and not behind_parent
    forgotten = idle and view.now_ms - since > adopt_grace_ms(view)
    return look_again_ms(view, since, longest_ms=view.policy.poll_idle_ms if forgotten else None)


def look_again_ms(view: View, since_ms: int, *, longest_ms: int | None = None) -> int:
    """When to look again at something that has been going on since `since_ms`; None means the policy's longest."""
    policy = view.policy if longest_ms is None else replace(view.policy, poll_max_ms=longest_ms)
    interval = poll_interval_ms(max(0, view.now_ms - since_ms), policy)
    return view.now_ms + max(1, min(policy.poll_max_ms, int(interval * (0.9 + 0.2 * view.jitter))))


def adopt_grace_ms(view: View) -> int:
    """How long a child may stay NotRun after its parent's end before it is started."""
    if view.kind == "backfill" and view.job.backfill.HasField("adopt_grace"):
        return view.job.backfill.adopt_grace.ToMilliseconds()
    return view.policy.adopt_grace_ms


def backoff_ms(failures: int, jitter: float, policy: Policy) -> int:
    """Wait after the n-th failure in a row: doubling, capped, and jittered down to half."""
    longest = min(policy.backoff_max_ms, policy.backoff_min_ms * 2 ** min(failures - 1, 16))
    return max(1, int(longest * (0.5 + 0.5 * jitter)))


def next_day_ms(now_ms: int) -> int:
    """Start of the next day in Asia/Shanghai, when daily allowances are assumed to begin again."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(_SHANGHAI)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(midnight.timestamp() * 1000)


def after_failure(view: View, failure: Failure) -> Hints:
    """The hints after a failed call: one more failure, and no call before the wait is over."""
    failures = view.hints.failures + 1
    wait_ms = backoff_ms(failures, view.jitter, view.policy)
    if failure.retry_after_seconds is not None:
        wait_ms = max(wait_ms, int(failure.retry_after_seconds * 1000))
    retry_at = next_day_ms(view.now_ms) if failure.kind is FailureKind.FROZEN else view.now_ms + wait_ms
    return replace(view.hints, failures=failures, retry_at_ms=retry_at)
