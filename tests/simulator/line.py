"""The way between worker and upstream: where requests and replies are lost, delayed, throttled and spoilt."""

from __future__ import annotations

from collections.abc import Generator

from headgate_worker.core.model.calls import NOT_REPEATABLE, Call, Failure, FailureKind, Outcome, Reply
from tests.simulator.chance import Chance, Fate
from tests.simulator.timeline import Timeline
from tests.simulator.upstream import ModelUpstream

CALL_TIMEOUT_MS = 10_000

Pauses = Generator[int, None, Outcome]
"""Yields for how many ms the caller waits; returns the outcome."""

_REFUSALS = {
    Fate.UNREACHED: Failure(FailureKind.TRANSIENT, "connect_failed", "nothing was sent"),
    Fate.THROTTLED: Failure(FailureKind.THROTTLED, "Throttling.User", "slow down", http_status=429),
    Fate.FROZEN: Failure(FailureKind.FROZEN, "Throttling.Api.Risk", "enough for today", http_status=429),
    Fate.REFUSED: Failure(FailureKind.REFUSED, "InvalidParameter", "no", http_status=400),
    Fate.DENIED: Failure(FailureKind.DENIED, "Forbidden", "not yours", http_status=403),
}
"""Fates that come with an answer and without an effect."""

_SPOILT = {
    Fate.LOST_REQUEST: ("timed_out", CALL_TIMEOUT_MS),
    Fate.LOST_REPLY: ("timed_out", CALL_TIMEOUT_MS),
    Fate.APPLIED_LATE: ("timed_out", CALL_TIMEOUT_MS),
    Fate.BROKEN: ("InternalError", 300),
    Fate.MALFORMED: ("malformed_reply", 300),
}


class Line:
    """One way to one upstream.

    Args:
        upstream: where requests arrive.
    """

    def __init__(self, timeline: Timeline, chance: Chance, upstream: ModelUpstream) -> None:
        self._timeline = timeline
        self._chance = chance
        self._upstream = upstream

    def call(self, call: Call) -> Pauses:
        """Make a call."""
        fate = self._chance.fate(call, self._timeline.now_ms)
        if fate in _SPOILT:
            return (yield from self._spoilt(call, fate))
        latency = self._chance.latency_ms(call)
        yield latency // 2
        if fate in _REFUSALS:
            return _REFUSALS[fate]
        body = self._upstream.answer(call)
        yield latency - latency // 2
        return body if isinstance(body, Failure) else Reply(body, "request-id", latency / 1000)

    def _spoilt(self, call: Call, fate: Fate) -> Pauses:
        code, wait_ms = _SPOILT[fate]
        executed = fate in (Fate.LOST_REPLY, Fate.MALFORMED) or (fate is Fate.BROKEN and self._chance.happens(0.5))
        yield 10
        if executed:
            self._upstream.answer(call)
        if fate is Fate.APPLIED_LATE:
            longest_ms = self._chance.pick((20_000, 400_000)) if type(call) in NOT_REPEATABLE else 20_000
            late_ms = wait_ms + self._chance.between(1, longest_ms)
            self._timeline.after(late_ms, lambda: self._arrive(call))
        yield wait_ms
        kind = FailureKind.AMBIGUOUS if type(call) in NOT_REPEATABLE else FailureKind.TRANSIENT
        return Failure(kind, code, "nobody knows")

    def _arrive(self, call: Call) -> None:
        self._upstream.answer(call)
