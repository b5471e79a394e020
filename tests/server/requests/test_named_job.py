"""Which part of a request names its job."""

from headgate import pb
from headgate_server.requests.named_job import named_job


def test_an_update_names_its_job_in_the_resource_and_others_in_themselves() -> None:
    update = pb.UpdateJobRequest(job=pb.Job(name="jobs/orders", etag="e"))
    cancel = pb.CancelJobRequest(name="jobs/sales")

    assert named_job(update) is update.job and named_job(cancel) is cancel
