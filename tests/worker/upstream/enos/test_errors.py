"""Codes and envelopes of upstream's errors."""

from __future__ import annotations

import pytest

from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.enos import errors

GET, CANCEL = flow_calls.GetFlow, flow_calls.CancelFlow
TRIGGER, LOG = flow_calls.TriggerFlow, flow_calls.GetFlowTaskLog


@pytest.mark.parametrize(
    ("call", "code", "message", "kind"),
    [
        (GET, 62102, "", FailureKind.NOT_FOUND),
        (LOG, 62109, "", FailureKind.NOT_FOUND),
        (CANCEL, 62102, "flow instance does not exist", FailureKind.NOT_FOUND),
        (CANCEL, 62102, "wrong status", FailureKind.REFUSED),
        (TRIGGER, 62102, "twice in one minute", FailureKind.REFUSED),
        (TRIGGER, 62102, "flow does not exist", FailureKind.REFUSED),
        (TRIGGER, 62104, "", FailureKind.REFUSED),
        (TRIGGER, 62109, "", FailureKind.AMBIGUOUS),
        (GET, 62109, "", FailureKind.TRANSIENT),
        (CANCEL, 62109, "", FailureKind.TRANSIENT),
        (GET, 62101, "", FailureKind.DENIED),
        (GET, 62103, "", FailureKind.DENIED),
        (TRIGGER, 1203, "", FailureKind.TRANSIENT),
        (TRIGGER, 1003, "", FailureKind.DENIED),
        (TRIGGER, 1005, "", FailureKind.AMBIGUOUS),
        (GET, 1005, "", FailureKind.TRANSIENT),
        (TRIGGER, 77777, "", FailureKind.AMBIGUOUS),
        (GET, 77777, "", FailureKind.TRANSIENT),
    ],
)
def test_codes(call: type, code: int, message: str, kind: FailureKind) -> None:
    assert errors.classify(call, 200, errors.EnosEnvelope(code, message)) is kind


def test_envelopes_of_every_generation() -> None:
    assert errors.envelope({"status": 0, "msg": " Success", "data": {"status": 1}}) == errors.EnosEnvelope(0, "Success")
    assert errors.envelope({"code": 0, "msg": "OK"}) == errors.EnosEnvelope(0, "OK")
    assert errors.envelope({"apim_status": 4011, "apim_message": "x"}) == errors.EnosEnvelope(4011, "x")
    assert errors.envelope({"status": "62102"}) == errors.EnosEnvelope(62102, "")
    assert errors.envelope({"status": True, "code": None}) is None
    assert errors.envelope({}) is None
