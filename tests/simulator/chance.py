"""What chance decides in one history: which faults there are, how often, and for how long."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from headgate_worker.core.model.calls import (
    NOT_REPEATABLE,
    WRITES,
    Call,
    CreateInstances,
    GetInstance,
    StartInstances,
    StopInstances,
)

T = TypeVar("T")


class Fate(Enum):
    """What becomes of one call."""

    FINE = "fine"
    LOST_REQUEST = "lost_request"  # never arrives; the caller learns nothing
    LOST_REPLY = "lost_reply"  # executed; the caller learns nothing
    APPLIED_LATE = "applied_late"  # executed after the caller gave up
    UNREACHED = "unreached"  # provably never sent
    THROTTLED = "throttled"
    FROZEN = "frozen"
    BROKEN = "broken"  # 5xx, executed or not
    MALFORMED = "malformed"  # executed; the reply can't be read
    REFUSED = "refused"
    DENIED = "denied"


class Blow(Enum):
    """What becomes of a worker at one point of a tick."""

    NONE = "none"
    DEATH = "death"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True)
class Profile:
    """How bad one history is: rates per call, per point or per tick, 0 to 1."""

    calls: float = 0.0
    frozen: float = 0.0
    refusals: float = 0.0
    deaths: float = 0.0
    freezes: float = 0.0
    lost_ticks: float = 0.0
    double_ticks: float = 0.0
    operators: float = 0.0
    full: float = 0.0
    lasts_ms: int = 600_000


_TRANSPORT = (
    Fate.LOST_REQUEST,
    Fate.LOST_REPLY,
    Fate.APPLIED_LATE,
    Fate.UNREACHED,
    Fate.THROTTLED,
    Fate.THROTTLED,
    Fate.BROKEN,
    Fate.MALFORMED,
)


class Chance:
    """All randomness of one history, from one seed.

    Args:
        seed: what makes a history the same again.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.profile = self._profile()
        self.quiet_after_ms = 0
        self.faults: list[str] = []

    def _profile(self) -> Profile:
        if self.happens(0.2):
            return Profile(lasts_ms=0)
        return Profile(
            calls=self.pick((0.0, 0.02, 0.1, 0.3)),
            frozen=self.pick((0.0, 0.0, 0.005)),
            refusals=self.pick((0.0, 0.0, 0.01)),
            deaths=self.pick((0.0, 0.01, 0.05, 0.15)),
            freezes=self.pick((0.0, 0.01, 0.05)),
            lost_ticks=self.pick((0.0, 0.0, 0.1)),
            double_ticks=self.pick((0.0, 0.0, 0.2)),
            operators=self.pick((0.0, 0.0, 0.0, 0.5)),
            full=self.pick((0.0, 0.0, 0.3)),
            lasts_ms=self.pick((60_000, 300_000, 900_000)),
        )

    def fraction(self) -> float:
        """A number, 0 <= number < 1."""
        return self._random.random()

    def happens(self, rate: float) -> bool:
        """Whether something of this rate happens now."""
        return rate > 0 and self._random.random() < rate

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return self._random.choice(choices)

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return self._random.randint(low, high)

    def some(self, choices: Sequence[T], rate: float) -> list[T]:
        """A random part of them, at least one, in their order."""
        return [one for one in choices if self.happens(rate)] or [self.pick(choices)]

    def note(self, what: str) -> None:
        """Remember a fault that happened."""
        self.faults.append(what)

    def fate(self, call: Call, now_ms: int) -> Fate:
        """What becomes of a call."""
        if now_ms >= self.quiet_after_ms:
            return Fate.FINE
        fate = self._fate(call)
        if fate is not Fate.FINE:
            self.note(f"{type(call).__name__}.{fate.value}")
        return fate

    def _fate(self, call: Call) -> Fate:
        profile = self.profile
        # The one call that must not be doubled deserves to be hit more often than its share.
        rate = profile.calls * (2 if type(call) in NOT_REPEATABLE else 1)
        if self.happens(rate):
            return self.pick(_TRANSPORT)
        if self.happens(profile.frozen):
            return Fate.FROZEN
        if type(call) in WRITES and self.happens(profile.refusals):
            return self.pick((Fate.REFUSED, Fate.DENIED))
        return Fate.FINE

    def blow(self, now_ms: int, point: str) -> Blow:
        """What becomes of a worker at a point of its tick."""
        if now_ms >= self.quiet_after_ms:
            return Blow.NONE
        for rate, blow in ((self.profile.deaths, Blow.DEATH), (self.profile.freezes, Blow.FREEZE)):
            if self.happens(rate / 3):
                self.note(f"{blow.value} {point}")
                return blow
        return Blow.NONE

    def tick_copies(self, now_ms: int) -> int:
        """How often an entry that is due is really run."""
        if now_ms >= self.quiet_after_ms:
            return 1
        if self.happens(self.profile.lost_ticks):
            self.note("lost tick")
            return 0
        if self.happens(self.profile.double_ticks):
            self.note("double tick")
            return 2
        return 1

    def slot_wait_ms(self, call: Call, now_ms: int) -> int:
        """How long the shared quota lets a call wait; a start, which must not follow a cancel, the most often."""
        rate = self.profile.full * (3 if type(call) is StartInstances else 1)
        if now_ms < self.quiet_after_ms and self.happens(rate):
            self.note("full quota")
            return self.pick((300, 1_000, 20_000))
        return 0

    def latency_ms(self, call: Call) -> int:
        """How long a call takes that goes well."""
        slow = type(call) in (CreateInstances, StartInstances, StopInstances)
        quick = self.between(5, 40) if type(call) is GetInstance else self.between(20, 120)
        return quick + (self.between(0, 3_000) if slow and self.happens(0.05) else 0)
