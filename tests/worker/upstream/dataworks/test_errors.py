from __future__ import annotations

import pytest

from headgate_worker.core.model.calls import (
    ACTIONS,
    NOT_REPEATABLE,
    CreateInstances,
    ExecuteAdhoc,
    FailureKind,
    GetInstance,
    RerunInstances,
    StartInstances,
    StopInstances,
)
from headgate_worker.upstream.dataworks import errors
from headgate_worker.upstream.dataworks.errors import DataWorksEnvelope, classify

THROTTLED, FROZEN, TRANSIENT = FailureKind.THROTTLED, FailureKind.FROZEN, FailureKind.TRANSIENT
AMBIGUOUS, REFUSED, DENIED = FailureKind.AMBIGUOUS, FailureKind.REFUSED, FailureKind.DENIED
NOT_FOUND = FailureKind.NOT_FOUND

# code, HTTP status, what a read, a start and a create make of it
KNOWN: list[tuple[str, int, FailureKind, FailureKind, FailureKind]] = [
    ("Throttling", 400, THROTTLED, THROTTLED, THROTTLED),
    ("Throttling.User", 429, THROTTLED, THROTTLED, THROTTLED),
    ("Throttling.User", 400, THROTTLED, THROTTLED, THROTTLED),
    ("Throttling.Api", 429, THROTTLED, THROTTLED, THROTTLED),
    ("Throttling.System", 429, THROTTLED, THROTTLED, THROTTLED),
    ("Throttling.System", 503, THROTTLED, THROTTLED, THROTTLED),
    ("Throttling.Resource", 429, THROTTLED, THROTTLED, THROTTLED),
    ("Throttling.Api.Risk", 429, FROZEN, FROZEN, FROZEN),
    ("InternalError.System", 500, TRANSIENT, TRANSIENT, AMBIGUOUS),
    ("InternalError", 500, TRANSIENT, TRANSIENT, AMBIGUOUS),
    ("InternalFailure", 500, TRANSIENT, TRANSIENT, AMBIGUOUS),
    ("InternalError", 400, TRANSIENT, TRANSIENT, AMBIGUOUS),
    ("InternalError.UserId.Missing", 500, DENIED, DENIED, DENIED),
    ("ServiceUnavailable", 503, TRANSIENT, TRANSIENT, AMBIGUOUS),
    ("ServiceUnavailableTemporary", 503, TRANSIENT, TRANSIENT, AMBIGUOUS),
    ("Forbidden.Not.Server", 500, REFUSED, REFUSED, REFUSED),
    ("Forbidden.Access", 403, DENIED, DENIED, DENIED),
    ("Forbidden.RAM", 403, DENIED, DENIED, DENIED),
    ("Forbidden", 400, DENIED, DENIED, DENIED),
    ("NoPermission", 403, DENIED, DENIED, DENIED),
    ("ResourceNotAuthorized.Api", 403, DENIED, DENIED, DENIED),
    ("SignatureDoesNotMatch", 400, DENIED, DENIED, DENIED),
    ("IncompleteSignature", 400, DENIED, DENIED, DENIED),
    ("InvalidSignatureMethod", 400, DENIED, DENIED, DENIED),
    ("InvalidAccessKeyId.NotFound", 404, DENIED, DENIED, DENIED),
    ("InvalidAccessKeyId.Inactive", 400, DENIED, DENIED, DENIED),
    ("SignatureNonceUsed", 400, TRANSIENT, TRANSIENT, AMBIGUOUS),
    ("InvalidTimeStamp.Expired", 400, TRANSIENT, TRANSIENT, TRANSIENT),
    ("InvalidTimeStamp.Format", 400, TRANSIENT, TRANSIENT, TRANSIENT),
    ("IllegalTimestamp", 400, TRANSIENT, TRANSIENT, TRANSIENT),
    ("InvalidSecurityToken.Expired", 403, DENIED, DENIED, DENIED),
    ("InvalidSecurityToken.Malformed", 400, DENIED, DENIED, DENIED),
    ("InvalidSecurityToken.MismatchWithAccessKey", 400, DENIED, DENIED, DENIED),
    ("MissingSecurityToken", 400, DENIED, DENIED, DENIED),
    ("MissingBizDate", 400, REFUSED, REFUSED, REFUSED),
    ("MissingClientUniqueCode", 400, REFUSED, REFUSED, REFUSED),
    ("InvalidParameter", 400, REFUSED, REFUSED, REFUSED),
    ("InvalidParameter.Format", 400, REFUSED, REFUSED, REFUSED),
    ("InvalidApi.NotFound", 404, REFUSED, REFUSED, REFUSED),
    ("InvalidProduct.NotFound", 404, REFUSED, REFUSED, REFUSED),
    ("InvalidProtocol.NeedSsl", 400, REFUSED, REFUSED, REFUSED),
    ("InvalidVersion", 400, REFUSED, REFUSED, REFUSED),
    ("UnsupportedHTTPMethod", 404, REFUSED, REFUSED, REFUSED),
    ("InvalidWorkflowInstance.NotFound", 404, NOT_FOUND, NOT_FOUND, NOT_FOUND),
    ("InvalidInstance", 400, NOT_FOUND, NOT_FOUND, NOT_FOUND),
    ("InvalidInstanceId", 400, NOT_FOUND, NOT_FOUND, NOT_FOUND),
    ("InvalidInstanceStatus", 400, REFUSED, REFUSED, REFUSED),
    ("Instance.NotExist", 404, NOT_FOUND, NOT_FOUND, NOT_FOUND),
    ("WorkflowInstanceNotExists", 500, NOT_FOUND, NOT_FOUND, NOT_FOUND),
    ("throttling.user", 429, THROTTLED, THROTTLED, THROTTLED),
    ("Strange", 400, TRANSIENT, REFUSED, REFUSED),
    ("9990020002", 400, TRANSIENT, REFUSED, REFUSED),
    ("Strange", 403, DENIED, DENIED, DENIED),
    ("Strange", 429, THROTTLED, THROTTLED, THROTTLED),
    ("Strange", 500, TRANSIENT, TRANSIENT, AMBIGUOUS),
    ("Strange", 200, TRANSIENT, TRANSIENT, AMBIGUOUS),
    ("Strange", 302, TRANSIENT, TRANSIENT, AMBIGUOUS),
]


PUBLISHED = (
    *("Throttling", "Throttling.User", "Throttling.Api", "Throttling.System", "Throttling.Api.Risk"),
    *("Throttling.Resource", "InternalError.System", "InternalError.UserId.Missing", "InternalError"),
    *("InternalFailure", "ServiceUnavailable", "ServiceUnavailableTemporary", "Forbidden.Not.Server"),
    *("Forbidden.Access", "Forbidden.RAM", "NoPermission", "ResourceNotAuthorized.Api", "SignatureDoesNotMatch"),
    *("IncompleteSignature", "InvalidSignatureMethod", "InvalidAccessKeyId.NotFound", "InvalidAccessKeyId.Inactive"),
    *("SignatureNonceUsed", "InvalidTimeStamp.Expired", "InvalidTimeStamp.Format", "IllegalTimestamp"),
    *("InvalidSecurityToken.Expired", "InvalidSecurityToken.Malformed", "InvalidSecurityToken.MismatchWithAccessKey"),
    *("MissingSecurityToken", "MissingClientUniqueCode", "InvalidParameter", "InvalidParameter.Format"),
    *("InvalidApi.NotFound", "InvalidProduct.NotFound", "InvalidProtocol.NeedSsl", "InvalidVersion"),
    "UnsupportedHTTPMethod",
)
"""Every code that DataWorks' list and the gateway's pages name, of January 2026."""


def test_every_published_code_is_classified_by_itself() -> None:
    told = {code for code, *_ in KNOWN}

    assert not set(PUBLISHED) - told
    assert not [code for code in PUBLISHED if not any(rule.code.match(code) for rule in errors.RULES)]


def test_no_rule_of_the_table_is_never_asked() -> None:
    reached = {next((rule for rule in errors.RULES if rule.code.match(code)), None) for code, *_ in KNOWN}

    assert set(errors.RULES) <= reached


@pytest.mark.parametrize(("code", "status", "read", "start", "create"), KNOWN)
def test_code_decides(code: str, status: int, read: FailureKind, start: FailureKind, create: FailureKind) -> None:
    error = DataWorksEnvelope(code, "No.")

    assert classify(GetInstance, status, error, None) is read
    assert classify(StartInstances, status, error, None) is start
    assert classify(StopInstances, status, error, None) is start
    for not_repeatable in (CreateInstances, ExecuteAdhoc, RerunInstances):
        assert classify(not_repeatable, status, error, None) is create


@pytest.mark.parametrize("message", ["The instance does not exist.", "该实例不存在。", "Task instance not found: 5"])
def test_message_tells_that_nothing_is_there_where_the_code_does_not(message: str) -> None:
    assert classify(GetInstance, 400, DataWorksEnvelope("9990020002", message), None) is NOT_FOUND
    assert classify(GetInstance, 500, DataWorksEnvelope("9990020002", message), None) is TRANSIENT
    assert classify(CreateInstances, 500, DataWorksEnvelope("9990020002", message), None) is AMBIGUOUS


def test_unknown_refusal_that_names_a_wait_is_throttling() -> None:
    for call in (GetInstance, StartInstances, CreateInstances):
        assert classify(call, 400, DataWorksEnvelope("Strange", ""), 1.0) is THROTTLED
    assert classify(CreateInstances, 503, DataWorksEnvelope("Strange", ""), 1.0) is AMBIGUOUS


def test_only_calls_that_can_not_be_repeated_are_ever_ambiguous() -> None:
    for call in ACTIONS:
        assert (errors.uncertain(call) is AMBIGUOUS) == (call in NOT_REPEATABLE)
        assert errors.without_envelope(call, 502) is errors.uncertain(call)
        assert errors.without_envelope(call, 429) is THROTTLED


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2500", 2.5),
        ("1", 1.0),
        ("999", 1.0),
        ("60001", 60.0),
        ("999999999999999", 60.0),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        (None, None),
    ],
)
def test_retry_after_is_milliseconds_within_bounds(header: str | None, seconds: float | None) -> None:
    assert errors.retry_after_seconds(header) == seconds


@pytest.mark.parametrize(
    "body",
    [{}, {"Code": None}, {"Code": ""}, {"Code": []}, {"Code": True}, {"Code": {"a": 1}}, {"Message": "only"}],
)
def test_body_without_a_code_is_no_error_envelope(body: dict[str, object]) -> None:
    assert errors.envelope(body) is None


def test_envelope_is_read_in_either_case_and_with_a_numeric_code() -> None:
    assert errors.envelope({"Code": "A", "Message": "m"}) == DataWorksEnvelope("A", "m")
    assert errors.envelope({"code": 9990020002, "message": "m"}) == DataWorksEnvelope("9990020002", "m")
    assert errors.envelope({"Code": "A", "Message": ["m"]}) == DataWorksEnvelope("A", "")


def test_message_is_one_bounded_line() -> None:
    error = errors.envelope({"Code": "A" * 1000, "Message": "a\n\tb\x1b[31m \ud800 c" + "x" * 5000})

    assert error is not None
    assert len(error.code) == 128
    assert error.message.startswith("a b [31m c")
    assert len(error.message) == errors.MESSAGE_LENGTH
    error.message.encode()


@pytest.mark.parametrize(
    "message",
    [
        "Specified signature does not match our calculation. server string to sign is:GET&%2F&AccessKeyId%3DLEAK",
        "Specified signature is not matched with our calculation. server StringToSign:LEAK",
    ],
)
def test_string_to_sign_is_left_out_of_messages(message: str) -> None:
    error = errors.envelope({"Code": "SignatureDoesNotMatch", "Message": message})

    assert error is not None
    assert error.message.startswith("Specified signature")
    assert "LEAK" not in error.message


def test_xml_error_has_the_same_members() -> None:
    text = "<?xml version='1.0'?><Error><Code>Throttling</Code><Message>m</Message><RequestId>r</RequestId></Error>"

    assert errors.xml_members(text) == {"Code": "Throttling", "Message": "m", "RequestId": "r"}
    assert errors.xml_members("<html><Code>Throttling</Code></html>") == {}


def test_only_codes_of_keys_and_security_tokens_want_new_credentials() -> None:
    wanting = {code for code, *_ in KNOWN if errors.wants_new_credentials(code)}

    assert wanting == {
        "InvalidAccessKeyId.NotFound",
        "InvalidAccessKeyId.Inactive",
        "InvalidSecurityToken.Expired",
        "InvalidSecurityToken.Malformed",
        "InvalidSecurityToken.MismatchWithAccessKey",
        "MissingSecurityToken",
    }
