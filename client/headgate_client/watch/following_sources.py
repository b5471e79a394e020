"""Sources of streams over many things: all jobs, some workflow instances, some flow instances."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from google.protobuf.message import Message

from headgate import pb
from headgate_client.rpc.stream import Stream
from headgate_client.watch.following import Ending

_REMEMBERED_JOBS = 10_000

Row = TypeVar("Row", bound=Ending)


RowOf = Callable[[Row], tuple[object, Message] | None]
"""Returns the id and the comparable part of the row that a message carries; None if it carries none."""


class JobsSource:
    """The feed of all jobs, continued by its resume token."""

    def __init__(self, open_at: Callable[[str], Stream[pb.WatchJobResponse]], resume_token: str) -> None:
        self._open_at = open_at
        self._token = resume_token
        self._revisions: OrderedDict[str, int] = OrderedDict()  # of the jobs heard of last, to know repeats

    def open(self) -> Stream[pb.WatchJobResponse]:
        """Open the feed where it was left."""
        return self._open_at(self._token)

    def is_news(self, message: pb.WatchJobResponse) -> bool:
        """Take note of the token, and return whether the message is no repeat."""
        self._token = message.resume_token or self._token
        if not message.job or message.revision <= self._revisions.get(message.job, 0):
            return message.HasField("progress")
        self._revisions[message.job] = message.revision
        self._revisions.move_to_end(message.job)
        if len(self._revisions) > _REMEMBERED_JOBS:
            self._revisions.popitem(last=False)
        return True

    def forget(self) -> None:
        """Begin anew with snapshots."""
        self._token = ""
        self._revisions.clear()


class RowsSource(Generic[Row]):
    """Rows of instances; each stream begins with all of them, so those that did not change are repeats."""

    def __init__(self, open_stream: Callable[[], Stream[Row]], row_of: RowOf[Row]) -> None:
        self._open_stream = open_stream
        self._row_of = row_of
        self._rows: dict[object, bytes] = {}  # by id; a request names at most 100

    def open(self) -> Stream[Row]:
        """Open a stream."""
        return self._open_stream()

    def is_news(self, message: Row) -> bool:
        """Return whether the message has more than a row as it was."""
        found = self._row_of(message)
        if found is None:
            return True
        key, row = found
        text = row.SerializeToString(deterministic=True)
        if self._rows.get(key) == text:
            return False
        self._rows[key] = text
        return True

    def forget(self) -> None:
        """Begin anew."""
        self._rows.clear()
