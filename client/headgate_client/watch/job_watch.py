"""Watch a job: an iterator that outlives its streams, and never repeats or drops an event.

This is the thin shell. It opens, reads, waits and keeps the job current; what a message or a failure means is
decided in resume.py.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from headgate import pb
from headgate.job.event_log import fold
from headgate_client.rpc.errors import HeadgateError
from headgate_client.rpc.stream import SilentStream, Stream
from headgate_client.watch.items import EventItem, SnapshotItem, WatchItem
from headgate_client.watch.outliving_iterator import OutlivingIterator
from headgate_client.watch.reconnecting import Reconnecting
from headgate_client.watch.resume import (
    Drop,
    Finish,
    GiveUp,
    Reopen,
    Step,
    StreamPosition,
    Yield,
    on_failure,
    on_message,
    on_silence,
)
from headgate_client.watch.settling import Settling

WatchStream = Stream[pb.WatchJobResponse]


class JobStreamSource(Protocol):
    """Opens the stream of one job at a position."""

    def open(self, at: StreamPosition) -> WatchStream:
        """Open it; a failure shows at the first read."""

    def learn(self, message: pb.WatchJobResponse) -> None:
        """See a message, to know how to open the next stream."""


class JobWatch(OutlivingIterator[pb.WatchJobResponse, WatchItem]):
    """What happens to one job, item by item, until it ends.

        async for item in client.jobs.handle("orders-2025").watch():
            match item:
                case EventItem(revision, event): ...

    Each `async for` step may take long: a lost connection is mended inside it. Not to be shared between
    tasks.
    """

    def __init__(
        self,
        source: JobStreamSource,
        at: StreamPosition,
        reconnecting: Reconnecting,
        present: Callable[[], Awaitable[pb.Job]] | None = None,
    ) -> None:
        """Make a watch; with `present`, which reads the job as it stands, it also ends where a person is needed."""
        super().__init__(reconnecting)
        self._source = source
        self._present = present
        self._settling = Settling()
        self._at = at
        self._last_error: HeadgateError | None = None
        self.job: pb.Job | None = None
        """The job as of the last item; None before a snapshot or the first event, or if it is not known."""

    @property
    def revision(self) -> int:
        """Everything up to this revision has been yielded; 0 before anything was."""
        return max(self._at.revision, 0)

    async def __anext__(self) -> WatchItem:
        """Return the next item.

        Raises HeadgateError when coming back would not help (such as NOT_FOUND), or when there was no sign of
        life for the patience of the options.
        """
        if await self._is_settled():
            self.close()
        return await super().__anext__()

    async def _is_settled(self) -> bool:
        if self._finished or self._present is None or not self._settling.is_in_doubt:
            return False
        try:
            return self._settling.is_reached(await self._present())
        except HeadgateError as error:
            if error.is_retryable:
                return False  # the stream itself outlives this outage; the next sign of life asks again
            raise

    async def _next(self) -> WatchItem | None:
        match await self._next_step():
            case Yield(at, item):
                return self._yield(at, item)
            case Finish(at, item):
                self.close()
                return self._yield(at, item)
            case Reopen() as reopen:
                await self._reopen(reopen)
            case Drop(at):
                self._at = at
        return None

    async def _next_step(self) -> Step:
        try:
            message = await self._read()
        except SilentStream as silence:
            return on_silence(self._at, str(silence))
        except HeadgateError as error:
            return self._after(error)
        if message is None:
            return on_silence(self._at, "the stream ended without saying why")
        self._source.learn(message)
        return on_message(self._at, message)

    def _after(self, error: HeadgateError) -> Reopen:
        decision = on_failure(self._at, error)
        if isinstance(decision, GiveUp):
            self.close()
            raise decision.error
        self._last_error = error
        return decision

    def _opened(self) -> WatchStream:
        return self._source.open(self._at)

    def _yield(self, at: StreamPosition, item: WatchItem) -> WatchItem:
        self._at = at
        self._last_error = None
        self._reconnecting.alive()
        self.job = _folded(self.job, item, dense=at.dense)
        self._settling.saw(item)
        return item

    async def _reopen(self, step: Reopen) -> None:
        self._at = step.position
        await self._come_back(step.cause, step.delay, self._last_error)


def _folded(job: pb.Job | None, item: WatchItem, *, dense: bool) -> pb.Job | None:
    if isinstance(item, SnapshotItem):
        return item.job
    if not isinstance(item, EventItem) or not dense or (job is None and item.revision != 1):
        return job
    try:
        return fold(job, item.event)
    except ValueError:  # a life cycle newer than this client's: better no job than a wrong one
        return None
