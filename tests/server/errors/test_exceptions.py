"""Exceptions of a server: what they carry, and what their texts keep to themselves."""

from headgate.reasons import Reason
from headgate_server.errors.exceptions import JobDamaged, Refused, Relayed, ServerError


def test_the_facts_of_a_refusal_are_a_copy() -> None:
    facts = {"job": "jobs/x"}

    found = Refused(Reason.JOB_UNKNOWN, "no such job", metadata=facts)
    facts["job"] = "jobs/y"

    assert found.metadata == {"job": "jobs/x"} and Refused(Reason.JOB_UNKNOWN, "x").metadata == {}


def test_a_damaged_job_says_which_event_and_which_row() -> None:
    found = JobDamaged("orders", 7, (b"9", b"uid"))

    assert (found.job_id, found.revision, found.seen) == ("orders", 7, (b"9", b"uid"))
    assert str(found) == "orders at 7"


def test_the_text_of_a_relayed_error_has_nothing_of_its_status() -> None:
    found = Relayed(b"secret")

    assert isinstance(found, ServerError) and found.status == b"secret" and "secret" not in str(found)
