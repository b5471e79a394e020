"""Pages of a list, walked as one list."""

from tests.client.scripted import Running


async def test_pages_are_walked_as_one_list(running: Running) -> None:
    names = [job.name async for job in running.client.jobs.list("state = RUNNING")]

    assert names == [f"jobs/j{i}" for i in range(6)]
    assert [call for call, _ in running.script.calls] == ["ListJobs"] * 3
