"""When a notification is sent again, and when it is given up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headgate_worker.notifications.rules import WebhookEndpoint

FIRST_SECONDS: Final = 1.0
"""Wait after the first request that failed; it doubles with each further one."""

LONGEST_SECONDS: Final = 300.0
"""Longest wait, also where the endpoint asks for a longer one."""

HOPELESS: Final = frozenset({400, 410, 413, 422})
"""Statuses that the same body gets again: malformed, gone, too large, not understood."""


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """What came of one request.

    Args:
        status: HTTP status; 0 when no reply came.
        problem: what was wrong, without address or body; empty when it was taken.
        wait_seconds: how long the endpoint asks to be left alone.
    """

    status: int
    problem: str = ""
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """The endpoint has it."""


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Another request is sent after a wait."""

    wait_seconds: float


@dataclass(frozen=True, slots=True)
class GivenUp:
    """No further request is sent; `why` for people."""

    why: str


NextStep = Delivered | SendAgain | GivenUp


def next_step(
    reply: WebhookReply, endpoint: WebhookEndpoint, *, attempt: int, age_seconds: float, jitter: float
) -> NextStep:
    """What follows a reply.

    Args:
        reply: of the last request.
        endpoint: says how often and for how long it is tried.
        attempt: requests so far, this one included.
        age_seconds: since the notification was taken up.
        jitter: 0 <= jitter < 1.
    """
    if not reply.problem:
        return Delivered()
    if reply.status in HOPELESS:
        return GivenUp(f"{reply.problem}, and the same request would be answered alike")
    if attempt >= endpoint.attempts:
        return GivenUp(f"{reply.problem}, after {attempt} attempts")
    wait = backoff_seconds(attempt, reply.wait_seconds, jitter)
    if age_seconds + wait > endpoint.give_up_seconds:
        return GivenUp(f"{reply.problem}, for {age_seconds:.0f} s")
    return SendAgain(wait)


def backoff_seconds(attempt: int, asked_seconds: float, jitter: float) -> float:
    """Wait before the next request: doubling, between half and all of it, and at least what the endpoint asked for."""
    usual = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 30)) * (0.5 + 0.5 * jitter)
    return max(usual, min(asked_seconds, LONGEST_SECONDS))
