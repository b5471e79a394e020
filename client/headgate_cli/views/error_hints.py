"""What to type next after a call that failed. Pure."""

import re
from collections.abc import Collection, Mapping
from typing import Final

import grpc

from headgate.reasons import Reason
from headgate_client import HeadgateError

_NEXT: Final[Mapping[str, str]] = {
    "TOKEN_MISSING": "Give a token: --token-file FILE, HEADGATE_TOKEN_FILE or HEADGATE_TOKEN.",
    "TOKEN_INVALID": "Check --token-file, HEADGATE_TOKEN_FILE or HEADGATE_TOKEN; the operator makes another one: "
    "headgate token create",
    "TOKEN_EXPIRED": "Ask the operator for another one, who makes it with: headgate token create",
    "CONNECTION_DENIED": "Choose another --connection; the operator says which are yours.",
    "STATE_CONFLICT": "See where it stands: headgate jobs get {job}",
    "ETAG_MISMATCH": "See what has changed: headgate jobs get {job}",
    "JOB_DAMAGED": "Tell an operator, who can remove it: headgate jobs delete {job}",
    "JOB_EXISTS": "See that job: headgate jobs get {job}; or choose another --job-id.",
    "JOB_UNKNOWN": "See which there are: headgate jobs list",
    "WORKER_UNAVAILABLE": "Is a worker running? The server asks one for every read. Then run the command again.",
    "STORE_UNAVAILABLE": "The server's Redis can't be used now. Run it again; with the same --request-id.",
    "REQUEST_ID_REUSED": "Choose another --request-id, or leave it out.",
    "RESUME_TOKEN_EXPIRED": "Leave --resume-token out.",
    "REVISION_FUTURE": "Leave --start-revision out.",
    "REVISION_COMPACTED": "Watch with --start-revision 0.",
}
"""By reason; where a job is not named, `Reason` itself has the advice."""


_CLAUSES: Final = re.compile(r"(?<=[.;]) ")
_FLAG: Final = re.compile(r"--[a-z][a-z-]*")
_NEXT_FOR: Final[Mapping[tuple[str, str], str]] = {
    ("DeleteJob", "STATE_CONFLICT"): "End it first: headgate cancel {job}",
    ("RetryJob", "BACKFILL_OVERLAP"): "Wait until that job has ended: headgate watch {job}; "
    "or name other dates with --biz-dates.",
    ("CreateBackfill", "BACKFILL_OVERLAP"): "Wait until that job has ended: headgate watch {job}; "
    "or choose another --overlap.",
}
"""By method and reason, where the method has an advice of its own."""


def error_hint(error: HeadgateError, flags: Collection[str] | None = None) -> str:
    """Return what to do about a failure, in a line; empty when there is nothing to say.

    `flags` are those of the command that failed: a clause that names another one is left out. None means any.
    """
    text = _hint(error)
    if flags is None:
        return text
    clauses = [clause for clause in _CLAUSES.split(text) if set(_FLAG.findall(clause)) <= set(flags)]
    return " ".join(clauses).rstrip(";")


def _hint(error: HeadgateError) -> str:
    if error.field_violations:
        return "Mend that and run the command again; nothing was submitted."
    if not error.reason and error.code is grpc.StatusCode.UNAVAILABLE:
        return "Is a server running there? Name it with --target or HEADGATE_TARGET; headgate dev starts one."
    wait = f" Wait {error.retry_after:.1f} s." if error.retry_after else ""
    return (_action(error) + wait).strip()


def _action(error: HeadgateError) -> str:
    job = error.metadata.get("job", "").removeprefix("jobs/")
    text = _NEXT_FOR.get((error.method, error.reason)) or _NEXT.get(error.reason, "")
    if text and (job or "{job}" not in text):
        return text.format(job=job)
    return Reason[error.reason].value.action if error.reason in Reason.__members__ else ""
