"""Job ids and resource names: "orders-2025" and "jobs/orders-2025" are the same job."""

_PREFIX = "jobs/"


def job_name(id_or_name: str) -> str:
    """Return the resource name, "jobs/{job_id}", of a job given by its id or by its name."""
    return id_or_name if id_or_name.startswith(_PREFIX) else _PREFIX + id_or_name


def job_id(name: str) -> str:
    """Return the id of a job given by its name or by its id."""
    return name.removeprefix(_PREFIX)
