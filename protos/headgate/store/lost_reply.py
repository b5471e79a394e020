"""What a commit came to whose reply was lost: the job's log shows its own events, or those of another writer.

An adapter runs the script again, which is safe because of the revision it expects: where the first run wrote, the
second one writes nothing and finds the job moved on. Nothing here does I/O; the adapter gives the read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from headgate.store import keys
from headgate.store.commit import Commit, CommitOutcome, Committed, Stale, parse_answer

ReadLog = Callable[[str, int, int], Awaitable[Sequence[bytes]]]
"""From the key of a log, and a first and a last position from 0, to its events."""


async def answer_of(change: Commit, raw: Sequence[int | bytes], read_log: ReadLog) -> CommitOutcome:
    """The answer to a change whose script was run again.

    Args:
        change: the change.
        raw: what the script answered to the second run.
        read_log: reads the log, where it moved on by as much as the change would have moved it.
    """
    answer = parse_answer(raw)
    if not isinstance(answer, Stale) or not change.events:
        return answer
    first, end = change.expected_revision, change.expected_revision + len(change.events)
    written = await read_log(keys.log(keys.job_id(change.job.name)), first, end - 1)
    return Committed(end, int(raw[2])) if tuple(written) == change.events else answer
