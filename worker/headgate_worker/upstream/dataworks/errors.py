"""Decide how a failed call may be treated.

Pure. The upstream's code decides first and its HTTP status last: DataWorks throttles with 429 where other products
take 400, and the SDK's own exception classes follow the status. Codes: DataWorks' and the gateway's public lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate_worker.core.model.calls import WRITES, FailureKind
from headgate_worker.upstream.http.failures import MESSAGE_LENGTH as MESSAGE_LENGTH
from headgate_worker.upstream.http.failures import one_line as one_line
from headgate_worker.upstream.http.failures import uncertain as uncertain

RETRY_AFTER_SECONDS = (1.0, 60.0)
"""Shortest and longest wait that is taken from a reply, however it is worded."""

_CODE_LENGTH = 128
_XML_MEMBER = re.compile(r"<(Code|Message|RequestId)>([^<]{1,2000})</\1>")
_NOT_THERE = re.compile(r"does ?n[o']t exist|not found|不存在", re.IGNORECASE)
_STRING_TO_SIGN = re.compile(r"[ ,.]*(the )?(server )?string ?to ?sign.*", re.IGNORECASE | re.DOTALL)
_RENEWABLE = re.compile(r"(Invalid|Missing)SecurityToken|InvalidAccessKeyId", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """What codes of a pattern mean.

    Args:
        kind: None leaves open whether the call was executed.
        pause_seconds: shortest time before the call may go again, where the reply does not say.
    """

    code: re.Pattern[str]
    kind: FailureKind | None
    pause_seconds: float | None = None


def _rule(pattern: str, kind: FailureKind | None, pause_seconds: float | None = None) -> ErrorRule:
    return ErrorRule(re.compile(pattern, re.IGNORECASE), kind, pause_seconds)


RULES: tuple[ErrorRule, ...] = (
    _rule(r"Throttling\.Api\.Risk", FailureKind.FROZEN),
    # A quota of the plan is no rate: it is not got under by a moment's pause.
    _rule(r"Throttling\.Resource", FailureKind.THROTTLED, pause_seconds=RETRY_AFTER_SECONDS[1]),
    _rule(r"Throttling", FailureKind.THROTTLED),
    _rule(r"InternalError\.UserId\.Missing", FailureKind.DENIED),
    _rule(r"InternalError|InternalFailure|ServiceUnavailable", None),
    # It proves that the same request arrived before, and says nothing about what became of it.
    _rule(r"SignatureNonceUsed", None),
    # Our clock is off: refused before anything was executed, and well again once the clock is.
    _rule(r"InvalidTimeStamp|IllegalTimestamp", FailureKind.TRANSIENT),
    _rule(r"Signature|IncompleteSignature|InvalidSignatureMethod", FailureKind.DENIED),
    _rule(r"InvalidAccessKeyId|InvalidSecurityToken|MissingSecurityToken", FailureKind.DENIED),
    _rule(r"Forbidden\.Not\.Server", FailureKind.REFUSED),
    _rule(r"Forbidden|NoPermission|ResourceNotAuthorized", FailureKind.DENIED),
    _rule(r"Invalid(Api|Product|Protocol|Version)\b|UnsupportedHTTPMethod", FailureKind.REFUSED),
    # No source names the code of a missing instance, so every likely spelling is taken.
    _rule(r".*Not\.?(Found|Exist)|Invalid(Workflow|Task)?Instance(Id)?$", FailureKind.NOT_FOUND),
    _rule(r"Missing|Invalid", FailureKind.REFUSED),
)
"""The first rule whose pattern begins the code wins."""

_BY_STATUS: Mapping[int, FailureKind] = {
    401: FailureKind.DENIED,
    403: FailureKind.DENIED,
    429: FailureKind.THROTTLED,
}


@dataclass(frozen=True, slots=True)
class DataWorksEnvelope:
    """The members of an error reply that are used; the code is never empty."""

    code: str
    message: str


def envelope(body: Mapping[str, Any]) -> DataWorksEnvelope | None:
    """The error in a reply's JSON object, None where there is none. Members may be lower case (SDK reads both)."""
    code = body.get("Code", body.get("code"))
    if not isinstance(code, str | int) or isinstance(code, bool) or code == "":
        return None
    message = body.get("Message", body.get("message"))
    # A refused signature is explained with what was signed: keys, token and parameters.
    plain = _STRING_TO_SIGN.sub("", message) if isinstance(message, str) else ""
    return DataWorksEnvelope(one_line(str(code), _CODE_LENGTH), one_line(plain))


def xml_members(text: str) -> Mapping[str, str]:
    """Code, Message and RequestId of an XML error. The gateway falls back to XML when it does not know the format."""
    if not text.lstrip("\ufeff \r\n\t").startswith(("<?xml", "<Error")):
        return {}
    return {match[1]: match[2] for match in _XML_MEMBER.finditer(text[:65536])}


def classify(call: type, status: int, error: DataWorksEnvelope, retry_after_seconds: float | None) -> FailureKind:
    """What an error reply to `call` means."""
    for rule in RULES:
        if rule.code.match(error.code):
            return rule.kind or uncertain(call)
    return _of_unknown_code(call, status, error.message, retry_after_seconds)


def pause_seconds(code: str, retry_after: str | None) -> float | None:
    """How long a call that was refused with a code has to wait: as the reply's header says, or else as the table does.

    None where neither does.
    """
    rule = next((rule for rule in RULES if rule.code.match(code)), None)
    told = retry_after_seconds(retry_after)
    return told if told is not None or rule is None else rule.pause_seconds


def _of_unknown_code(call: type, status: int, message: str, retry_after: float | None) -> FailureKind:
    if status < 500 and _NOT_THERE.search(message):
        return FailureKind.NOT_FOUND
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if not 400 <= status < 500:
        return uncertain(call)
    if retry_after is not None:
        return FailureKind.THROTTLED
    return FailureKind.REFUSED if call in WRITES else FailureKind.TRANSIENT


def without_envelope(call: type, status: int) -> FailureKind:
    """The kind of a reply that is not the upstream's own, such as a page of a proxy between."""
    return FailureKind.THROTTLED if status == 429 else uncertain(call)


def wants_new_credentials(code: str) -> bool:
    """Whether other credentials may help. Such a call was not executed, so any call may be sent again."""
    return _RENEWABLE.match(code) is not None


def retry_after_seconds(header: str | None) -> float | None:
    """Read x-acs-retry-after: milliseconds (both SDKs wait header/1000 s). None when absent, not a number or <= 0."""
    if header is None or not re.fullmatch(r"[0-9]{1,15}", header) or int(header) == 0:
        return None
    shortest, longest = RETRY_AFTER_SECONDS
    return min(max(int(header) / 1000, shortest), longest)
