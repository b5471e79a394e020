"""Errors as statuses: code, reason, details, and when to repeat."""

from google.rpc import error_details_pb2

from headgate.reasons import Reason
from headgate_server.errors import status
from headgate_server.errors.exceptions import Refused, Relayed, RowDamaged, StoreFull, StoreUnavailable
from tests.server.world import detail


def test_errors_of_the_store_become_statuses_that_say_when_to_repeat() -> None:
    for error, code, reason in ((StoreUnavailable(), 14, "STORE_UNAVAILABLE"), (StoreFull(), 14, "STORE_FULL")):
        found = status.translate(error)
        assert found is not None and found.code == code
        assert detail(found, error_details_pb2.ErrorInfo).reason == reason
        assert detail(found, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() >= 100


def test_an_error_nobody_can_act_on_has_no_status() -> None:
    assert status.translate(RowDamaged("x")) is None


def test_a_workers_error_goes_on_as_it_came() -> None:
    sent = status.describe(Refused(Reason.INSTANCE_UNKNOWN, "no such instance", metadata={"id": "5"}))

    assert status.translate(Relayed(sent.SerializeToString())) == sent
    broken = status.translate(Relayed(b"\xff\xff"))
    assert broken is not None and detail(broken, error_details_pb2.ErrorInfo).reason == "INTERNAL_ERROR"


def test_every_reason_has_a_code_that_grpc_knows() -> None:
    for reason in Reason:
        assert status.describe(Refused(reason, "x")).code in status.CODES
