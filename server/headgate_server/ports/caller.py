"""Who calls: a caller with its rights and limits. Pure; how callers are known is in `auth`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from headgate.process import caller_rules
from headgate.store import connection_names


class Right(Enum):
    """What a caller may do (ADR 0023)."""

    READ = "read"
    """See jobs and instances, without payloads but for those of its own jobs."""
    PLAN = "plan"
    """Have plans made, each of which reads much upstream."""
    PAYLOADS = "payloads"
    """See scripts, parameters and logs of every job and task that it may see."""
    WRITE = "write"
    """Submit and steer. It implies READ and PLAN: a submit answers with its job, and RunJob watches it."""

    def implied(self) -> frozenset[Right]:
        """The right with those that it brings along."""
        return frozenset({Right.WRITE, Right.READ, Right.PLAN}) if self is Right.WRITE else frozenset({self})


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """The shares of one caller. 0 stands for no limit; each counts what one process sees, but for the last two.

    Args:
        calls_per_second: most calls in the long run; a second's worth may come at once.
        max_watches: most open streams, waiting long polls among them.
        max_watched_instances: most instances that its streams watch, each counted once.
        max_open_reads: most reads that wait for workers.
        max_plan_dates: most dates of plans that wait for workers; a plan that is the only one has as many as it likes.
        upstream_reads_per_minute: most calls upstream that its reads and watches ask for; a minute's worth at once.
        max_jobs: most stored jobs, ended ones among them.
        max_stored_bytes: most bytes of stored jobs and their logs.
    """

    calls_per_second: float = 0.0
    max_watches: int = 0
    max_watched_instances: int = 0
    max_open_reads: int = 0
    max_plan_dates: int = 0
    upstream_reads_per_minute: float = 0.0
    max_jobs: int = 0
    max_stored_bytes: int = 0


UNLIMITED: Final = CallerLimits()
"""No limit at all."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller, with its rights and limits.

    Args:
        name: stands in jobs, events and logs.
        rights: what it may do.
        connections: on which connections, "" being the default one; None for all of them.
        limits: its shares of what is scarce.
    """

    name: str
    rights: frozenset[Right]
    connections: frozenset[str] | None = None
    limits: CallerLimits = UNLIMITED

    def may_use(self, connection: str) -> bool:
        """Whether the caller may use a connection."""
        return self.connections is None or connection in self.connections

    def also_by(self, default: str) -> Caller:
        """The same caller, where one of its connections has another name besides, by which it may use it too.

        Args:
            default: the default connection's own name; empty where it has none, or none is known.
        """
        if self.connections is None or not default:
            return self
        return replace(self, connections=connection_names.all_of(self.connections, default))

    @property
    def sees_all(self) -> bool:
        """Whether the caller is shown whatever there is, of every connection."""
        return self.connections is None and Right.PAYLOADS in self.rights

    def may_all_of(self, other: Caller) -> bool:
        """Whether the caller may do at least what another may."""
        wide = self.connections is None or (other.connections is not None and other.connections <= self.connections)
        return wide and other.rights <= self.rights


ANONYMOUS: Final = Caller(caller_rules.ANONYMOUS, frozenset(Right))
"""All callers, where none are named: without shares, since one would be the share of all."""
