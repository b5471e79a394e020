"""What is remembered of a connection: after which ends of a parent upstream begins its children by itself.

Learnt from what was seen, never assumed. Being wrong costs a wait, or a start that upstream refuses, and no second run:
a child is read before it is started, and upstream starts nothing that runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

HOLDS_MS: Final = 7 * 24 * 3600 * 1000
"""How long what was seen holds for what is: upstream may change."""

RENEWED_AFTER_MS: Final = 24 * 3600 * 1000
"""How old a fact is before the same, seen again, is written again."""

SHORTEST_MS: Final = 5_000
"""The least wait that shows anything."""

LAGS: Final = 4
"""What upstream does not begin within so many times the longest lag that was seen, it does not begin."""

LAG_STEP_MS: Final = 1_000
"""The longest lag is kept in whole steps, so that it is seldom written."""


@dataclass(frozen=True, slots=True)
class ReleaseFact:
    """Whether children are begun after one kind of end, and by what that is known.

    Args:
        released: they are.
        at_ms: when that was seen last.
        job: by which job, "jobs/{job_id}".
        instance_id: of the child.
    """

    released: bool
    at_ms: int
    job: str = ""
    instance_id: int = 0


@dataclass(frozen=True, slots=True)
class ReleaseEvidence:
    """What one child shows.

    Args:
        succeeded: how its parent has ended: in Success, or in another way.
        fact: what follows.
        lag_ms: how long after its parent's end upstream began it; 0 where it did not.
    """

    succeeded: bool
    fact: ReleaseFact
    lag_ms: int = 0


@dataclass(frozen=True, slots=True)
class ChildRelease:
    """What is known of one connection.

    Args:
        after_success: whether upstream begins a child after its parent's Success; None while that was not seen.
        after_failure: the same after a Failure, which a stop ends in too.
        lag_ms: the longest time seen between a parent's end and the begin of its child by upstream.
    """

    after_success: ReleaseFact | None = None
    after_failure: ReleaseFact | None = None
    lag_ms: int = 0

    def after(self, *, succeeded: bool) -> ReleaseFact | None:
        """What was last seen of such an end, be it long ago."""
        return self.after_success if succeeded else self.after_failure

    def releases(self, now_ms: int, *, succeeded: bool) -> bool | None:
        """Whether upstream begins a child after such an end; None while that is not known, or not any more."""
        fact = self.after(succeeded=succeeded)
        return None if fact is None or fact.at_ms + HOLDS_MS < now_ms else fact.released

    @property
    def telling_ms(self) -> int:
        """How long a child has to stay NotRun to show that upstream does not begin it."""
        return max(SHORTEST_MS, LAGS * self.lag_ms)

    def grace_ms(self, now_ms: int, *, succeeded: bool, longest_ms: int) -> int:
        """How long a child may stay NotRun after such an end before it is started, `longest_ms` at most."""
        releases = self.releases(now_ms, succeeded=succeeded)
        if releases is None and not succeeded and self.releases(now_ms, succeeded=True):
            return min(longest_ms, self.telling_ms)
        return 0 if releases is False else longest_ms

    def learn(self, evidence: ReleaseEvidence) -> ChildRelease:
        """What is known once this was seen too; the same value where it says nothing new."""
        known = self.after(succeeded=evidence.succeeded)
        lag_ms = max(self.lag_ms, -(-evidence.lag_ms // LAG_STEP_MS) * LAG_STEP_MS)
        fact = evidence.fact
        is_known = known is not None and known.released == fact.released and fact.at_ms - known.at_ms < RENEWED_AFTER_MS
        if is_known:
            return self if lag_ms == self.lag_ms else replace(self, lag_ms=lag_ms)
        if evidence.succeeded:
            return replace(self, after_success=fact, lag_ms=lag_ms)
        return replace(self, after_failure=fact, lag_ms=lag_ms)


UNKNOWN: Final = ChildRelease()
"""Nothing was seen yet."""


def encode_release(known: ChildRelease) -> bytes:
    """What is known, as it is stored: JSON; members of a later version are left out by earlier ones."""
    facts = {"s": known.after_success, "f": known.after_failure}
    plain: dict[str, Any] = {
        key: [fact.released, fact.at_ms, fact.job, fact.instance_id] for key, fact in facts.items() if fact
    }
    return json.dumps({**plain, "l": known.lag_ms}).encode()


def decode_release(raw: bytes) -> ChildRelease:
    """What was stored; nothing is known where the bytes are none of ours."""
    try:
        plain = json.loads(raw) if raw else {}
        return ChildRelease(_fact(plain.get("s")), _fact(plain.get("f")), int(plain.get("l", 0)))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return UNKNOWN


def _fact(stored: Any) -> ReleaseFact | None:
    if stored is None:
        return None
    released, at_ms, job, instance_id = stored
    return ReleaseFact(bool(released), int(at_ms), str(job), int(instance_id))
