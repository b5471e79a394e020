"""One stream: a silent one is given up."""

from headgate_client import (
    ClientOptions,
    JobWatch,
    WatchItem,
    WatchOptions,
)
from tests.client.scripted import HURRIED, JOB, Fault, Plan, serve


async def read_all(watch: JobWatch) -> list[WatchItem]:
    return [item async for item in watch]


async def test_a_stream_that_is_silent_for_too_long_is_opened_again() -> None:
    hasty = WatchOptions(progress_interval=1, silence_factor=0.1, retry=HURRIED)
    told: list[str] = []
    async with serve(options=ClientOptions(retry=HURRIED, watch=hasty)) as running:
        running.script.play([Plan(sent=2, fault=Fault.HANG)])

        watch = running.client.jobs.watch(JOB, start_revision=1, on_reconnect=lambda why, _: told.append(why))
        items = await read_all(watch)

    assert [item.revision for item in items] == [1, 2, 3, 4, 5, 6, 6]
    assert told == ["nothing came for 0.1 s"]
