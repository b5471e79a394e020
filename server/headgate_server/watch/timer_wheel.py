"""The clock of idle watchers: few timers wake many of them, one for all bells whose time comes in the same round.

A timer of its own is a fortieth of an idle watcher, and what most watchers wait for is a sign of life long ahead.
"""

from __future__ import annotations

import asyncio
from typing import Final

from headgate_server.watch.job_subscription import Bell

ROUND_SECONDS: Final = 0.1
"""How far rounds are apart, which is how late a bell may be woken."""


class Rounds:
    """The rounds ahead that have to wake somebody, each with a timer. Made where a loop runs.

    `now` is the loop's clock. It is kept here because to ask for the running loop costs a system call.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ahead: dict[int, list[Bell]] = {}
        self.now = self._loop.time

    def wait(self, bell: Bell, until: float) -> asyncio.Future[None]:
        """What the owner of a silent bell awaits; done at its next ring, or in the first round after `until`.

        It may be done earlier, for nothing: a bell stays in the round it once asked for, so that it costs nothing here
        as long as its time is only put off, as by every event. It is no coroutine, since that would keep a frame.
        """
        number = int(until / ROUND_SECONDS) + 1
        if not 0 < bell.round <= number:
            self._join(bell, number)
        waiter = bell.waiter = self._loop.create_future()
        return waiter

    def leave(self, bell: Bell) -> None:
        """Wake a bell in no round."""
        if bell.round:
            self._ahead[bell.round].remove(bell)
            bell.round = 0

    def _join(self, bell: Bell, number: int) -> None:
        self.leave(bell)
        if number not in self._ahead:
            self._ahead[number] = []
            self._loop.call_at(number * ROUND_SECONDS, self._go, number)
        self._ahead[number].append(bell)
        bell.round = number

    def _go(self, number: int) -> None:
        for bell in self._ahead.pop(number):
            bell.round = 0
            bell.wake()
