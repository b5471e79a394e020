"""Prebuilt errors of denied calls: each has its reason, its code and when to come back."""

import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from headgate.reasons import Reason
from headgate_server.auth import denials
from headgate_server.auth.denials import Denial
from headgate_server.errors import status

ALL = [
    denials.unknown(Reason.TOKEN_MISSING),
    denials.unknown(Reason.TOKEN_INVALID),
    denials.unknown(Reason.TOKEN_EXPIRED),
    denials.no_right("write", "CancelJob"),
    denials.too_often("ada", 5, 12),
    denials.too_many("ada", 100),
    denials.no_room(1_000),
    denials.too_many_pending(250),
    denials.overdue(),
    denials.no_method(),
]


def details(denial: Denial) -> Status:
    ((key, raw),) = denial.details
    assert key == status.DETAILS_KEY
    return Status.FromString(raw)


@pytest.mark.parametrize("denial", ALL, ids=lambda denial: denial.reason.name + denial.message[:20])
def test_code_message_and_details_say_the_same(denial: Denial) -> None:
    told = details(denial)

    assert (status.CODES[told.code], told.message) == (denial.code, denial.message)
    info = ErrorInfo()
    assert any(detail.Unpack(info) for detail in told.details) and info.reason == denial.reason.name


@pytest.mark.parametrize(("tenths", "ms"), [(1, 100), (12, 1_200), (36_000, 3_600_000)])
def test_a_caller_who_calls_too_often_is_told_when_to_come_back(tenths: int, ms: int) -> None:
    retry = RetryInfo()

    assert any(detail.Unpack(retry) for detail in details(denials.too_often("ada", 5, tenths)).details)
    assert retry.retry_delay.ToMilliseconds() == ms


def test_a_denial_is_built_once_and_held_back_as_a_copy() -> None:
    first = denials.no_room(1_000)

    assert denials.no_room(1_000) is first and first.held_back(0) is first
    later = first.held_back(0.5)
    assert (later.seconds, later.details, first.seconds) == (0.5, first.details, 0.0)
