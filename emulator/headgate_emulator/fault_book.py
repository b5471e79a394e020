"""Which faults are switched on, and how often each may still strike."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from headgate_emulator.faults import CallFault, RunFault

MAX_FAULTS = 1000

F = TypeVar("F", bound=RunFault | CallFault)


class TooManyFaults(Exception):
    """The book already holds as many faults as it may."""


@dataclass(slots=True)
class Armed:
    """A fault and the number of times that it may still strike."""

    fault: RunFault | CallFault
    left: int


class FaultBook:
    """The faults that are switched on, oldest first. Only `take` uses them up."""

    def __init__(self, faults: Iterable[RunFault | CallFault] = ()) -> None:
        self._armed: list[Armed] = []
        self.add(faults)

    def add(self, faults: Iterable[RunFault | CallFault]) -> None:
        """Switch faults on, after those already there. Raises TooManyFaults above 1000, adding none."""
        new = [Armed(fault, fault.count) for fault in faults]
        if len(self._armed) + len(new) > MAX_FAULTS:
            raise TooManyFaults(f"at most {MAX_FAULTS} faults may be switched on")
        self._armed += new

    def take(self, kind: type[F], matches: Callable[[F], bool]) -> F | None:
        """The oldest fault of `kind` that matches, used once; None if there is none."""
        for armed in self._armed:
            if isinstance(armed.fault, kind) and matches(armed.fault):
                return self._use(armed, armed.fault)
        return None

    def clear(self) -> None:
        """Switch every fault off."""
        self._armed.clear()

    def rows(self) -> list[Armed]:
        """What is switched on, oldest first."""
        return [Armed(armed.fault, armed.left) for armed in self._armed]

    def _use(self, armed: Armed, fault: F) -> F:
        armed.left -= 1
        if armed.left == 0:
            self._armed.remove(armed)
        return fault
