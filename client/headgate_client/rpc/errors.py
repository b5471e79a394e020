"""What can go wrong, as one exception with questions instead of many classes.

`HeadgateError` is what a call failed with; its children are about a job that did not succeed. Whether the
fault is the caller's, and whether the same call again would help, are properties.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from headgate import pb

_Detail = TypeVar("_Detail", bound=Message)
_DETAILS_KEY = "grpc-status-details-bin"
_CODE_OF_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request, or one condition that does not hold.

    Args:
        subject: path of the field, such as "spec.biz_dates[0]", or what the condition is about.
        description: what is wrong and what would be right.
    """

    subject: str
    description: str


class HeadgateError(Exception):
    """A call that did not succeed.

    Attributes:
        code: gRPC status code.
        reason: one word of docs/errors.md, such as "JOB_UNKNOWN"; empty if no headgate server answered.
        message: the server's sentence.
        metadata: facts by name, such as "compact_revision".
        field_violations: every field that is wrong with the request.
        preconditions: every condition that does not hold, such as one per overlapping business date.
        retry_after: seconds to wait before the same call may help; None if the server did not say.
        method: name of the RPC, such as "GetJob"; empty if there was none.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str = "",
        message: str = "",
        *,
        metadata: Mapping[str, str] | None = None,
        field_violations: Iterable[Violation] = (),
        preconditions: Iterable[Violation] = (),
        retry_after: float | None = None,
        method: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.field_violations = tuple(field_violations)
        self.preconditions = tuple(preconditions)
        self.retry_after = retry_after
        self.method = method

    def __str__(self) -> str:
        word = f"{self.code.name} {self.reason}".strip()
        fields = "".join(f"; {field.subject}: {field.description}" for field in self.field_violations)
        return f"{self.method}: {word}: {self.message}{fields}".removeprefix(": ")

    @classmethod
    def from_rpc(cls, error: grpc.aio.AioRpcError, *, method: str = "") -> Self:
        """Read everything that a failed call carries."""
        status = _details(error)
        if status is None:
            return cls(error.code(), message=error.details() or "", method=method)
        return cls.from_status(status, method=method)

    @classmethod
    def from_status(cls, status: status_pb2.Status, *, method: str = "") -> Self:
        """Read everything that a `google.rpc.Status` carries; an unknown code reads as UNKNOWN."""
        info = _detail(status, error_details_pb2.ErrorInfo) or error_details_pb2.ErrorInfo()
        fields = _detail(status, error_details_pb2.BadRequest) or error_details_pb2.BadRequest()
        conditions = _detail(status, error_details_pb2.PreconditionFailure)
        retry = _detail(status, error_details_pb2.RetryInfo)
        return cls(
            _CODE_OF_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN),
            info.reason,
            status.message,
            metadata=info.metadata,
            field_violations=[Violation(row.field, row.description) for row in fields.field_violations],
            preconditions=[Violation(row.subject, row.description) for row in conditions.violations]
            if conditions
            else (),
            retry_after=retry.retry_delay.ToNanoseconds() / 1e9 if retry else None,
            method=method,
        )

    @property
    def is_not_found(self) -> bool:
        """Whether what was asked for does not exist, or no longer."""
        return self.code is grpc.StatusCode.NOT_FOUND

    @property
    def is_already_exists(self) -> bool:
        """Whether the chosen job_id is taken."""
        return self.code is grpc.StatusCode.ALREADY_EXISTS

    @property
    def is_invalid(self) -> bool:
        """Whether the request itself is wrong: mend it, the same again never helps."""
        return self.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE)

    @property
    def is_conflict(self) -> bool:
        """Whether the state of things forbids it: read, decide, perhaps call again."""
        return self.code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED)

    @property
    def is_denied(self) -> bool:
        """Whether the token is missing, wrong, or not enough."""
        return self.code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)

    @property
    def is_exhausted(self) -> bool:
        """Whether a quota or a limit is used up; `retry_after` says when to come back, if that is known."""
        return self.code is grpc.StatusCode.RESOURCE_EXHAUSTED

    @property
    def is_unavailable(self) -> bool:
        """Whether no answer came: the server or its store could not be reached, or time ran out."""
        return self.code in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )

    @property
    def is_unbuilt(self) -> bool:
        """Whether the server does not have this method."""
        return self.code is grpc.StatusCode.UNIMPLEMENTED

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may succeed later, if it is safe to repeat.

        A CANCELLED that this client did not ask for comes from a server that sheds load or shuts down.
        """
        return self.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


class JobNotSucceeded(HeadgateError):
    """A job did not do what it was asked for. `job` is the job as it stands."""

    _WORDS: ClassVar[str] = "did not succeed"

    def __init__(self, job: pb.Job) -> None:
        cause = HeadgateError.from_status(job.error)
        super().__init__(
            cause.code,
            cause.reason,
            f"{job.name} {self._WORDS}" + (f": {cause.message}" if cause.message else ""),
            metadata=cause.metadata,
        )
        self.job = job

    def __str__(self) -> str:
        return self.message


class JobFailed(JobNotSucceeded):
    """The job ended, and not with success."""

    _WORDS = "failed"


class JobCancelled(JobNotSucceeded):
    """The job was cancelled."""

    _WORDS = "was cancelled"


class JobNeedsAttention(JobNotSucceeded):
    """The job waits for a person who finds out what happened upstream; see `JobHandle.resolve`."""

    _WORDS = "needs attention"


_FAILURE_OF_STATE: dict[pb.JobState.ValueType, type[JobNotSucceeded]] = {
    pb.JOB_STATE_FAILED: JobFailed,
    pb.JOB_STATE_CANCELLED: JobCancelled,
    pb.JOB_STATE_NEEDS_ATTENTION: JobNeedsAttention,
}


def failure_of(job: pb.Job) -> JobNotSucceeded | None:
    """Return the exception of how the job ended; None if it succeeded or goes on."""
    failure = _FAILURE_OF_STATE.get(job.state)
    return failure(job) if failure else None


def _details(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return _parsed(value)
    return None


def _parsed(value: bytes) -> status_pb2.Status | None:
    # What a proxy made of the details is its own affair; code and message still stand.
    try:
        return status_pb2.Status.FromString(value)
    except DecodeError:
        return None


def _detail(status: status_pb2.Status, kind: type[_Detail]) -> _Detail | None:
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            detail = kind()
            return detail if packed.Unpack(detail) else None
    return None
