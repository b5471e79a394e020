"""A job by its id and by its name."""

import pytest

from headgate_client.values.names import job_id, job_name


@pytest.mark.parametrize("given", ["orders-2025", "jobs/orders-2025"])
def test_id_and_name_are_the_same_job(given: str) -> None:
    assert (job_name(given), job_id(given)) == ("jobs/orders-2025", "orders-2025")
