"""What an update may change, and to what."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from headgate import pb
from headgate.job import job_update
from headgate_server.errors.exceptions import Refused
from headgate_server.requests import update_rules, validator


def request(*mask: str, **job: object) -> pb.UpdateJobRequest:
    made = pb.UpdateJobRequest(job=pb.Job(name="jobs/orders", **job))  # type: ignore[arg-type]  # fields of a job
    if mask:
        made.update_mask.CopyFrom(FieldMask(paths=mask))
    return made


def fields(asked: pb.UpdateJobRequest) -> set[str]:
    """The fields that are complained of."""
    try:
        validator.check(asked)
    except Refused as refused:
        return {row.field for detail in refused.details for row in getattr(detail, "field_violations", ())}
    return set()


def test_without_a_mask_what_the_job_has_is_changed() -> None:
    assert update_rules.paths(request(priority=5, labels={"a": "b"})) == ("priority", "labels")


def test_a_field_that_is_named_twice_is_changed_once() -> None:
    assert update_rules.paths(request("labels", "priority", "labels")) == ("labels", "priority")


def test_a_star_is_all_that_a_job_of_its_kind_can_change() -> None:
    assert update_rules.paths(request("*")) == job_update.OF_ANY
    assert set(update_rules.paths(request("*", backfill=pb.BackfillSpec()))) == set(job_update.CHANGEABLE)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (request("priority", priority=5), set()),
        (request("labels"), set()),
        (request(), {"update_mask"}),
        (request("state"), {"update_mask"}),
        (request("priority", priority=1_000_000), {"job.priority"}),
        (request(job_update.DEADLINE), {f"job.{job_update.DEADLINE}"}),
        (request("ttl_after_end"), {"job.ttl_after_end"}),
        (request(job_update.PARALLELISM), {f"job.{job_update.PARALLELISM}"}),
        (request("priority", priority=5, labels={"NO": "x"}), set()),
        (request("labels", labels={"NO GOOD": "x"}), {"job.labels"}),
        (request("backfill.on_failure", backfill=pb.BackfillSpec(on_failure=99)), {"job.backfill.on_failure"}),  # type: ignore[arg-type]
    ],
)
def test_what_is_named_has_to_be_changeable_and_good(asked: pb.UpdateJobRequest, wanted: set[str]) -> None:
    found = fields(asked)

    assert {name.partition("[")[0] for name in found} == wanted


def test_the_name_and_the_etag_are_judged_as_elsewhere() -> None:
    asked = request("priority", priority=5)
    asked.job.name = "Orders"

    assert fields(asked) == {"job.name"}
