"""The error of a share that is used up."""

import pytest
from google.rpc.error_details_pb2 import QuotaFailure

from headgate.reasons import Reason
from headgate_server.errors.share_exceeded import PROCESS, exceeded, of_caller, of_connection


@pytest.mark.parametrize(
    ("limit", "said"), [(5, "5"), (0.5, "0.5"), (1e15, "1e+15"), (2_000_000, "2000000"), (1 / 3, "0.333333333333333")]
)
def test_quota_limit_and_subject_are_told_to_programs_and_people(limit: float, said: str) -> None:
    found = exceeded("watched_instances", limit, of_caller("ada"), 2.5)

    assert found.reason is Reason.CALLER_LIMIT and found.retry_seconds == 2.5
    assert found.metadata == {"quota": "watched_instances", "limit": said}
    assert found.message == f"watched_instances of caller:ada: the limit is {said}"
    (failure,) = found.details
    assert isinstance(failure, QuotaFailure)
    assert [(row.subject, row.description) for row in failure.violations] == [("caller:ada", found.message)]


def test_a_message_of_ones_own_takes_the_place_of_the_plain_one() -> None:
    found = exceeded("jobs", 3, of_connection(""), None, "delete some")

    assert found.message == "delete some" and found.retry_seconds is None
    assert found.details[0].violations[0].subject == "connection:"  # type: ignore[attr-defined]  # a QuotaFailure


def test_subjects_can_not_be_taken_for_each_other() -> None:
    assert len({of_caller("process"), of_connection("process"), PROCESS}) == 3
