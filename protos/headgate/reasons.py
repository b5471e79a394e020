"""Reasons of errors: the machine-readable word in google.rpc.ErrorInfo.reason, with what a caller should do.

docs/errors.md is this table for people; a test keeps the two alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

DOMAIN: Final = "headgate"
"""google.rpc.ErrorInfo.domain of every error."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reason says.

    Args:
        code: name of the gRPC status code it comes with; in a job's `error` the code means the same.
        cause: what happened.
        action: what the caller should do.
    """

    code: str
    cause: str
    action: str


class Reason(Enum):
    """Every reason there is. The name is what goes over the wire."""

    FIELD_INVALID = Meaning(
        "INVALID_ARGUMENT", "Fields break the rules of the API.", "Mend every field that BadRequest names."
    )
    REQUEST_ID_REUSED = Meaning(
        "INVALID_ARGUMENT", "The request_id was used with another body.", "Use a fresh request_id."
    )
    PAGE_TOKEN_INVALID = Meaning(
        "INVALID_ARGUMENT",
        "The page token can't be read, or belongs to other arguments; the message says which.",
        "Repeat the arguments of the first page, or start again without a token.",
    )
    MESSAGE_MALFORMED = Meaning(
        "INVALID_ARGUMENT", "The request can't be parsed.", "Check that client and server share the API."
    )
    REQUEST_OVERDUE = Meaning(
        "DEADLINE_EXCEEDED",
        "The call began, and its request did not arrive within 10 s; or a stream of requests went on for too long.",
        "Repeat, with the whole request at once.",
    )
    TOKEN_MISSING = Meaning(
        "UNAUTHENTICATED",
        "The call carries no token, and no certificate that names a caller.",
        "Send a token with every call; the operator gives them.",
    )
    TOKEN_INVALID = Meaning(
        "UNAUTHENTICATED",
        "The token is malformed or unknown, or was taken back; or the client certificate does not name one caller.",
        "Check that it is the whole token; ask the operator for another, or for a certificate with one plain name.",
    )
    TOKEN_EXPIRED = Meaning("UNAUTHENTICATED", "The token has expired.", "Ask the operator for another.")
    RIGHT_MISSING = Meaning(
        "PERMISSION_DENIED", "The caller has no right to call this method.", "Ask the operator for the right it names."
    )
    CONNECTION_DENIED = Meaning(
        "PERMISSION_DENIED",
        "The connection is none of those that the caller may use.",
        "Name one of yours; the operator says which they are.",
    )
    JOB_DENIED = Meaning(
        "PERMISSION_DENIED",
        "No such job on the connections that the caller may use; whether on others is not told.",
        "Check the name. Do not retry.",
    )
    JOB_EXISTS = Meaning(
        "ALREADY_EXISTS", "The job_id is taken.", "Choose another job_id, or read the job that has it."
    )
    JOB_UNKNOWN = Meaning("NOT_FOUND", "No such job, or it has expired.", "Check the name. Do not retry.")
    JOB_DELETED = Meaning(
        "NOT_FOUND",
        "The request was done before, and its job has been deleted since or has expired.",
        "Nothing, if it need not be done again; else ask with a fresh request_id.",
    )
    SERVICE_UNKNOWN = Meaning(
        "NOT_FOUND",
        "The health of a service that this server does not have.",
        "Check the name; List of health has all.",
    )
    INSTANCE_UNKNOWN = Meaning(
        "NOT_FOUND", "Upstream has no such instance.", "Check the id; upstream keeps backfills about 30 days."
    )
    CONNECTION_UNKNOWN = Meaning(
        "NOT_FOUND", "No connection of that name.", "Ask the operator which connections there are."
    )
    REVISION_COMPACTED = Meaning(
        "OUT_OF_RANGE", "The log no longer reaches back so far.", "Watch again with start_revision 0."
    )
    REVISION_FUTURE = Meaning("OUT_OF_RANGE", "The job has no such revision.", "Watch again with start_revision 0.")
    RESUME_TOKEN_EXPIRED = Meaning(
        "OUT_OF_RANGE", "The feed no longer reaches back so far.", "Watch again without a token."
    )
    ETAG_MISMATCH = Meaning("ABORTED", "The job has changed since it was read.", "Read it and decide again.")
    PLAN_CHANGED = Meaning("ABORTED", "The plan is no longer what would happen.", "Plan again.")
    PLAN_EXPIRED = Meaning("ABORTED", "The plan is older than its token allows.", "Plan again.")
    STATE_CONFLICT = Meaning(
        "FAILED_PRECONDITION", "The job's state does not allow that.", "Read the job's state first."
    )
    BACKFILL_OVERLAP = Meaning(
        "FAILED_PRECONDITION",
        "Another active backfill covers some of the dates.",
        "Wait for it, or choose another overlap policy.",
    )
    UPSTREAM_REFUSED = Meaning(
        "FAILED_PRECONDITION", "Upstream refused the call.", "See upstream's code in the metadata."
    )
    UPSTREAM_REPLY_TOO_LARGE = Meaning(
        "FAILED_PRECONDITION",
        "Upstream's answer is larger than the 16 MiB that are read of one.",
        "Ask for less; read a log of that size in the console.",
    )
    UPSTREAM_DENIED = Meaning(
        "FAILED_PRECONDITION",
        "Upstream does not accept the worker's credentials or rights.",
        "Ask the operator to check the connection.",
    )
    UPSTREAM_QPS = Meaning(
        "RESOURCE_EXHAUSTED", "Upstream's rate limit is used up.", "Wait as RetryInfo says, then repeat."
    )
    UPSTREAM_DAILY = Meaning(
        "RESOURCE_EXHAUSTED", "Upstream's daily allowance is spent.", "Wait as RetryInfo says, then repeat."
    )
    UPSTREAM_UNAVAILABLE = Meaning(
        "UNAVAILABLE", "Upstream failed or could not be reached.", "Repeat after RetryInfo; reads are safe."
    )
    UPSTREAM_AMBIGUOUS = Meaning(
        "UNKNOWN",
        "Whether upstream executed a call that is not safe to repeat can't be told.",
        "Look in the console for the marker, then ResolveJob.",
    )
    RUNS_FAILED = Meaning(
        "ABORTED", "Some of the runs did not succeed.", "See the job's runs; RetryJob runs those dates again."
    )
    RUN_SKIPPED = Meaning(
        "ABORTED", "The run was not started, since an earlier one failed.", "RetryJob runs those dates again."
    )
    INSTANCE_EXISTS = Meaning(
        "ALREADY_EXISTS",
        "The date has an instance that the backfill's reprocess leaves alone.",
        "Nothing; RetryJob with this date runs it all the same.",
    )
    SURVEY_TOO_LARGE = Meaning(
        "FAILED_PRECONDITION",
        "Too many instances of similar names to tell whether a date has one.",
        "Choose a name that no other contains, or reprocess ALL.",
    )
    QUOTA_SHORT = Meaning(
        "RESOURCE_EXHAUSTED",
        "What is left of the daily allowance of calls does not last for the backfill.",
        "Expect it to end on the day that the warning names, or take fewer dates.",
    )
    FORECAST_UNCERTAIN = Meaning(
        "UNKNOWN", "What a backfill will cost is partly a guess.", "Nothing; plan again once a date of it has run."
    )
    CREATE_FAILED = Meaning(
        "FAILED_PRECONDITION",
        "Upstream could not make the instances.",
        "See upstream's message; mend the spec.",
    )
    DEADLINE_PASSED = Meaning(
        "DEADLINE_EXCEEDED",
        "The job did not end before its deadline.",
        "Submit again with a longer deadline; a backfill by `RetryJob`, which brings a new one.",
    )
    JOB_CANCELLED = Meaning(
        "CANCELLED", "The job was cancelled; only an Operation's error says so.", "Submit again if it is still wanted."
    )
    JOB_DAMAGED = Meaning(
        "DATA_LOSS",
        "What the store keeps of this job, or of the event that the metadata names, can't be read.",
        "Read past the event; a caller who may write on all connections can remove the job with DeleteJob.",
    )
    JOB_TOO_LARGE = Meaning(
        "RESOURCE_EXHAUSTED",
        "The job's record has grown so large that one more event could make it too large to be shown.",
        "Submit what is left of it as a job of its own; look upstream for what still runs.",
    )
    JOB_POISONED = Meaning(
        "INTERNAL",
        "Looking at the job broke off, or ended its worker, again and again.",
        "Report it with the job's log.",
    )
    LOG_FULL = Meaning(
        "RESOURCE_EXHAUSTED",
        "The job's log grew longer than any job's should, and the job was ended.",
        "See what it did again and again; submit again. What runs upstream runs on.",
    )
    STORE_UNAVAILABLE = Meaning(
        "UNAVAILABLE", "Redis can't be reached or refuses writes.", "Repeat after RetryInfo with the same id."
    )
    STORE_FULL = Meaning(
        "UNAVAILABLE",
        "Redis has reached its memory limit, or the mark below it where no new work is taken; nothing was written.",
        "Repeat after RetryInfo with the same id; the operator has to make room.",
    )
    WORKER_UNAVAILABLE = Meaning(
        "UNAVAILABLE", "No worker answered the read in time.", "Repeat after RetryInfo; reads are safe."
    )
    CALLER_LIMIT = Meaning(
        "RESOURCE_EXHAUSTED", "A limit of this server is reached.", "Wait as RetryInfo says, then repeat."
    )
    METHOD_UNBUILT = Meaning(
        "UNIMPLEMENTED",
        "The method is declared but not built yet.",
        "See GetServerInfo.unimplemented_methods.",
    )
    METHOD_UNKNOWN = Meaning(
        "UNIMPLEMENTED",
        "The server has no such method.",
        "Check the method's name, and that client and server share the API.",
    )
    DEADLINE_TOO_SHORT = Meaning(
        "DEADLINE_EXCEEDED",
        "The call's deadline passed before an answer was there.",
        "Repeat with more time.",
    )
    INTERNAL_ERROR = Meaning(
        "INTERNAL", "Something broke here; the error id stands in the server's log.", "Report the error id."
    )


RETIRED: Final = frozenset({"SERVER_DRAINING"})
"""Reasons that were documented and are given no more; no other one gets their names."""
