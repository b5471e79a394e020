"""What a commit came to whose reply was lost."""

from collections.abc import Sequence

import pytest

from headgate import pb
from headgate.store import keys
from headgate.store.commit import Commit, CommitOutcome, Committed, Stale
from headgate.store.commit_script import CommitAnswer
from headgate.store.lost_reply import answer_of

EVENTS = (b"one", b"two")
QUEUED = pb.JOB_STATE_QUEUED
CHANGE = Commit(QUEUED, pb.Job(name="jobs/orders"), 4, EVENTS)


async def answered(
    raw: Sequence[int | bytes], log: Sequence[bytes], change: Commit = CHANGE
) -> tuple[CommitOutcome, list[object]]:
    asked: list[object] = []

    async def read_log(key: str, first: int, last: int) -> Sequence[bytes]:
        asked.extend((key, first, last))
        return log

    return await answer_of(change, raw, read_log), asked


async def test_a_job_that_moved_on_by_these_very_events_was_written_by_the_first_run() -> None:
    answer, asked = await answered([CommitAnswer.STALE, 6, 1_000], EVENTS)

    assert answer == Committed(6, 1_000)
    assert asked == [keys.log("orders"), 4, 5]


@pytest.mark.parametrize("log", [(b"one", b"other"), (b"one",), ()])
async def test_a_job_that_another_writer_moved_is_stale(log: Sequence[bytes]) -> None:
    answer, _ = await answered([CommitAnswer.STALE, 6, 1_000], log)

    assert isinstance(answer, Stale)


async def test_where_the_second_run_wrote_the_log_is_not_read() -> None:
    answer, asked = await answered([CommitAnswer.COMMITTED, 6, 1_000], ())

    assert isinstance(answer, Committed) and asked == []


async def test_a_change_without_events_has_nothing_to_find() -> None:
    answer, asked = await answered(
        [CommitAnswer.STALE, 6, 1_000], (), Commit(QUEUED, pb.Job(name="jobs/orders"), 4, ())
    )

    assert isinstance(answer, Stale) and asked == []
