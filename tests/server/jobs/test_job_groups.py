"""Groups of a walk over jobs: small in bytes however large a job is, and without a look at hidden ones."""

from collections.abc import Collection, Sequence

import pytest

from headgate import pb
from headgate_server.jobs.job_groups import FIRST, GROUP_BYTES, MOST, JobGroups, Row
from headgate_server.ports.jobs import Found, StoredJob


class Rows:
    """An index of jobs with one size, which counts what is read of it."""

    def __init__(self, size: int, connections: dict[str, str | None] | None = None) -> None:
        self._size = size
        self._connections = connections or {}
        self.loads: list[list[str]] = []

    async def walk(self, index: str, *, after: int, newest_first: bool, count: int) -> list[Found]:
        raise AssertionError("a group is loaded, not walked")

    async def load_many(self, job_ids: Sequence[str]) -> list[StoredJob | None]:
        self.loads.append(list(job_ids))
        return [None if job_id == "gone" else StoredJob(1, b"x" * self._size, pb.Job()) for job_id in job_ids]

    async def connections_of(self, job_ids: Sequence[str]) -> list[str | None]:
        return [self._connections.get(job_id) for job_id in job_ids]


async def sizes(rows: Rows, found: Sequence[Found], connections: Collection[str] | None = None) -> list[int]:
    return [len(group) async for group in JobGroups(rows, connections).load(found)]


def rows_of(groups: list[list[Row]]) -> list[Row]:
    return [row for group in groups for row in group]


def numbered(count: int) -> list[Found]:
    return [(f"job-{number}", number) for number in range(count)]


@pytest.mark.parametrize(
    ("size", "wanted"),
    [(100, [FIRST, MOST, MOST, 196]), (GROUP_BYTES // 4, [FIRST] + [4] * 149), (GROUP_BYTES * 9, [FIRST] + [1] * 596)],
)
async def test_a_group_is_as_large_as_the_jobs_before_allow(size: int, wanted: list[int]) -> None:
    assert await sizes(Rows(size), numbered(600)) == wanted


async def test_jobs_of_other_connections_are_not_read_and_stand_in_their_place() -> None:
    found = numbered(6)
    rows = Rows(10, {"job-1": "other", "job-2": "mine", "job-4": "other"})

    groups = [group async for group in JobGroups(rows, {"mine"}).load(found)]

    assert [(number, stored is None) for number, stored in rows_of(groups)] == [
        (0, False), (1, True), (2, False), (3, False), (4, True), (5, False),
    ]  # fmt: skip
    assert rows.loads == [["job-0", "job-2", "job-3", "job-5"]]


async def test_a_walk_over_hidden_jobs_alone_reads_none() -> None:
    rows = Rows(10, {f"job-{number}": "other" for number in range(500)})

    assert sum(await sizes(rows, numbered(500), {"mine"})) == 500
    assert rows.loads == []


async def test_a_job_that_is_gone_counts_no_bytes() -> None:
    groups = JobGroups(Rows(10))

    rows = [row async for group in groups.load([("gone", 1), ("job", 2)]) for row in group]

    assert rows[0] == (1, None) and rows[1][1] is not None and groups.bytes == 10


def test_how_many_to_ask_an_index_for() -> None:
    assert JobGroups(Rows(1)).walked() == FIRST and JobGroups(Rows(1), {"mine"}).walked() == MOST
