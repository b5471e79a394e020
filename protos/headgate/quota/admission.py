"""How calls are let out: the script that hands out slots of a connection's quota, and what it answers.

A caller does not poll for a token: the script gives it a slot, the time at which its call may go out, in the order of
asking, and the calls are spread evenly. A cancel goes ahead of the queue, and everything after it moves back by one.

A slot is shown again before it is used, and the script lets the call out. What counts there is when the calls before
it were let out, not when they should have been: a worker that came late to its slot would otherwise send its call close
to the next ones, and upstream, which counts in seconds of its own, would refuse one of them (seen: 1 of 184). So never
more go out in any second than upstream allows in one. When it throttles all the same, the rate is lowered and comes
back slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from headgate.quota import fair_share
from headgate.quota.limits import KEEP_MS, TOTAL, WRITE, Limits
from headgate.quota.priority import URGENT_MS, Rank
from headgate.scripts import loader
from headgate.store import keys

PLAIN: Final = Rank()
"""A call of no job, with no priority, that has not waited yet."""


LOWEST_FACTOR: Final = 100
"""Thousandths of the rate below which throttling does not push it."""


class QuotaKeys(NamedTuple):
    """KEYS of `quota.lua`.

    Args:
        quota: hash of the connection's quota.
        sent_class: list of when the last calls of the class were let out.
        sent_total: the same of both classes.
        creators: those who ask, by when they last did; see `headgate.quota.fair_share`.
        turns: what each of them has had.
    """

    quota: str
    sent_class: str
    sent_total: str
    creators: str
    turns: str


class QuotaArguments(NamedTuple):
    """ARGV of `quota.lua`.

    Args:
        klass: "read" or "write".
        is_cancel: 1 for a call that goes ahead of the queue and may use the reserve.
        own_qps: calls a second of the class that upstream allows; 0 for no limit, here and below.
        total_qps: the same of both classes.
        own_daily: calls a day of the class.
        total_daily: the same of both classes.
        cancel_reserve: calls of a day that only a cancel may use.
        patience_ms: how far ahead a slot may lie.
        keep_ms: how long the quota is kept.
        priority: of the call's job.
        reach_ms: how far ahead a slot may lie while a job of higher priority asks.
        urgent_ms: for how long after it asked such a job counts as asking.
        held_epoch: of the slot that the call has waited for; empty for one that asks for the first time.
        share: how much of a rate is used.
        window_length: how much longer a window is than upstream's.
        creator: whose job the call is for.
        waited_ms: for how long the call has waited.
        pool: which calls share slots; see `pool`.
    """

    klass: str
    is_cancel: int
    own_qps: float
    total_qps: float
    own_daily: int
    total_daily: int
    cancel_reserve: int
    patience_ms: int
    keep_ms: int
    priority: int
    reach_ms: int
    urgent_ms: int
    held_epoch: int | str
    share: float
    window_length: float
    creator: str
    waited_ms: int
    pool: str


class QuotaAnswer(IntEnum):
    """Codes of `quota.lua`: what the types under `QuotaVerdict` say."""

    LET_OUT = 1
    FROZEN = 2
    CROWDED = 3
    SLOT = 4
    LATER = 5


SCRIPT: Final = loader.load("quota", QuotaKeys, QuotaArguments, answers=QuotaAnswer, constants=fair_share.CONSTANTS)
"""Lets a call out, or hands it a slot."""


class ThrottledKeys(NamedTuple):
    """KEYS of `throttled.lua`."""

    quota: str


class ThrottledArguments(NamedTuple):
    """ARGV of `throttled.lua`: below which factor the rate is not pushed, and how long the hash is kept."""

    lowest_factor: int
    keep_ms: int


THROTTLED_SCRIPT: Final = loader.load("throttled", ThrottledKeys, ThrottledArguments)
"""Upstream throttled: the rate falls by 20 %, and slots that are still waited for are handed out anew."""


@dataclass(frozen=True, slots=True)
class Go:
    """The call goes out now, and counts as made."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The call may go out at `at_ms` and counts as made; the slot is to be shown then.

    Args:
        at_ms: by the store's clock.
        epoch: which rate the slot was handed out at; it counts up whenever the rate is lowered.
    """

    at_ms: int
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Frozen:
    """No call of this class goes out before `until_ms`; nothing was counted."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Crowded:
    """The next slot, at `at_ms`, lies further ahead than the caller would wait; nothing was counted."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Later:
    """The call's creator has its share of the next slots; to be asked again at `at_ms`. Nothing was counted."""

    at_ms: int


QuotaVerdict = Go | Slot | Frozen | Crowded | Later


WINDOW_SHARE: Final = 0.8
"""How much of the room that `Limits.share` leaves is kept where calls are let out; the rest is for their way there."""


def pool(limits: Limits, klass: str) -> str:
    """Which calls creators share with each other: those of the class where it has a rate of its own, else all."""
    return klass if (limits.write_qps if klass == WRITE else limits.read_qps) else TOTAL


def script_keys(connection: str, klass: str, limits: Limits) -> QuotaKeys:
    """KEYS of the script."""
    shared = pool(limits, klass)
    return QuotaKeys(
        keys.quota(connection),
        keys.quota_sent(connection, klass),
        keys.quota_sent(connection, TOTAL),
        keys.quota_creators(connection, shared),
        keys.quota_turns(connection, shared),
    )


def script_arguments(
    limits: Limits, klass: str, *, cancel: bool, patience_ms: int, rank: Rank = PLAIN, held: int | None = None
) -> QuotaArguments:
    """ARGV of the script: a call of class "read" or "write" whose caller would wait for `patience_ms`.

    `held` is the epoch of the slot that the call has waited for; None for a call that asks for the first time.
    """
    own_qps, own_daily = (
        (limits.write_qps, limits.write_daily) if klass == WRITE else (limits.read_qps, limits.read_daily)
    )
    return QuotaArguments(
        klass=klass,
        is_cancel=int(cancel),
        own_qps=own_qps,
        total_qps=limits.total_qps,
        own_daily=own_daily,
        total_daily=limits.total_daily,
        cancel_reserve=limits.cancel_reserve,
        patience_ms=patience_ms,
        keep_ms=KEEP_MS,
        priority=rank.priority,
        reach_ms=rank.reach_ms,
        urgent_ms=URGENT_MS,
        held_epoch="" if held is None else held,
        share=limits.share,
        window_length=1 + WINDOW_SHARE * (1 / limits.share - 1),
        creator=rank.creator,
        waited_ms=rank.waited_ms,
        pool=pool(limits, klass),
    )


def parse_verdict(raw: Sequence[int]) -> QuotaVerdict:
    """What the script answered."""
    code, at_ms = QuotaAnswer(int(raw[0])), int(raw[1])
    if code is QuotaAnswer.LET_OUT:
        return Go()
    if code is QuotaAnswer.SLOT:
        return Slot(at_ms, int(raw[2]))
    if code is QuotaAnswer.LATER:
        return Later(at_ms)
    return Frozen(at_ms) if code is QuotaAnswer.FROZEN else Crowded(at_ms)
