"""The timer wheel of idle watchers: one timer for all subscriptions whose time comes in the same round.

A timer per watcher would add 2.5 % to an idle watcher's memory, and most wait for a sign of life long ahead.
"""

from __future__ import annotations

import asyncio
from typing import Final

from headgate_server.watch.job_subscription import JobSubscription

ROUND_SECONDS: Final = 0.1
"""How far rounds are apart, which is how late a subscription may be woken."""


class TimerWheel:
    """The rounds ahead in which a subscription is woken, each with a timer. Made where a loop runs.

    `now` is the loop's clock. It is kept here because to ask for the running loop costs a system call.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ahead: dict[int, list[JobSubscription]] = {}
        self.now = self._loop.time

    def wait(self, subscription: JobSubscription, until: float) -> asyncio.Future[None]:
        """What the owner of a silent subscription awaits; done at its next hint, or in the first round after `until`.

        It may be done earlier, for nothing: a subscription stays in the round it asked for, so it costs nothing here as
        long as its time is only put off, as by every event. It is no coroutine, since that would keep a frame.
        """
        number = int(until / ROUND_SECONDS) + 1
        if not 0 < subscription.round <= number:
            self._join(subscription, number)
        waiter = subscription.waiter = self._loop.create_future()
        return waiter

    def leave(self, subscription: JobSubscription) -> None:
        """Wake a subscription in no round."""
        if subscription.round:
            self._ahead[subscription.round].remove(subscription)
            subscription.round = 0

    def _join(self, subscription: JobSubscription, number: int) -> None:
        self.leave(subscription)
        if number not in self._ahead:
            self._ahead[number] = []
            self._loop.call_at(number * ROUND_SECONDS, self._go, number)
        self._ahead[number].append(subscription)
        subscription.round = number

    def _go(self, number: int) -> None:
        for subscription in self._ahead.pop(number):
            subscription.round = 0
            subscription.wake()
