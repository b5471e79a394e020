"""Errors of jobs and runs."""

from __future__ import annotations

import pytest
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import ErrorInfo

from headgate.reasons import DOMAIN, Reason
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import Failure, FailureKind
from tests.worker.core.building import failure, reason


@pytest.mark.parametrize("why", list(Reason))
def test_every_reason_is_a_status_with_its_code(why: Reason) -> None:
    made = errors.status(why, "so it is", job="jobs/t")

    info = ErrorInfo()
    assert made.details[0].Unpack(info)
    assert (info.domain, info.reason, dict(info.metadata)) == (DOMAIN, why.name, {"job": "jobs/t"})
    assert made.code == Code.Value(why.value.code)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_failure_is_a_status(kind: FailureKind) -> None:
    assert reason(errors.of_failure(failure(kind), "StartWorkflowInstances")).startswith(("UPSTREAM_", "INSTANCE_"))


def test_a_failure_keeps_what_a_support_ticket_needs_and_stays_short() -> None:
    made = errors.of_failure(Failure(FailureKind.REFUSED, "Bad", "x" * 5_000, request_id="r-1"), "Create")

    info = ErrorInfo()
    made.details[0].Unpack(info)
    assert dict(info.metadata) == {"action": "Create", "code": "Bad", "upstream_request_id": "r-1"}
    assert made.message.startswith("Create: Bad: xxx")
    assert len(made.message) == 1024
