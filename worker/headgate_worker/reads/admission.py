"""The way of a read through the shared quota: a slot is asked for, waited for, and shown before its use.

A read takes a slot as far ahead as half of the time that its caller waits. The surveys of plans, which read for each of
many dates, share the quota with all creators as their caller's, and take near slots only, so that reads that come after
them find room.
"""

from __future__ import annotations

import asyncio
from typing import Final

from google.rpc.status_pb2 import Status

from headgate.quota.admission import Crowded, Frozen, Go, Later, QuotaVerdict, Slot
from headgate.quota.priority import Rank
from headgate.reasons import Reason
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import Call
from headgate_worker.ports.clock import Clock
from headgate_worker.ports.upstreams import GovernedUpstream
from headgate_worker.reads.errors import ReadFailed, retryable

SURVEY_REACH_MS: Final = 1_000
"""How far ahead the slot of a survey may lie. Reads wait for 10 s as a rule, and so for slots up to 5 s ahead."""

SURVEY_AGAIN_SECONDS: Final = 0.25
"""The least time until a survey that found no near slot asks again."""


class ReadAdmission:
    """Asks the quota for the reads of a worker."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def admitted(self, upstream: GovernedUpstream, call: Call, until: float, creator: str = "") -> None:
        """Wait until the shared quota lets the call out; the slot that it is given is shown when it has come.

        It may be given a later one then, and one that lies beyond `until`, by the monotonic clock, is left: the answer
        would come too late for its caller.

        Args:
            upstream: where the call is to go.
            call: the read.
            until: when its caller's time is over, by the monotonic clock.
            creator: whose survey the call belongs to; empty for other reads.

        Raises:
            ReadFailed: it is not let out in time.
        """
        began = self._clock.monotonic()
        verdict = await self._ask(upstream, call, until, Rank(creator=creator))
        while (seconds := self._again_seconds(verdict, creator)) is not None:
            if seconds >= until - self._clock.monotonic():
                break
            await asyncio.sleep(seconds)
            waited_ms = int((self._clock.monotonic() - began) * 1000) if creator else 0
            rank = Rank(waited_ms=waited_ms, creator=creator)
            held = verdict.epoch if isinstance(verdict, Slot) else None
            verdict = await self._ask(upstream, call, until, rank, held)
        if not isinstance(verdict, Go):
            raise ReadFailed(self._not_admitted(verdict))

    async def _ask(
        self, upstream: GovernedUpstream, call: Call, until: float, rank: Rank, held: int | None = None
    ) -> QuotaVerdict:
        # Half of the time that is left, since the call takes some as well.
        patience_ms = max(0, int((until - self._clock.monotonic()) * 500))
        if rank.creator:
            patience_ms = min(patience_ms, SURVEY_REACH_MS)
        return await upstream.admit(call, patience_ms=patience_ms, rank=rank, held=held)

    def _again_seconds(self, verdict: QuotaVerdict, creator: str) -> float | None:
        """In how many seconds the quota is asked again; None when its answer is final."""
        if isinstance(verdict, Slot):
            return self._seconds_until(verdict.at_ms)
        if creator and isinstance(verdict, Crowded | Later):
            return max(SURVEY_AGAIN_SECONDS, self._seconds_until(verdict.at_ms) - SURVEY_REACH_MS / 1000)
        return None

    def _not_admitted(self, verdict: Slot | Frozen | Crowded | Later) -> Status:
        if isinstance(verdict, Frozen):
            spent = errors.status(Reason.UPSTREAM_DAILY, "upstream's daily allowance is spent")
            return retryable(spent, self._seconds_until(verdict.until_ms))
        said = "upstream's rate is used up by calls that asked before"
        return retryable(errors.status(Reason.UPSTREAM_QPS, said), self._seconds_until(verdict.at_ms))

    def _seconds_until(self, at_ms: int) -> float:
        return max(0, at_ms - self._clock.now_ms()) / 1000
