"""The feed of all jobs, continued after its token."""

from headgate import pb
from tests.client.scripted import Fault, Plan, Running


async def test_the_feed_continues_after_its_token_without_repeats(running: Running) -> None:
    running.script.play([Plan(sent=3, fault=Fault.UNAVAILABLE), Plan(fault=Fault.COMPACTED)])

    revisions = [message.revision async for message in running.client.jobs.watch_all()]

    tokens = [call.resume_token for _, call in running.script.calls if isinstance(call, pb.WatchJobsRequest)]
    assert tokens == ["", "3", ""]
    assert revisions == [1, 2, 3, 1, 2, 3, 4, 5, 6]


async def test_the_feed_leaves_out_what_was_told(running: Running) -> None:
    running.script.play([Plan(sent=3, fault=Fault.UNAVAILABLE)])

    revisions = [message.revision async for message in running.client.jobs.watch_all()]

    assert revisions == [1, 2, 3, 4, 5, 6]
