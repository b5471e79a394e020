"""The emulator's own time, which tests can stop, push forward or run faster than the real one."""

import time
from collections.abc import Callable

WallClock = Callable[[], int]


def system_wall_ms() -> int:
    """The machine's time in epoch ms."""
    return time.time_ns() // 1_000_000


class Clock:
    """Virtual time in epoch ms: it passes `scale` times as fast as the wall, and jumps on request.

    Scale 0 stands still and moves only by `advance`. Signatures are judged by the wall, because clients sign
    with their own clock, which cannot follow a jump. Rates are counted in `paced_ms`: real time plus jumps.
    """

    def __init__(self, wall: WallClock = system_wall_ms, *, start_ms: int | None = None, scale: float = 1.0) -> None:
        self._wall = wall
        self._anchor_wall = wall()
        self._anchor = self._anchor_wall if start_ms is None else start_ms
        self._scale = scale
        self._jumped = 0

    @property
    def scale(self) -> float:
        """How many virtual seconds pass in a real one."""
        return self._scale

    def now_ms(self) -> int:
        """The virtual time; it never goes back, whatever the wall does."""
        passed = max(0, self._wall() - self._anchor_wall)
        return self._anchor + round(passed * self._scale)

    def wall_ms(self) -> int:
        """The real time."""
        return self._wall()

    def paced_ms(self) -> int:
        """Real time plus every jump: what request rates are measured with."""
        return self._wall() + self._jumped

    def advance(self, seconds: float) -> None:
        """Jump forward; `seconds` of virtual time, not negative."""
        if seconds < 0:
            raise ValueError("the clock does not go back")
        self._anchor += round(seconds * 1000)
        self._jumped += round(seconds * 1000)

    def rescale(self, scale: float) -> None:
        """Let time pass `scale` times as fast from now on; not negative."""
        if scale < 0:
            raise ValueError("time does not run backwards")
        self._anchor, self._anchor_wall = self.now_ms(), self._wall()
        self._scale = scale
