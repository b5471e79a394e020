"""What can go wrong in a server, as exceptions. Adapters raise them, `status` makes gRPC statuses of them."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message

from headgate.reasons import Reason


class ServerError(Exception):
    """Root of everything a server raises on purpose."""


class StoreUnavailable(ServerError):
    """Redis can't be reached, is loading, or refuses writes. Whether a write was done may be unknown."""


class StoreFull(ServerError):
    """Redis has reached its memory limit; nothing was written."""


class RowDamaged(ServerError):
    """A key of Redis is not as our scripts write it, such as of another type; nothing was written."""


class JobDamaged(ServerError):
    """What is kept of one job can't be read, or disagrees with its log; nothing was written.

    Args:
        job_id: which job.
        revision: the event that can't be read; 0 where it is the job itself.
        seen: revision and uid of the row as they stood there, so that no other row is taken for it; empty for none.
    """

    def __init__(self, job_id: str, revision: int = 0, seen: tuple[bytes, bytes] = (b"", b"")) -> None:
        super().__init__(f"{job_id} at {revision}")
        self.job_id = job_id
        self.revision = revision
        self.seen = seen


class StoreUnfit(ServerError):
    """Redis is set up so that it would lose jobs; the server must not start on it."""


class Refused(ServerError):
    """A call is answered with an error that its caller can act on.

    Args:
        reason: the machine-readable word; its code becomes the gRPC status code.
        message: one line for people, never with secrets or text of foreign exceptions.
        metadata: facts for programs, such as the name of the other job.
        details: further google.rpc error details, such as BadRequest.
        retry_seconds: when set, RetryInfo says to wait this long, 0.1 s or more.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        details: tuple[Message, ...] = (),
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.details = details
        self.retry_seconds = retry_seconds


class Relayed(ServerError):
    """A worker answered a read with an error; it goes to the caller as it came.

    Args:
        status: a serialised google.rpc.Status.
    """

    def __init__(self, status: bytes) -> None:
        super().__init__("a worker refused a read")
        self.status = status
