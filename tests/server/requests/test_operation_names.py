"""Names of operations, and the one parent of a list."""

import pytest

from headgate_server.errors.exceptions import Refused
from headgate_server.requests.operation_names import check_parent, job_id, operation_name


@pytest.mark.parametrize("name", ["orders", "a", "orders-2025", "a" * 63])
def test_the_name_of_an_operation_is_that_of_its_job(name: str) -> None:
    assert job_id(operation_name(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "orders",
        "jobs/orders",
        "operations/",
        "operations/Orders",
        "operations/a-",
        "operations/a\n",
        f"operations/{'a' * 64}",
    ],
)
def test_what_is_no_operation_is_refused_by_the_field(name: str) -> None:
    with pytest.raises(Refused) as caught:
        job_id(name)

    assert "name" in caught.value.message


def test_operations_have_one_parent() -> None:
    check_parent("")
    check_parent("operations")
    with pytest.raises(Refused):
        check_parent("jobs")
