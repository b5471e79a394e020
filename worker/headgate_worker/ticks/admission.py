"""The way of a tick's calls through the shared quota: a slot is asked for, waited for, and shown before its use."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from headgate import pb
from headgate.quota import priority
from headgate.quota.admission import Crowded, Frozen, Go, Later, QuotaVerdict, Slot
from headgate.quota.priority import Rank
from headgate_worker.core.model.calls import Call
from headgate_worker.core.model.steps import Act
from headgate_worker.core.planner import IDLE_MS
from headgate_worker.ports.clock import Clock
from headgate_worker.ports.upstreams import Upstreams, class_of
from headgate_worker.ticks.tick import NextTick, Tick

SLOT_NEAR_MS: Final = 1_000
"""A slot of the quota that is so near is waited for within the tick; a later one ends it."""

SLOT_FAR_MS: Final = 3_600_000
"""How far ahead a tick takes a slot: its place in the queue of all jobs."""


class Admission:
    """Asks the quota for the calls of all ticks of a worker."""

    def __init__(self, upstreams: Upstreams, clock: Clock) -> None:
        self._upstreams = upstreams
        self._clock = clock

    async def verdict(self, tick: Tick, act: Act, call: Call) -> QuotaVerdict:
        """Whether the shared quota lets the call out, or when."""
        if _holds_slot(tick, call):
            tick.waited()
            return Slot(tick.hints.slot_at_ms, tick.hints.slot_epoch)
        verdict = await self._ask(tick, act, call)
        if not isinstance(verdict, Go) or tick.hints.waits_since_ms:
            tick.waited()
        return verdict

    async def admit(self, tick: Tick, act: Act, call: Call, verdict: QuotaVerdict) -> NextTick | None:
        """None once the call may go out now, after a wait for a near slot; else the tick in which it asks again."""
        while isinstance(verdict, Slot) and verdict.at_ms - self._clock.now_ms() <= SLOT_NEAR_MS:
            await self._slot_comes(tick, verdict.at_ms)
            slot, verdict = verdict, await self._ask(tick, act, call, held=verdict.epoch)
            if not isinstance(verdict, Go | Slot):  # the slot was taken back; to be shown again, since it is counted
                tick.hints = tick.hints.slot(class_of(call), slot.at_ms, slot.epoch)
        if isinstance(verdict, Go):
            if tick.hints.slot_class or tick.hints.queues_since_ms:
                tick.hints = replace(tick.hints.slot("", 0), queues_since_ms=0)
            return None
        return self._next_tick(tick, call, verdict)

    async def _slot_comes(self, tick: Tick, at_ms: int) -> None:
        """Wait for a slot that is near."""
        left_ms = at_ms - self._clock.now_ms()
        if left_ms > 0:
            await asyncio.sleep(left_ms / 1000)
            tick.waited()

    def _next_tick(self, tick: Tick, call: Call, verdict: Slot | Frozen | Crowded | Later) -> NextTick:
        """When the call asks again, or shows the slot that it has got, which the hints keep."""
        wake_ms = verdict.until_ms if isinstance(verdict, Frozen) else verdict.at_ms
        if isinstance(verdict, Crowded):
            wake_ms = self._asks_again_ms(tick, verdict.at_ms)
        if isinstance(verdict, Later):
            self._queues(tick)
        if isinstance(verdict, Slot):
            tick.hints = tick.hints.slot(class_of(call), wake_ms, verdict.epoch)
        return NextTick(min(wake_ms, self._clock.now_ms() + IDLE_MS), poll_ms=wake_ms)

    def _asks_again_ms(self, tick: Tick, at_ms: int) -> int:
        """When a call asks again that the queue is too long for."""
        now_ms = self._clock.now_ms()
        if at_ms - now_ms > SLOT_FAR_MS:
            return at_ms
        wake_ms = now_ms + priority.again_ms(self._rank(tick), at_ms - now_ms)
        self._queues(tick)
        return wake_ms

    def _queues(self, tick: Tick) -> None:
        """From the first time that it is to ask again, a call counts as waiting."""
        tick.hints = replace(tick.hints, queues_since_ms=tick.hints.queues_since_ms or self._clock.now_ms())

    async def _ask(self, tick: Tick, act: Act, call: Call, *, held: int | None = None) -> QuotaVerdict:
        left_ms = max(0, act.until_ms - self._clock.now_ms()) if act.until_ms else SLOT_FAR_MS
        return await self._upstreams.get(tick.job.connection).admit(
            call,
            patience_ms=min(left_ms, SLOT_FAR_MS),
            cancel=tick.job.state == pb.JOB_STATE_CANCELLING,
            rank=self._rank(tick),
            held=held,
        )

    def _rank(self, tick: Tick) -> Rank:
        since_ms = tick.hints.queues_since_ms
        waited_ms = self._clock.now_ms() - since_ms if since_ms else 0
        return Rank(tick.job.priority, waited_ms, tick.job.creator)


def leaves_out(act: Act, verdict: QuotaVerdict) -> bool:
    """Whether a call that is worth a wait of some length only can't go out within it."""
    if not act.until_ms or isinstance(verdict, Go | Slot):
        return False
    return not isinstance(verdict, Later) or verdict.at_ms > act.until_ms


def _holds_slot(tick: Tick, call: Call) -> bool:
    """Whether an earlier tick of the job has got a slot for such a call."""
    return tick.hints.slot_class == class_of(call) and bool(tick.hints.slot_at_ms)
