"""What is known of the effect of a call that has failed."""

import pytest

from headgate_worker.core.facts.failures import NOT_SENT_CODES, may_be_executed
from headgate_worker.core.model.calls import Failure, FailureKind

IN_DOUBT = {FailureKind.TRANSIENT, FailureKind.AMBIGUOUS}


@pytest.mark.parametrize("kind", FailureKind)
def test_only_a_call_without_an_answer_may_have_been_executed(kind: FailureKind) -> None:
    assert may_be_executed(Failure(kind, "timed_out", "")) is (kind in IN_DOUBT)


@pytest.mark.parametrize("code", sorted(NOT_SENT_CODES))
def test_a_call_that_did_not_go_out_was_not_executed(code: str) -> None:
    assert not may_be_executed(Failure(FailureKind.TRANSIENT, code, ""))
