"""A job that is run and watched on one stream."""

from headgate import pb
from headgate_client import (
    JobWatch,
    WatchItem,
)
from tests.client.scripted import Fault, Plan, Running


async def read_all(watch: JobWatch) -> list[WatchItem]:
    return [item async for item in watch]


async def test_running_a_job_continues_by_name_and_submits_once(running: Running) -> None:
    running.script.play([Plan(sent=0, fault=Fault.UNAVAILABLE), Plan(sent=3, fault=Fault.UNAVAILABLE)])
    request = pb.CreateBackfillRequest(spec=pb.BackfillSpec(name="n"))

    items = await read_all(running.client.jobs.run(request, job_id="orders-2025"))

    runs = [call for _, call in running.script.calls if isinstance(call, pb.RunJobRequest)]
    assert [item.revision for item in items] == [1, 2, 3, 4, 5, 6, 6]
    assert runs[0].backfill.request_id and runs[0].backfill.request_id == runs[1].backfill.request_id
    assert [watch.start_revision for watch in running.script.watches] == [4]
