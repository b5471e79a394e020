"""Decide how a failed call may be treated.

Pure. The code in the reply decides first, its HTTP status last. Codes: the vendor's pages on common error codes and on
the API gateway. Nothing here says that a GET is safe: one of EnOS' GETs deletes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from headgate_worker.core.model.calls import FailureKind
from headgate_worker.core.model.flow_calls import CancelFlow, GetFlow, GetFlowTaskLog
from headgate_worker.upstream.http.failures import one_line, uncertain

OK: Final = 0
BAD_REQUEST: Final = 62102
INTERNAL: Final = 62109

WANTS_NEW_TOKEN: Final = frozenset({1203, 1204, 4011, 4012})
"""The gateway does not know the token any more. Such a call was not executed, so any call may be sent again."""

KINDS: Final[Mapping[int, FailureKind | None]] = {
    1001: FailureKind.TRANSIENT,  # a proof that was used before: the next one is another
    1002: FailureKind.DENIED,
    1003: FailureKind.DENIED,
    1004: FailureKind.REFUSED,
    1005: None,
    1202: FailureKind.REFUSED,
    1203: FailureKind.TRANSIENT,
    1204: FailureKind.TRANSIENT,
    4011: FailureKind.TRANSIENT,
    4012: FailureKind.TRANSIENT,
    62101: FailureKind.DENIED,
    BAD_REQUEST: FailureKind.REFUSED,
    62103: FailureKind.DENIED,
    62104: FailureKind.REFUSED,
    INTERNAL: None,
}
"""What a code means; None leaves open whether the call was executed."""

_BY_STATUS: Final[Mapping[int, FailureKind]] = {
    401: FailureKind.DENIED,
    403: FailureKind.DENIED,
    429: FailureKind.THROTTLED,
}

_NOT_THERE: Final = re.compile(r"not exist|not found|no such|不存在|不能存在", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EnosEnvelope:
    """Code and message of a reply; code 0 is success."""

    code: int
    message: str


def envelope(body: Mapping[str, Any]) -> EnosEnvelope | None:
    """The envelope of either generation, or the gateway's own; None where there is none."""
    for name in ("apim_status", "code", "status"):
        code = body.get(name)
        if isinstance(code, str) and re.fullmatch(r"-?[0-9]{1,9}", code):
            code = int(code)
        if isinstance(code, int) and not isinstance(code, bool):
            message = body.get("msg", body.get("message", body.get("apim_message")))
            return EnosEnvelope(code, one_line(message) if isinstance(message, str) else "")
    return None


def classify(call: type, status: int, error: EnosEnvelope) -> FailureKind:
    """What an error reply to `call` means."""
    if _is_missing(call, error):
        return FailureKind.NOT_FOUND
    if error.code in KINDS:
        return KINDS[error.code] or uncertain(call)
    return without_envelope(call, status)


def _is_missing(call: type, error: EnosEnvelope) -> bool:
    """Whether what a call names does not exist: one code is shared with bad parameters, one with inner errors."""
    if call is GetFlowTaskLog and error.code in (BAD_REQUEST, INTERNAL):
        return True
    if error.code != BAD_REQUEST:
        return False
    return call is GetFlow or (call is CancelFlow and _NOT_THERE.search(error.message) is not None)


def without_envelope(call: type, status: int) -> FailureKind:
    """The kind of a reply that is not EnOS' own, or whose code is not known: whether it was executed stays open."""
    return _BY_STATUS.get(status) or uncertain(call)
