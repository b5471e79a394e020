"""Every fault that can be switched on, each a small declared value with a bounded count.

Two families. Faults of a *run or operation* change what happens in the world; faults of a *call* change what
the caller sees of it. A fault is used up by the first `count` runs or calls that it matches.
"""

from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

MANY = 1_000_000

Count = Annotated[int, Field(ge=1, le=MANY)]
Seconds = Annotated[float, Field(ge=0, le=10_000_000)]
Millis = Annotated[int, Field(ge=0, le=600_000)]

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnRun:
    """Matches runs by business date and by a glob over the instance's name; None matches all."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    biz_date: date | None = None
    name: str | None = None

    def matches(self, biz_date: date, name: str) -> bool:
        """Whether a run of this date and name is meant."""
        if self.biz_date is not None and self.biz_date != biz_date:
            return False
        return self.name is None or fnmatchcase(name, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnCreate:
    """Matches create operations by a glob over the name they give; None matches all."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str | None = None
    count: Count = 1

    def matches(self, name: str) -> bool:
        """Whether an operation of this name is meant."""
        return self.name is None or fnmatchcase(name, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnCall:
    """Matches calls by a glob over the action, such as `Get*`."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    action: str = "*"
    count: Count = 1

    def matches(self, action: str) -> bool:
        """Whether a call of this action is meant."""
        return fnmatchcase(action, self.action)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFor(_OnRun):
    """Matching runs stay in Running for `seconds`."""

    kind: Literal["run_for"] = "run_for"
    seconds: Seconds
    count: Count = MANY


@dataclass(frozen=True, slots=True, kw_only=True)
class FailRun(_OnRun):
    """Matching runs end in Failure; the task `task_name` fails and logs `log`."""

    kind: Literal["fail_run"] = "fail_run"
    task_name: str | None = None
    log: str = "FAILED: ODPS-0130071:[1,15] Semantic analysis exception - table not found"
    count: Count = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun(_OnRun):
    """Tasks of matching runs execute nothing and end in Success, as upstream does where a permission lacks (U17).

    All tasks, or the one of the name `task_name`.
    """

    kind: Literal["dry_run"] = "dry_run"
    task_name: str | None = None
    count: Count = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckStop(_OnRun):
    """A stop of a matching instance is accepted and never settles: the instance keeps its status for ever."""

    kind: Literal["stuck_stop"] = "stuck_stop"
    instance_id: int | None = None
    count: Count = 1

    def matches_instance(self, identity: int, biz_date: date, name: str) -> bool:
        """Whether a stop of this instance is meant."""
        return self.instance_id in (None, identity) and self.matches(biz_date, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayCreate(_OnCreate):
    """A create operation of a matching name stays Creating for `seconds`."""

    kind: Literal["delay_create"] = "delay_create"
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class FailCreate(_OnCreate):
    """A create operation of a matching name ends in CreateFailure."""

    kind: Literal["fail_create"] = "fail_create"
    message: str = "Non-existent TaskIDs: [1023697426]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency(_OnCall):
    """A matching call is answered `millis` of real time later."""

    kind: Literal["latency"] = "latency"
    millis: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRequest(_OnCall):
    """The connection is closed before a matching call reaches the gateway: nothing is applied or counted."""

    kind: Literal["lost_request"] = "lost_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class LostReply(_OnCall):
    """A matching call is applied, then the connection is closed without a reply."""

    kind: Literal["lost_reply"] = "lost_reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedLate(_OnCall):
    """The connection is closed at once; a matching call takes effect `seconds` of virtual time later.

    What a gateway between does that gives its caller up and still has the request in a queue. Of DataWorks' calls.
    """

    kind: Literal["applied_late"] = "applied_late"
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply(_OnCall):
    """A matching call is answered with the error envelope; `applied` says whether it takes effect first.

    A `status` of 200 gives the error-shaped success body that proxies produce.
    """

    kind: Literal["error_reply"] = "error_reply"
    code: str = "InternalError.System"
    status: Annotated[int, Field(ge=200, le=599)] = 500
    message: str = "The request has failed due to a temporary failure of the server."
    retry_after_ms: Millis | None = None
    applied: bool = False


Shape = Literal[
    "html",
    "truncated",
    "cut",
    "wrong_types",
    "missing_members",
    "empty",
    "not_object",
    "huge",
    "slow",
    "redirect",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedReply(_OnCall):
    """A matching call is applied, then its reply is spoilt.

    html: a proxy's page. truncated: half of the JSON. cut: the connection ends inside the body. wrong_types:
    numbers and words trade places. missing_members: RequestId alone. empty: no body. not_object: a JSON list.
    huge: `megabytes` of padding. slow: the body drips out over `seconds` of real time. redirect: 302.
    """

    kind: Literal["malformed_reply"] = "malformed_reply"
    shape: Shape
    status: Annotated[int, Field(ge=200, le=599)] = 200
    megabytes: Annotated[int, Field(ge=1, le=64)] = 8
    seconds: Annotated[float, Field(ge=0, le=600)] = 5.0


RunFault = RunFor | FailRun | DryRun | StuckStop | DelayCreate | FailCreate
CallFault = Latency | LostRequest | LostReply | AppliedLate | ErrorReply | MalformedReply
Fault = Annotated[RunFault | CallFault, Field(discriminator="kind")]
