"""A call as a handler sees it, and the ports that edge and handlers share."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Protocol

from headgate_server.logs.audit_log import UNAUDITED, Audited
from headgate_server.ports.caller import ANONYMOUS, Caller


class ReadMeter(Protocol):
    """Port: counts what is read for callers against their shares."""

    def weigh_read(self, caller: Caller, size: int, /) -> None:
        """Count so many bytes."""

    def weigh_watch(self, caller: Caller, instances: int, /) -> None:
        """Count the opening of a watch of so many instances."""


class _Unmetered:
    """Stands in where callers have no shares."""

    def weigh_read(self, caller: Caller, size: int, /) -> None:
        """Nothing."""

    def weigh_watch(self, caller: Caller, instances: int, /) -> None:
        """Nothing."""


UNMETERED: Final[ReadMeter] = _Unmetered()


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler knows of the call besides its request.

    Args:
        deadline: by the loop's clock; None when the caller gave none.
        trace_parent: W3C trace context; empty when there is none.
        caller: who calls.
        uid: of the job that the caller's right to was checked; another one that has its id by now is not meant. Empty
            where there was nothing to check.
        audit: notes what a call that writes does, and to which job.
        peer: address and port of the client's connection; of streams only.
        meter: counts what is read for the call.
    """

    deadline: float | None = None
    trace_parent: str = ""
    caller: Caller = ANONYMOUS
    uid: str = ""
    audit: Audited = UNAUDITED
    peer: str = ""
    meter: ReadMeter = UNMETERED

    def has_read(self, size: int) -> None:
        """Count bytes that were read from the store for the call, beyond what it answers."""
        self.meter.weigh_read(self.caller, size)

    def watches(self, instances: int) -> None:
        """Count instances that the call is about to watch."""
        self.meter.weigh_watch(self.caller, instances)


class Observer(Protocol):
    """Port: counts the calls that ended."""

    def rpc_ended(self, method: str, code: str, seconds: float) -> None:
        """A call of `method` ended with `code` after `seconds`."""


class ReplySink(Protocol):
    """Port: where the messages of a stream go."""

    def write(self, message: bytes, /) -> Awaitable[None]:
        """Send a serialised message, when the caller has room for it. What this raises ends the stream."""


PATIENCE_SECONDS: Final = 60.0
"""How long an open stream outlives a store that can't be read; then it ends with UNAVAILABLE."""
